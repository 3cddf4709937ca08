/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What tests/constant_time.c --self-test runs; compiled as lib/p256 is.
 */
#ifndef CPAU_TEST_LEAKS_H
#define CPAU_TEST_LEAKS_H

#include <stdbool.h>
#include <stdint.h>

/* Toys; secret is 64 octets, poisoned, 64-byte aligned. */
struct leak {
	const char *name;
	void (*run)(const uint64_t *secret);
	bool leaks; /* MemorySanitizer must report it; otherwise must not */
};
extern const struct leak leaks[];
extern const unsigned int leaks_n;

/* Is every bit of an intrinsic's result that changes with a poisoned bit of its operands poisoned?
 * Names those of which that is not true. */
bool intrinsics_propagate(void);

#endif
