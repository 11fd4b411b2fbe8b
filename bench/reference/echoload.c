/* Conversations in which a message of 64 bytes goes out when the one before has come back:
 *
 *   echoload PORT CONVERSATIONS SECONDS
 *
 * prints how many have come back, how long that took, and how long each took. Each answer is compared. */
#include "common.h"

#define SIZE 64

struct talk {
	int fd, got;
	uint32_t sent;
	uint64_t at;
	char in[SIZE], out[SIZE];
};

static struct distribution taken;

static void number(char *b, uint32_t n)
{
	for (int i = 7; i >= 0; i--, n >>= 4)
		b[i] = "0123456789abcdef"[n & 15];
}

/* The number in front makes each message another one. */
static void say(struct talk *t, int id)
{
	number(t->out, ++t->sent);
	t->got = 0;
	t->at = now();
	if (write(t->fd, t->out, SIZE) != SIZE)
		fail("conversation %d: write: %s", id, strerror(errno));
}

/* Whether the whole answer has come. */
static int hear(struct talk *t, int id)
{
	ssize_t n = read(t->fd, t->in + t->got, SIZE - t->got);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		fail("conversation %d: read: %s", id, n ? strerror(errno) : "it has ended");
	if ((t->got += n) < SIZE)
		return 0;
	note(&taken, now() - t->at);
	if (memcmp(t->in, t->out, SIZE))
		wrong("conversation %d: answer %u is not what was said", id, t->sent);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		fail("usage: echoload PORT CONVERSATIONS SECONDS");
	prepare();
	int port = atoi(argv[1]), many = atoi(argv[2]), ep = epoll_create1(0), waiting = 0;
	struct talk *t = calloc(many, sizeof *t);
	struct epoll_event ev[256];
	for (int i = 0; i < many; i++) {
		t[i].fd = connect_to(port, i);
		reset_at_end(t[i].fd);
		memcpy(t[i].out, "-------- --------: abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH\n", SIZE);
		number(t[i].out + 9, i);
		/* What has been heard once is there when the measuring begins. */
		say(&t[i], i);
		while (!hear(&t[i], i))
			;
		if (many > 1) {
			non_blocking(t[i].fd);
			watch(ep, t[i].fd, EPOLLIN, i);
		}
	}
	memset(&taken, 0, sizeof taken);
	uint64_t began = now(), end = began + atof(argv[3]) * 1e9;
	if (many == 1) {
		do {
			say(t, 0);
			while (!hear(t, 0))
				;
		} while (t->at < end);
	} else {
		for (int i = 0; i < many; i++, waiting++)
			say(&t[i], i);
	}
	while (waiting) {
		int n = epoll_wait(ep, ev, 256, 10000);
		if (n <= 0)
			wrong("%d answers have not come for ten seconds", waiting);
		for (int k = 0; k < n; k++) {
			int i = ev[k].data.u32;
			if (!hear(&t[i], i))
				continue;
			if (now() < end)
				say(&t[i], i);
			else
				waiting--;
		}
	}
	printf("count %llu\nnanoseconds %llu\n", (unsigned long long)taken.n, (unsigned long long)(now() - began));
	print_distribution(&taken);
	return 0;
}
