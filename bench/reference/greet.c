/* The least that accepting, greeting and closing costs: greet PORT. */
#include "common.h"

int main(int argc, char **argv)
{
	static const char greeting[] = "hello\n";
	struct epoll_event ev[64];
	char b[4096];
	if (argc != 2)
		fail("usage: greet PORT");
	prepare();
	int l = listen_at(atoi(argv[1])), ep = epoll_create1(0);
	non_blocking(l);
	watch(ep, l, EPOLLIN, l);
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.u32;
			if (fd != l) {
				if (read(fd, b, sizeof b) <= 0)
					close(fd);
				continue;
			}
			while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
				if (write(fd, greeting, sizeof greeting - 1) < 0)
					close(fd);
				else
					watch(ep, fd, EPOLLIN, fd);
			}
		}
	}
}
