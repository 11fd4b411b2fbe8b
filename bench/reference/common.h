/* What the references and the load programs share: sockets on 127.0.0.1, time, and distributions.
 * An exit status of 1 is a failure (no port, no connection), of 3 a wrong result (a digest, a count). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

__attribute__((noreturn, format(printf, 2, 3), unused))
static void leave(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

#define fail(...) leave(1, __VA_ARGS__)
#define wrong(...) leave(3, __VA_ARGS__)

__attribute__((unused)) static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* As many descriptors as the system lets this process have; and no death by a peer that is gone. */
__attribute__((unused)) static void prepare(void)
{
	struct rlimit r;
	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	signal(SIGPIPE, SIG_IGN);
}

static inline struct sockaddr_in local(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

__attribute__((unused)) static int listen_at(int port)
{
	struct sockaddr_in at = local(port);
	int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(l, (struct sockaddr *)&at, sizeof at) || listen(l, 4096))
		fail("port %d: %s", port, strerror(errno));
	return l;
}

__attribute__((unused)) static void no_delay(int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* A reset at the end: thousands of ports that wait for their time to pass would be missed by the next. */
__attribute__((unused)) static void reset_at_end(int fd)
{
	struct linger none = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* From a few thousand conversations on, one address of the client's has so few ports left that the search for one is
 * what takes the time: each few thousand have an address of their own. */
__attribute__((unused)) static int connect_to(int port, int id)
{
	struct sockaddr_in at = local(port), from = local(0);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + id / 4000);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) || connect(fd, (struct sockaddr *)&at, sizeof at))
		fail("connecting to port %d: %s", port, strerror(errno));
	no_delay(fd);
	return fd;
}

__attribute__((unused)) static void non_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

__attribute__((unused)) static void watch(int ep, int fd, uint32_t events, uint32_t id)
{
	struct epoll_event ev = {.events = events, .data.u32 = id};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		fail("epoll: %s", strerror(errno));
}

/* A distribution of nanoseconds: 32 buckets between a number and its double, so that a value is off by 1.6 % at most. */
struct distribution {
	uint64_t n, bucket[64 * 64];
};

__attribute__((unused)) static void note(struct distribution *d, uint64_t ns)
{
	int shift = ns < 64 ? 0 : 58 - __builtin_clzll(ns);
	d->bucket[shift * 64 + (ns >> shift)]++;
	d->n++;
}

/* One line for each quantile: the word quantile, the part of all that is not above it, nanoseconds. */
__attribute__((unused)) static void print_distribution(const struct distribution *d)
{
	static const double part[] = {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999};
	uint64_t seen = 0;
	unsigned p = 0;
	for (int i = 0; i < 64 * 64; i++) {
		seen += d->bucket[i];
		for (; p < sizeof part / sizeof *part && seen >= part[p] * d->n && d->bucket[i]; p++) {
			/* More digits than there are values would be invented. */
			if (d->n * (1 - part[p]) < 1)
				return;
			printf("quantile %g %.0f\n", part[p], (i % 64 + 0.5) * (double)(1ull << i / 64));
		}
	}
}
