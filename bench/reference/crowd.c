/* Many conversations of one server, most of which wait:
 *
 *   crowd PORT WORD GREETING
 *
 * Each says WORD and a line end ('' for nothing), and takes as many bytes as GREETING is long, and, where
 * the third argument is followed by one more, echo, the word again. Commands come on stdin:
 *
 *   grow N   until there are N; prints "grown N" and the nanoseconds it took
 *   say      the first says a line; prints "said" and the nanoseconds until all others have got something
 *
 * At the end of stdin all end with a reset. */
#include "common.h"

#define AT_ONCE 64

struct peer {
	int fd, got;
};

static struct peer *peers;
static int many, ep, want;
static const char *greeting, *echoed;

/* One more conversation, that says its word. */
static void begin(int port, const char *said)
{
	struct peer *p = &peers[many];
	p->fd = connect_to(port, many);
	p->got = 0;
	reset_at_end(p->fd);
	non_blocking(p->fd);
	watch(ep, p->fd, EPOLLIN, many++);
	if (*said && write(p->fd, said, strlen(said)) < 0)
		fail("conversation %d: write: %s", many, strerror(errno));
}

/* What has come for one: how many bytes. The first of them are compared. */
static int take(struct peer *p, int id)
{
	char b[16384];
	ssize_t n = read(p->fd, b, sizeof b);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		fail("conversation %d of %d: %s", id, many, n ? strerror(errno) : "the server has ended it");
	int size = strlen(greeting);
	for (int i = 0; i < n && p->got + i < want; i++) {
		int at = p->got + i;
		if (b[i] != (at < size ? greeting[at] : echoed[at - size]))
			wrong("conversation %d: what came is not the greeting and the word", id);
	}
	p->got += n;
	return n;
}

static void grow(int port, const char *said, int size)
{
	struct epoll_event ev[256];
	uint64_t began = now();
	int waiting = 0;
	while (many < size || waiting) {
		while (many < size && waiting < AT_ONCE) {
			begin(port, said);
			waiting += want > 0;
			if (!want && many % AT_ONCE == 0)
				break;
		}
		int n = epoll_wait(ep, ev, 256, want ? 20000 : 0);
		if (n <= 0 && want)
			wrong("%d of %d conversations have no answer after twenty seconds", waiting, many);
		for (int k = 0; k < n; k++) {
			struct peer *p = &peers[ev[k].data.u32];
			int before = p->got;
			if (take(p, ev[k].data.u32) && before < want && p->got >= want)
				waiting--;
		}
	}
	printf("grown %d %llu\n", many, (unsigned long long)(now() - began));
	fflush(stdout);
}

/* Takes what comes for all but the first until all have got something, or nothing has come for so long; how many have. */
static int hear(int quiet)
{
	struct epoll_event ev[256];
	int n, heard = 0;
	for (int i = 0; i < many; i++)
		peers[i].got = 0;
	while (heard < many - 1 && (n = epoll_wait(ep, ev, 256, quiet)) > 0)
		for (int k = 0; k < n; k++) {
			struct peer *p = &peers[ev[k].data.u32];
			heard += take(p, ev[k].data.u32) && p != peers && p->got > 0 && p->got < 1 << 30;
			p->got = 1 << 30;
		}
	return heard;
}

static void say(void)
{
	/* What comes of itself, such as notices of who has come, comes before. */
	want = 0;
	while (hear(300))
		;
	uint64_t began = now();
	if (write(peers[0].fd, "hello\n", 6) != 6)
		fail("say: %s", strerror(errno));
	int heard = hear(10000);
	if (heard < many - 1)
		wrong("%d of %d have heard it", heard, many - 1);
	printf("said %llu\n", (unsigned long long)(now() - began));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 5)
		fail("usage: crowd PORT WORD GREETING [echo]");
	prepare();
	char said[256] = "", command[256];
	if (*argv[2])
		snprintf(said, sizeof said, "%s\n", argv[2]);
	greeting = argv[3];
	echoed = argc == 5 ? said : "";
	want = strlen(greeting) + strlen(echoed);
	peers = calloc(1 << 20, sizeof *peers);
	ep = epoll_create1(0);
	while (fgets(command, sizeof command, stdin)) {
		int size;
		if (sscanf(command, "grow %d", &size) == 1)
			grow(atoi(argv[1]), said, size < 1 << 20 ? size : 1 << 20);
		else if (!strcmp(command, "say\n"))
			say();
		else
			fail("no such command: %s", command);
	}
	return 0;
}
