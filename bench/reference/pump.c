/* Bulk. The two ends of a measurement, and the least that copying costs: nothing is copied, and the receiver
 * sleeps until much has come.
 *
 *   pump source SECONDS BLOCK | … | pump sink    they print what they have counted to the standard error
 *   pump send PORT                         stdin to TCP: splice, of a file sendfile
 *   pump copy PORT                         stdin to TCP: read and write
 *   pump receive PORT                      TCP to stdout: splice and SO_RCVLOWAT */
#include "common.h"
#include <sys/sendfile.h>
#include <sys/stat.h>

#define MUCH (1 << 20)

static int source(double seconds, size_t block)
{
	static char b[256 << 10];
	uint64_t n = 0, end;
	if (block == 0 || block > sizeof b)
		fail("source: a block has 1 to %zu bytes", sizeof b);
	for (unsigned i = 0; i < sizeof b; i++)
		b[i] = i * 2654435761u >> 24;
	for (end = now() + seconds * 1e9; now() < end;) {
		ssize_t w = write(1, b, block);
		if (w < 0)
			fail("source: %s", strerror(errno));
		n += w;
	}
	fprintf(stderr, "bytes %llu\n", (unsigned long long)n);
	return 0;
}

static int sink(void)
{
	int null = open("/dev/null", O_WRONLY);
	uint64_t n = 0, began = 0;
	ssize_t r;
	while ((r = splice(0, NULL, null, NULL, MUCH, 0)) > 0) {
		if (!began)
			began = now();
		n += r;
	}
	if (r < 0)
		fail("sink: %s", strerror(errno));
	fprintf(stderr, "bytes %llu\nnanoseconds %llu\n", (unsigned long long)n, (unsigned long long)(now() - began));
	return 0;
}

static int is(int fd, mode_t type)
{
	struct stat st;
	return !fstat(fd, &st) && (st.st_mode & S_IFMT) == type;
}

static int send_all(int port)
{
	int fd = connect_to(port, 0), file = is(0, S_IFREG);
	char b[4096];
	ssize_t n;
	fcntl(0, F_SETPIPE_SZ, MUCH);
	do
		n = file ? sendfile(fd, 0, NULL, 1 << 30) : splice(0, NULL, fd, NULL, MUCH, 0);
	while (n > 0);
	if (n < 0)
		fail("send: %s", strerror(errno));
	shutdown(fd, SHUT_WR);
	while (read(fd, b, sizeof b) > 0)
		;
	return 0;
}

static int copy_all(int port)
{
	static char b[256 << 10];
	int fd = connect_to(port, 0);
	ssize_t n, done, w;
	fcntl(0, F_SETPIPE_SZ, MUCH);
	while ((n = read(0, b, sizeof b)) > 0)
		for (done = 0; done < n; done += w)
			if ((w = write(fd, b + done, n - done)) < 0)
				fail("copy: %s", strerror(errno));
	if (n < 0)
		fail("copy: %s", strerror(errno));
	shutdown(fd, SHUT_WR);
	while (read(fd, b, sizeof b) > 0)
		;
	return 0;
}

static void low_water(int fd, int bytes)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

static int receive_all(int port)
{
	int fd = accept4(listen_at(port), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), to = 1, between[2], raised = 0;
	uint64_t flowed = 0;
	if (!is(1, S_IFIFO)) {
		if (pipe(between))
			fail("pipe: %s", strerror(errno));
		to = between[1];
	}
	fcntl(to, F_SETPIPE_SZ, MUCH);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		/* What is below the mark when the sender pauses must come out all the same. */
		if (!poll(&p, 1, raised ? 2 : -1)) {
			low_water(fd, 1);
			flowed = raised = 0;
			continue;
		}
		ssize_t n = splice(fd, NULL, to, NULL, MUCH, 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			fail("receive: %s", strerror(errno));
		if (n == 0)
			return 0;
		for (ssize_t left = n; to != 1 && left > 0;) {
			ssize_t out = splice(between[0], NULL, 1, NULL, left, 0);
			if (out <= 0)
				fail("receive: %s", strerror(errno));
			left -= out;
		}
		if (!raised && (flowed += n) >= MUCH) {
			low_water(fd, MUCH / 2);
			raised = 1;
		}
	}
}

int main(int argc, char **argv)
{
	prepare();
	if (argc == 4 && !strcmp(argv[1], "source"))
		return source(atof(argv[2]), atoi(argv[3]));
	if (argc == 2 && !strcmp(argv[1], "sink"))
		return sink();
	if (argc == 3 && !strcmp(argv[1], "send"))
		return send_all(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "copy"))
		return copy_all(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "receive"))
		return receive_all(atoi(argv[2]));
	fail("usage: pump source SECONDS BLOCK | sink | send PORT | copy PORT | receive PORT");
}
