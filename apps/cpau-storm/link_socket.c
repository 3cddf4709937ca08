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

#include "gtpu/gtpu.h"
#include "link.h"

struct link_socket {
	unsigned int n;
	unsigned int per_an; /* sockets of an AN: its source ports, and GTP-U where it is wanted */
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

	return sendto(s->fds[an * s->per_an + port], data, n, 0, (struct sockaddr *)&s->peer,
		      s->peer_len) == (ssize_t)n;
}

static bool socket_send_user(void *arg, unsigned int an, const struct net_addr *to,
			     const uint8_t *data, size_t n)
{
	struct link_socket *s = arg;
	struct sockaddr_storage peer;
	socklen_t length = sockaddr_of(to, GTPU_PORT, &peer);

	return sendto(s->fds[an * s->per_an + LINK_USER], data, n, 0, (struct sockaddr *)&peer,
		      length) == (ssize_t)n;
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
			receive(to, at / s->per_an, at % s->per_an, data, (size_t)length);
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
	unsigned int per_an = LINK_PORTS + config->user_plane, n = config->n_ans * per_an;
	struct link_socket *s = calloc(1, sizeof(*s) + n * sizeof(int));

	*why = "out of memory";
	if (!s)
		return false;
	s->per_an = per_an;
	s->peer_len = sockaddr_of(&config->peer, config->peer_port, &s->peer);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (; s->n < n; s->n++) {
		struct net_addr a;
		struct sockaddr_storage local;
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = s->n};

		unsigned int port = s->n % per_an;

		net_addr_add(&config->local, s->n / per_an, &a);
		socklen_t length = sockaddr_of(
			&a, port == LINK_USER ? GTPU_PORT : (uint16_t)(LINK_FIRST_PORT + port),
			&local);
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
				     .send_user = config->user_plane ? socket_send_user : NULL,
				     .poll = socket_poll,
				     .flush = socket_flush,
				     .close = socket_close,
				     .arg = s};
	return true;
}
