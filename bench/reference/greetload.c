/* Clients, some at once, each of which connects, reads a greeting, says FIN, and waits for the server's:
 *
 *   greetload PORT CLIENTS SECONDS GREETING
 *
 * prints how many were greeted, how long that took, and how long each took. Each greeting is compared. */
#include "common.h"

struct client {
	int fd, got;
	uint64_t at;
	char in[256];
};

static struct distribution taken;
static unsigned opened;

/* This side ends first and so keeps its port for a minute: many addresses have ports enough. */
static void begin(struct client *c, int i, int ep, int port)
{
	struct sockaddr_in at = local(port), from = local(0);
	int one = 1;
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + opened++ % 200);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->got = 0;
	c->at = now();
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof from))
		fail("client: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&at, sizeof at) && errno != EINPROGRESS)
		fail("connecting: %s", strerror(errno));
	watch(ep, c->fd, EPOLLIN, i);
}

/* Whether the conversation has ended, and well. */
static int go_on(struct client *c, const char *greeting, int size)
{
	ssize_t n = read(c->fd, c->in + c->got, sizeof c->in - c->got);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		fail("client: read: %s", strerror(errno));
	if (n == 0) {
		if (c->got != size || memcmp(c->in, greeting, size))
			wrong("%d bytes of a greeting have come, and not the right ones", c->got);
		return 1;
	}
	if (c->got < size && c->got + n >= size)
		shutdown(c->fd, SHUT_WR);
	c->got += n;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		fail("usage: greetload PORT CLIENTS SECONDS GREETING");
	prepare();
	int port = atoi(argv[1]), many = atoi(argv[2]), ep = epoll_create1(0), size = strlen(argv[4]), live;
	struct client *c = calloc(many, sizeof *c);
	struct epoll_event ev[64];
	uint64_t began = now(), end = began + atof(argv[3]) * 1e9;
	for (live = 0; live < many; live++)
		begin(&c[live], live, ep, port);
	while (live) {
		int n = epoll_wait(ep, ev, 64, 10000);
		if (n <= 0)
			wrong("%d clients wait for a greeting or an end for ten seconds", live);
		for (int k = 0; k < n; k++) {
			int i = ev[k].data.u32;
			if (!go_on(&c[i], argv[4], size))
				continue;
			close(c[i].fd);
			note(&taken, now() - c[i].at);
			if (now() < end)
				begin(&c[i], i, ep, port);
			else
				live--;
		}
	}
	printf("count %llu\nnanoseconds %llu\n", (unsigned long long)taken.n, (unsigned long long)(now() - began));
	print_distribution(&taken);
	return 0;
}
