/* Says to all others what one says, without names: room chunks|lines PORT.
 *
 * chunks: one ring of bytes for all, and for each member how far it has got: one write for all that is new.
 * lines:  as it is usually done, a write for each line and member. */
#include "common.h"

#define RING (1 << 22)

struct member {
	int fd, waits;
	uint64_t at;
};

static struct member *members;
static int many, ep;
static char *ring;
static uint64_t head;

static void leave_room(struct member *m)
{
	close(m->fd);
	m->fd = -1;
}

/* Writes what a member has not got yet; it waits for room in its socket where there is none. */
static void bring(struct member *m)
{
	while (m->at < head) {
		uint64_t from = m->at % RING, n = head - m->at;
		if (n > RING - from)
			n = RING - from;
		ssize_t w = write(m->fd, ring + from, n);
		if (w < 0 && errno != EAGAIN) {
			leave_room(m);
			return;
		}
		if (w < 0)
			break;
		m->at += w;
	}
	int waits = m->at < head;
	if (waits != m->waits) {
		struct epoll_event ev = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.u32 = m - members + 1};
		epoll_ctl(ep, EPOLL_CTL_MOD, m->fd, &ev);
		m->waits = waits;
	}
}

/* How much the ring takes before it would go over what the last member has not got. */
static uint64_t space(void)
{
	uint64_t least = head;
	for (int i = 0; i < many; i++)
		if (members[i].fd >= 0 && members[i].at < least)
			least = members[i].at;
	return RING - (head - least);
}

/* Reads what one has said; whether anything is new. */
static int chunks(struct member *m)
{
	uint64_t to = head % RING, most = 64 << 10;
	if (space() < most) /* whoever lags makes the speaker wait */
		return 0;
	if (most > RING - to)
		most = RING - to;
	ssize_t n = read(m->fd, ring + to, most);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		leave_room(m);
		return 0;
	}
	if (m->at == head)
		m->at += n;
	head += n;
	return 1;
}

static void lines(struct member *m)
{
	static char b[64 << 10];
	ssize_t n = read(m->fd, b, sizeof b);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		leave_room(m);
		return;
	}
	/* What is behind the last line end is said by itself: the load sends whole lines. */
	for (char *from = b, *end = b + n; from < end;) {
		char *nl = memchr(from, '\n', end - from), *next = nl ? nl + 1 : end;
		for (struct member *to = members; to < members + many; to++)
			for (char *p = from; to != m && to->fd >= 0 && p < next;) {
				ssize_t w = write(to->fd, p, next - p);
				if (w > 0) {
					p += w;
				} else if (errno == EAGAIN) {
					struct pollfd full = {.fd = to->fd, .events = POLLOUT};
					poll(&full, 1, -1);
				} else {
					leave_room(to);
				}
			}
		from = next;
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		fail("usage: room chunks|lines PORT");
	prepare();
	int l = listen_at(atoi(argv[2])), shared = !strcmp(argv[1], "chunks");
	struct epoll_event ev[256];
	ring = malloc(RING);
	members = calloc(1 << 20, sizeof *members);
	ep = epoll_create1(0);
	non_blocking(l);
	watch(ep, l, EPOLLIN, 0);
	for (;;) {
		int n = epoll_wait(ep, ev, 256, -1), new = 0, fd;
		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32) {
				struct member *m = &members[ev[i].data.u32 - 1];
				if (ev[i].events & EPOLLOUT)
					bring(m);
				if (!(ev[i].events & ~EPOLLOUT) || m->fd < 0)
					continue;
				if (shared)
					new += chunks(m);
				else
					lines(m);
				continue;
			}
			while (many < 1 << 20 && (fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
				members[many] = (struct member){.fd = fd, .at = head};
				no_delay(fd);
				watch(ep, fd, EPOLLIN, ++many);
			}
		}
		for (int i = 0; new && i < many; i++)
			if (members[i].fd >= 0 && !members[i].waits)
				bring(&members[i]);
	}
}
