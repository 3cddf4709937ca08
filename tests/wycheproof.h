/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading of Wycheproof's JSON vectors (C2SP/wycheproof) from CPAU_TESTDATA. The test is skipped,
 * and says so, where they are absent.
 */
#ifndef CPAU_WYCHEPROOF_H
#define CPAU_WYCHEPROOF_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

static inline json_t *wycheproof_load(const char *file)
{
	const char *folder = getenv("CPAU_TESTDATA");
	char path[1024];
	json_error_t error;

	if (!folder)
		cr_skip_test("CPAU_TESTDATA is not set");
	snprintf(path, sizeof(path), "%s/wycheproof/%s", folder, file);
	FILE *f = fopen(path, "rb");

	if (!f)
		cr_skip_test("%s is absent", path);
	json_t *root = json_loadf(f, 0, &error);

	fclose(f);
	cr_assert_not_null(root, "%s: %s", path, error.text);
	return root;
}

/* The octets of a hexadecimal field; returns how many there are, at most max. */
static inline size_t wycheproof_octets(json_t *object, const char *field, uint8_t *out, size_t max)
{
	const char *hex = json_string_value(json_object_get(object, field));

	cr_assert_not_null(hex, "no field %s", field);
	size_t n = strlen(hex) / 2;

	cr_assert(n <= max, "%s has %zu octets", field, n);
	for (size_t i = 0; i < n; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

static inline bool wycheproof_is(json_t *test, const char *result)
{
	return strcmp(json_string_value(json_object_get(test, "result")), result) == 0;
}

static inline int wycheproof_id(json_t *test)
{
	return (int)json_integer_value(json_object_get(test, "tcId"));
}

#define wycheproof_for_each(root, group, test)                                                   \
	for (size_t g_ = 0; ((group) = json_array_get(json_object_get(root, "testGroups"), g_)); \
	     g_++)                                                                               \
		for (size_t t_ = 0;                                                              \
		     ((test) = json_array_get(json_object_get(group, "tests"), t_)); t_++)

#endif
