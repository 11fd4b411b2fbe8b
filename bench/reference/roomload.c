/* A room in which one speaks and the others listen:
 *
 *   roomload PORT MEMBERS blast SECONDS   as many lines as the room takes, after a second that opens the window
 *   roomload PORT MEMBERS one TIMES       a line when all have had the one before
 *
 * and one more argument: how many microseconds to wait between two that join, where the room's queue is short;
 *
 * prints how many lines were said, how long it took until all members had all of them, and, for one, how long
 * each took to the last member. A line has 32 bytes; the room may put something in front of it, always as much.
 * The bytes of all members are counted, and those of the first are compared. */
#include "common.h"

#define LINE 32
#define BATCH 64   /* lines of one write */
#define MOST (1 << 22) /* batches */
#define WINDOW 64  /* batches that may be under way, so that nobody lags far */

static int many, ep, speaker;
static int *fds;       /* by member, and the speaker last */
static uint64_t *got;  /* by member, since the last begin() */
static uint64_t *done; /* how many members have had so many batches */
static uint64_t batches, size, said, checked;
static char part[4096]; /* of a line of the first member */
static struct distribution taken;

static void line(char *b, uint64_t n)
{
	memcpy(b, "-------- hello to everybody now\n", LINE);
	for (int i = 7; i >= 0; i--, n /= 10)
		b[i] = '0' + n % 10;
}

/* Compares what the first member gets: each line once, in order. */
static void check(const char *b, ssize_t n)
{
	static uint64_t filled;
	for (ssize_t i = 0; i < n; i++) {
		char want[LINE];
		if (filled == sizeof part)
			wrong("a line of %zu bytes", sizeof part);
		part[filled++] = b[i];
		if (b[i] != '\n')
			continue;
		line(want, checked);
		if (filled != size || memcmp(part + filled - LINE, want, LINE))
			wrong("line %llu is \"%.*s\"", (unsigned long long)checked, (int)filled - 1, part);
		checked++;
		filled = 0;
	}
}

/* Takes what has come; 0 where nothing has for so many milliseconds. */
static int take(int quiet, int compare)
{
	static char b[1 << 20];
	struct epoll_event ev[512];
	int n = epoll_wait(ep, ev, 512, quiet);
	for (int k = 0; k < n; k++) {
		int i = ev[k].data.u32;
		/* What only has to be counted is not copied. */
		ssize_t r = recv(fds[i], b, sizeof b, i == 0 ? 0 : MSG_TRUNC);
		if (r < 0 && errno == EAGAIN)
			continue;
		if (r <= 0)
			wrong("the room has ended the conversation of member %d: %s", i, r ? strerror(errno) : "end");
		if (i == many)
			continue;
		if (i == 0 && compare)
			check(b, r);
		uint64_t before = got[i], batch = size * BATCH;
		got[i] += r;
		if (batches)
			for (uint64_t d = before / batch; d < got[i] / batch && d < batches; d++)
				done[d]++;
	}
	return n > 0;
}

static void join(int port, int id)
{
	int fd = fds[id] = connect_to(port, id);
	reset_at_end(fd);
	non_blocking(fd);
	watch(ep, fd, EPOLLIN, id);
}

static void say(const char *b, size_t n)
{
	while (n > 0) {
		ssize_t w = write(speaker, b, n);
		if (w > 0) {
			b += w;
			n -= w;
		} else if (errno != EAGAIN) {
			wrong("the room does not hear the speaker: %s", strerror(errno));
		} else if (!take(10000, 1)) {
			wrong("the room takes nothing from the speaker for ten seconds");
		}
	}
}

/* Says a line until all have had it, which shows that all are in the room, and how long a line is there. */
static void learn(void)
{
	char b[LINE];
	for (int i = 0; i < 20; i++) {
		while (take(300, 0))
			;
		memset(got, 0, many * sizeof *got);
		line(b, 0);
		say(b, LINE);
		while (take(500, 0))
			;
		int same = 1;
		for (int m = 1; m < many; m++)
			same &= got[m] == got[0];
		if (same && got[0] >= LINE) {
			size = got[0];
			memset(got, 0, many * sizeof *got);
			return;
		}
	}
	wrong("the members do not all get a line");
}

static int all(void)
{
	for (int i = 0; i < many; i++) {
		if (got[i] > said * size)
			wrong("member %d has got %llu bytes, more than %llu", i, (unsigned long long)got[i], (unsigned long long)(said * size));
		if (got[i] < said * size)
			return 0;
	}
	return 1;
}

/* Says lines for so long, and until all have had them. The window opens as the room keeps up. */
static void blast(double seconds)
{
	static char b[BATCH * LINE];
	static uint64_t ended, window = 1;
	uint64_t end = now() + seconds * 1e9;
	while (ended < batches || now() < end) {
		while (now() < end && batches < MOST && batches - ended < window) {
			for (int i = 0; i < BATCH; i++)
				line(b + i * LINE, said++);
			batches++;
			say(b, sizeof b);
		}
		if (!take(20000, 1))
			wrong("%llu of %llu batches have come to all", (unsigned long long)ended, (unsigned long long)batches);
		for (; ended < batches && done[ended] == (uint64_t)many; ended++)
			window += window < WINDOW;
		if (batches == MOST && ended == batches)
			break;
	}
}

static void one(int times)
{
	char b[LINE];
	for (int i = 0; i < times; i++) {
		uint64_t at = now();
		line(b, said++);
		say(b, LINE);
		while (!all())
			if (!take(10000, 1))
				wrong("not all have line %d after ten seconds", i);
		note(&taken, now() - at);
	}
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 6)
		fail("usage: roomload PORT MEMBERS blast|one SECONDS|TIMES [MICROSECONDS]");
	prepare();
	int port = atoi(argv[1]);
	many = atoi(argv[2]);
	got = calloc(many, sizeof *got);
	fds = calloc(many + 1, sizeof *fds);
	ep = epoll_create1(0);
	for (int i = 0; i < many; i++) {
		join(port, i);
		if (argc == 6)
			usleep(atoi(argv[5]));
		if (i % 16 == 0)
			take(0, 0);
	}
	join(port, many);
	speaker = fds[many];
	learn();
	int blasts = !strcmp(argv[3], "blast");
	if (blasts) {
		done = calloc(MOST, sizeof *done);
		blast(1); /* opens the window */
	}
	uint64_t before = said, began = now();
	if (blasts)
		blast(atof(argv[4]));
	else
		one(atoi(argv[4]));
	uint64_t took = now() - began;
	while (take(100, 1))
		;
	if (!all() || checked != said)
		wrong("%llu lines were said, and the first member has %llu", (unsigned long long)said, (unsigned long long)checked);
	printf("count %llu\nbytes %llu\nnanoseconds %llu\n", (unsigned long long)(said - before), (unsigned long long)size, (unsigned long long)took);
	print_distribution(&taken);
	return 0;
}
