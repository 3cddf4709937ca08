/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/wire.h"

/* --- GPRS timers: unit in bits 8-6, value in bits 5-1 --- */

enum { TIMER_VALUE_MAX = 31, TIMER_DEACTIVATED = 7 };

/* Seconds of each unit; 0 where the code point is not a unit. */
static const uint32_t timer2_units[8] = {2, 60, 360};
static const uint32_t timer3_units[8] = {600, 3600, 36000, 2, 30, 60, 1152000};

/* The smallest unit that reaches seconds wastes least, as each divides the next. */
static uint8_t timer_encode(const uint32_t units[8], uint32_t seconds)
{
	unsigned int best = TIMER_DEACTIVATED, largest = 0;

	if (seconds == UINT32_MAX)
		return TIMER_DEACTIVATED << 5;
	for (unsigned int i = 0; i < TIMER_DEACTIVATED; i++) {
		if (units[i] == 0)
			continue;
		if (units[i] > units[largest])
			largest = i;
		if (seconds <= units[i] * TIMER_VALUE_MAX &&
		    (best == TIMER_DEACTIVATED || units[i] < units[best]))
			best = i;
	}
	if (best == TIMER_DEACTIVATED)
		return (uint8_t)(largest << 5 | TIMER_VALUE_MAX);
	return (uint8_t)(best << 5 | (seconds + units[best] - 1) / units[best]);
}

static uint32_t timer_decode(const uint32_t units[8], uint8_t octet)
{
	unsigned int unit = octet >> 5;

	if (unit == TIMER_DEACTIVATED)
		return UINT32_MAX;
	/* "Other values shall be interpreted as multiples of 1 minute" (TS 24.008 10.5.7.4) */
	return (octet & TIMER_VALUE_MAX) * (units[unit] != 0 ? units[unit] : 60);
}

uint8_t wire_timer2_encode(uint32_t seconds)
{
	return timer_encode(timer2_units, seconds);
}

uint32_t wire_timer2_decode(uint8_t octet)
{
	return timer_decode(timer2_units, octet);
}

uint8_t wire_timer3_encode(uint32_t seconds)
{
	return timer_encode(timer3_units, seconds);
}

uint32_t wire_timer3_decode(uint8_t octet)
{
	return timer_decode(timer3_units, octet);
}

/* --- DNN --- */

enum { DNN_LABEL_MAX = 63, DNN_MAX = 100 };

static bool is_label_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-';
}

size_t wire_dnn_encode(const char *name, uint8_t *out, size_t size)
{
	size_t n = strlen(name), label = 0;

	/* Each dot becomes the length of the label after it; one more octet for the first. */
	if (n == 0 || n + 1 > DNN_MAX || n + 1 > size)
		return 0;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && name[i] != '.') {
			if (!is_label_char((uint8_t)name[i]))
				return 0;
			out[i + 1] = (uint8_t)name[i];
			continue;
		}
		if (i == label || i - label > DNN_LABEL_MAX)
			return 0;
		out[label] = (uint8_t)(i - label);
		label = i + 1;
	}
	return n + 1;
}

bool wire_dnn_decode(struct span dnn, char *name, size_t size)
{
	size_t label = 0;

	if (dnn.n < 2 || dnn.n > DNN_MAX || dnn.n > size)
		return false;
	while (label < dnn.n) {
		size_t n = dnn.p[label];

		if (n == 0 || n > DNN_LABEL_MAX || n > dnn.n - label - 1)
			return false;
		if (label != 0)
			name[label - 1] = '.';
		for (size_t i = 0; i < n; i++) {
			uint8_t c = dnn.p[label + 1 + i];

			if (!is_label_char(c))
				return false;
			name[label + i] = (char)c;
		}
		label += 1 + n;
	}
	name[dnn.n - 1] = '\0';
	return true;
}

/* --- 5G-GUTI --- */

static unsigned int digit(char c)
{
	return (unsigned int)(c - '0') & 0xf;
}

void wire_guti_encode(const char *mcc, const char *mnc, uint8_t amf_region, uint16_t amf_set,
		      uint8_t amf_pointer, uint32_t tmsi, uint8_t out[11])
{
	enum { TYPE_5G_GUTI = 0xf2, NO_DIGIT = 0xf };
	unsigned int mnc3 = mnc[2] != '\0' ? digit(mnc[2]) : NO_DIGIT;

	out[0] = TYPE_5G_GUTI;
	out[1] = (uint8_t)(digit(mcc[1]) << 4 | digit(mcc[0]));
	out[2] = (uint8_t)(mnc3 << 4 | digit(mcc[2]));
	out[3] = (uint8_t)(digit(mnc[1]) << 4 | digit(mnc[0]));
	out[4] = amf_region;
	out[5] = (uint8_t)(amf_set >> 2);
	out[6] = (uint8_t)((amf_set & 3) << 6 | (amf_pointer & 0x3f));
	store_be32(out + 7, tmsi);
}
