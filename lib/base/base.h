/* SPDX-License-Identifier: BSD-3-Clause
 *
 * base: what every module shares and no more: octet spans, network byte order, wiping of secrets.
 * Header-only, no state, no allocation; every function is safe on any thread.
 */
#ifndef CPAU_BASE_H
#define CPAU_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of octets. Whoever fills it says how long the memory behind it lives. */
struct span {
	const uint8_t *p;
	size_t n;
};

static inline struct span span_make(const void *p, size_t n)
{
	return (struct span){(const uint8_t *)p, n};
}

/* Not constant time: for public data only. */
static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static inline uint64_t load_be64(const uint8_t *p)
{
	return ((uint64_t)load_be32(p) << 32) | load_be32(p + 4);
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

/* Zeroes n octets in a way that the compiler may not drop. For keys, nonces and shared secrets. */
static inline void wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* True if the n octets are equal; the time taken does not depend on their values. For MACs. */
static inline bool equal_ct(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (uint8_t)(a[i] ^ b[i]);
	__asm__ volatile("" : "+r"(diff));
	return diff == 0;
}

#endif
