/* SPDX-License-Identifier: BSD-3-Clause */
#include "au/counters.h"

static const struct {
	const char *name, *text;
} counters[AU_COUNTER_N] = {
#define X(symbol, name, text) [AU_COUNT_##symbol] = {name, text},
	AU_COUNTERS(X)
#undef X
};

const char *au_counter_name(unsigned int counter)
{
	return counter < AU_COUNTER_N ? counters[counter].name : "?";
}

const char *au_counter_text(unsigned int counter)
{
	return counter < AU_COUNTER_N ? counters[counter].text : "?";
}
