/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The kernel's UDP sockets: one for each AN and source port. For tests, and where no DPDK is
 * wanted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"

struct link_socket {
	unsigned int n;
	int epoll;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	int fds[];
};

static socklen_t sockaddr_of(const struct net_addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, a->a, 16);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	memcpy(&in->sin_addr, a->a, 4);
	return sizeof(*in);
}

static bool socket_send(void *arg, unsigned int an, unsigned int port, const uint8_t *data,
			size_t n)
{
	struct link_socket *s = arg;

	return sendto(s->fds[an * LINK_PORTS + port], data, n, 0, (struct sockaddr *)&s->peer,
		      s->peer_len) == (ssize_t)n;
}

static unsigned int socket_poll(void *arg,
				void (*receive)(void *to, unsigned int an, unsigned int port,
						const uint8_t *data, size_t n),
				void *to)
{
	struct link_socket *s = arg;
	struct epoll_event events[64];
	uint8_t data[WIRE_DATAGRAM_MAX];
	int n = epoll_wait(s->epoll, events, 64, 0);

	for (int i = 0; i < n; i++) {
		unsigned int at = events[i].data.u32;
		ssize_t length = recv(s->fds[at], data, sizeof(data), MSG_DONTWAIT);

		if (length > 0)
			receive(to, at / LINK_PORTS, at % LINK_PORTS, data, (size_t)length);
	}
	return n > 0 ? (unsigned int)n : 0;
}

static void socket_flush(void *arg)
{
	(void)arg;
}

static bool socket_close(void *arg)
{
	struct link_socket *s = arg;

	for (unsigned int i = 0; i < s->n; i++)
		close(s->fds[i]);
	close(s->epoll);
	free(s);
	return true;
}

bool link_socket_open(const struct link_config *config, struct link_transport *t, const char **why)
{
	unsigned int n = config->n_ans * LINK_PORTS;
	struct link_socket *s = calloc(1, sizeof(*s) + n * sizeof(int));

	*why = "out of memory";
	if (!s)
		return false;
	s->peer_len = sockaddr_of(&config->peer, config->peer_port, &s->peer);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (; s->n < n; s->n++) {
		struct net_addr a;
		struct sockaddr_storage local;
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = s->n};

		net_addr_add(&config->local, s->n / LINK_PORTS, &a);
		socklen_t length =
			sockaddr_of(&a, (uint16_t)(LINK_FIRST_PORT + s->n % LINK_PORTS), &local);
		int fd = socket(local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd < 0 || bind(fd, (struct sockaddr *)&local, length) != 0 ||
		    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
			*why = "a UDP socket cannot be bound: is --local an address of this host?";
			if (fd >= 0)
				close(fd);
			socket_close(s);
			return false;
		}
		s->fds[s->n] = fd;
	}
	*t = (struct link_transport){.send = socket_send,
				     .poll = socket_poll,
				     .flush = socket_flush,
				     .close = socket_close,
				     .arg = s};
	return true;
}
