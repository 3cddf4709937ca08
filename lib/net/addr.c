/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <stdlib.h>

#include "net/addr.h"

bool net_addr_parse(const char *text, struct net_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->a) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->a) == 1)
		out->family = 6;
	return out->family != 0;
}

bool net_prefix_parse(const char *text, struct net_addr *out, unsigned int *length)
{
	char address[NET_ADDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (!net_addr_parse(address, out))
		return false;
	*length = out->family == 4 ? 32 : 128;
	if (slash) {
		char *end;
		unsigned long value = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end != '\0' || value > *length)
			return false;
		*length = (unsigned int)value;
	}
	return true;
}

const char *net_addr_format(const struct net_addr *addr, char text[NET_ADDR_TEXT])
{
	if (!inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->a, text, NET_ADDR_TEXT))
		memcpy(text, "?", 2);
	return text;
}

bool net_addr_add(const struct net_addr *addr, uint32_t n, struct net_addr *out)
{
	uint64_t carry = n;

	*out = *addr;
	for (int i = addr->family == 4 ? 3 : 15; i >= 0 && carry; i--) {
		carry += out->a[i];
		out->a[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return carry == 0;
}
