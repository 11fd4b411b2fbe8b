/* The least an idle connection costs: one process, one epoll, nothing kept for a connection. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char buf[65536];
	struct epoll_event ev[64], add = {.events = EPOLLIN};
	struct sockaddr_in at = {.sin_family = AF_INET};
	int one = 1, l = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);

	if (argc < 2)
		return 2;
	at.sin_port = htons(atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(l, (struct sockaddr *)&at, sizeof at) || listen(l, 128))
		return 1;
	add.data.fd = l;
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &add);
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			if (fd == l) {
				add.data.fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
				if (add.data.fd >= 0)
					epoll_ctl(ep, EPOLL_CTL_ADD, add.data.fd, &add);
				continue;
			}
			ssize_t got = read(fd, buf, sizeof buf);
			if (got <= 0 || write(fd, buf, got) < 0)
				close(fd);
		}
	}
}
