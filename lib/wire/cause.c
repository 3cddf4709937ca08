/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/cause.h"

#include <stddef.h>
#include <string.h>

struct cause {
	const char *name;
	const char *text;
};

static const struct cause causes[WIRE_CAUSE_LIMIT] = {[WIRE_CAUSE_NONE] = {"none", "no failure"},
#define X(symbol, value, name, text) [value] = {name, text},
						      WIRE_CAUSES(X)
#undef X
};

static const struct cause *find(unsigned int cause)
{
	static const struct cause unassigned = {"unassigned", "a cause that is not assigned"};

	if (cause >= WIRE_CAUSE_LIMIT || causes[cause].name == NULL)
		return &unassigned;
	return &causes[cause];
}

const char *wire_cause_name(unsigned int cause)
{
	return find(cause)->name;
}

const char *wire_cause_text(unsigned int cause)
{
	return find(cause)->text;
}

enum wire_cause wire_cause_from_name(const char *name)
{
	for (unsigned int i = 0; i < WIRE_CAUSE_LIMIT; i++)
		if (causes[i].name != NULL && strcmp(causes[i].name, name) == 0)
			return (enum wire_cause)i;
	return WIRE_CAUSE_NONE;
}
