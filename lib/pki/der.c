/* SPDX-License-Identifier: BSD-3-Clause */
#include "pki/der.h"

static bool digits(const uint8_t *p, unsigned int n, int *value)
{
	*value = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*value = *value * 10 + (p[i] - '0');
	}
	return true;
}

/* Days from 1970-01-01 to the first of March-based year and month: proleptic Gregorian. */
static int64_t days_from_civil(int year, int month, int day)
{
	int y = year - (month <= 2);
	int era = y / 400, yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool der_time(struct span *rest, int64_t *seconds)
{
	static const uint8_t month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day, hour, minute, second;
	struct span v;
	uint8_t tag;

	if (!der_next(rest, &tag, &v, NULL))
		return false;
	unsigned int year_digits = tag == DER_UTC_TIME ? 2 : 4;

	if ((tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) || v.n != year_digits + 11 ||
	    v.p[v.n - 1] != 'Z')
		return false;
	const uint8_t *p = v.p + year_digits;

	if (!digits(v.p, year_digits, &year) || !digits(p, 2, &month) || !digits(p + 2, 2, &day) ||
	    !digits(p + 4, 2, &hour) || !digits(p + 6, 2, &minute) || !digits(p + 8, 2, &second))
		return false;
	if (tag == DER_UTC_TIME)
		year += year < 50 ? 2000 : 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
	    (month == 2 && day == 29 && !leap) || hour > 23 || minute > 59 || second > 59)
		return false;
	/* RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. */
	if (tag == DER_GENERALIZED_TIME && year < 2050)
		return false;
	*seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

bool der_extension(struct span *rest, struct span *oid, bool *critical, struct span *value)
{
	struct span extension, boolean;

	return der_expect(rest, DER_SEQUENCE, &extension) && der_oid(&extension, oid) &&
	       der_optional(&extension, DER_BOOLEAN, &boolean, critical) &&
	       (!*critical || (boolean.n == 1 && boolean.p[0] == 0xff)) &&
	       der_expect(&extension, DER_OCTET_STRING, value) && extension.n == 0;
}

/* How many octets the UTF-8 sequence at p takes; 0: malformed (RFC 3629 clause 4). */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (length == 0 || length > n || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

/* How many octets from p on are surely ASCII: nearly all texts of certificates are. */
static size_t ascii_length(const uint8_t *p, size_t n)
{
	uint64_t word;
	size_t i = 0;

	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			return i;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

bool der_text(struct span *rest, struct span *value)
{
	uint8_t tag;

	if (!der_next(rest, &tag, value, NULL) || value->n == 0 ||
	    (tag != DER_UTF8_STRING && tag != DER_PRINTABLE_STRING && tag != DER_IA5_STRING))
		return false;
	for (size_t i = ascii_length(value->p, value->n); i < value->n;) {
		size_t length = utf8_length(value->p + i, value->n - i);

		if (length == 0 || (length > 1 && tag != DER_UTF8_STRING))
			return false;
		i += length;
	}
	return true;
}

static bool scalar32(struct span *rest, uint8_t out[32])
{
	struct span v;

	if (!der_positive(rest, &v) || v.n > 32)
		return false;
	memset(out, 0, 32 - v.n);
	memcpy(out + 32 - v.n, v.p, v.n);
	return true;
}

bool der_signature(struct span der, uint8_t raw[64])
{
	struct span sequence;

	return der_expect(&der, DER_SEQUENCE, &sequence) && der.n == 0 &&
	       scalar32(&sequence, raw) && scalar32(&sequence, raw + 32) && sequence.n == 0;
}
