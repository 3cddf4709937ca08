/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* After the libc's headers, whose names it shares. */
#include <linux/if_tun.h>

#include "tun.h"

/* struct in6_ifreq of linux/ipv6.h, which does not go with netinet/in.h. */
struct address_request {
	struct in6_addr address;
	uint32_t prefix_length;
	int index;
};

struct tun {
	int fd;
	int control[2]; /* sockets of IPv4 and IPv6, for requests about the device */
	struct ifreq name;
};

struct tun *tun_open(const char *name, const char **why)
{
	struct tun *t = calloc(1, sizeof(*t));

	*why = "out of memory";
	if (!t)
		return NULL;
	snprintf(t->name.ifr_name, sizeof(t->name.ifr_name), "%s", name);
	t->name.ifr_flags = IFF_TUN | IFF_NO_PI;
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	t->control[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	t->control[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*why = "a TUN device cannot be made: it takes /dev/net/tun, CAP_NET_ADMIN (run as root), "
	       "and a "
	       "name that is free";
	if (t->fd < 0 || t->control[0] < 0 || ioctl(t->fd, TUNSETIFF, &t->name) != 0) {
		tun_close(t);
		return NULL;
	}
	return t;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void tun_close(struct tun *t)
{
	if (!t)
		return;
	close_if_open(t->fd);
	close_if_open(t->control[0]);
	close_if_open(t->control[1]);
	free(t);
}

static struct ifreq request_of(const struct tun *t)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, t->name.ifr_name, sizeof(request.ifr_name));
	return request;
}

bool tun_set_mtu(struct tun *t, unsigned int mtu)
{
	struct ifreq request = request_of(t);

	request.ifr_mtu = (int)mtu;
	return ioctl(t->control[0], SIOCSIFMTU, &request) == 0;
}

static bool bring_up(struct tun *t)
{
	struct ifreq request = request_of(t);

	if (ioctl(t->control[0], SIOCGIFFLAGS, &request) != 0)
		return false;
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(t->control[0], SIOCSIFFLAGS, &request) == 0;
}

bool tun_set_ipv4(struct tun *t, uint32_t ipv4)
{
	struct ifreq request = request_of(t);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ipv4)};

	memcpy(&request.ifr_addr, &address, sizeof(address));
	if (ioctl(t->control[0], SIOCSIFADDR, &request) != 0)
		return false;
	address.sin_addr.s_addr = htonl(UINT32_MAX); /* nobody else is on the link */
	memcpy(&request.ifr_netmask, &address, sizeof(address));
	return ioctl(t->control[0], SIOCSIFNETMASK, &request) == 0 && bring_up(t);
}

bool tun_set_ipv6(struct tun *t, const uint8_t address[16])
{
	struct ifreq index = request_of(t);
	struct address_request request = {.prefix_length = 128};

	if (t->control[1] < 0 || ioctl(t->control[0], SIOCGIFINDEX, &index) != 0)
		return false;
	memcpy(&request.address, address, sizeof(request.address));
	request.index = index.ifr_ifindex;
	return bring_up(t) && ioctl(t->control[1], SIOCSIFADDR, &request) == 0;
}

size_t tun_read(struct tun *t, uint8_t *packet, size_t size)
{
	ssize_t n = read(t->fd, packet, size);

	return n > 0 ? (size_t)n : 0;
}

void tun_write(struct tun *t, const uint8_t *packet, size_t n)
{
	/* One that the kernel does not take is lost, as on any link. */
	if (write(t->fd, packet, n) < 0)
		return;
}
