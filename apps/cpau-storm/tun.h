/* SPDX-License-Identifier: BSD-3-Clause
 *
 * tun: a TUN device of Linux, through which this host's programs are a UE's. Needs CAP_NET_ADMIN.
 * It gives the device addresses and an MTU and brings it up; routes are the user's. One thread.
 */
#ifndef CPAU_STORM_TUN_H
#define CPAU_STORM_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tun;

/* NULL, with *why a sentence. */
struct tun *tun_open(const char *name, const char **why);
void tun_close(struct tun *t); /* and the device with it */
/* False: the kernel refuses. ipv4: host order. */
bool tun_set_mtu(struct tun *t, unsigned int mtu);
bool tun_set_ipv4(struct tun *t, uint32_t ipv4);
bool tun_set_ipv6(struct tun *t, const uint8_t address[16]);
/* One IP packet that a program sent; 0: there is none. */
size_t tun_read(struct tun *t, uint8_t *packet, size_t size);
void tun_write(struct tun *t, const uint8_t *packet, size_t n);

#endif
