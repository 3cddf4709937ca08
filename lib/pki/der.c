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
	/* RFC 5280: GeneralizedTime is for 2050 and later, and for years before 1950. */
	if (tag == DER_GENERALIZED_TIME && year >= 1950 && year < 2050)
		return false;
	*seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
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

	return der_expect(&der, DER_SEQUENCE, &sequence) && der.n == 0 && scalar32(&sequence, raw) &&
	       scalar32(&sequence, raw + 32) && sequence.n == 0;
}
