/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPAU_TESTS_GATE_SEEDS_H
#define CPAU_TESTS_GATE_SEEDS_H

#include <stddef.h>
#include <stdint.h>

void seed_write(const char *directory, unsigned int number, const uint8_t *p, size_t n);
void gate_seeds_write(const char *into);

#endif
