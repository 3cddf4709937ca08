/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Inversion, modulo p and modulo n: fixed chains of squarings and multiplications.
 */
#include "p256/p256_scalar.h"

const uint64_t p256_n[5] = {0x9cac2fc632551, 0xada7179e84f3b, 0xfffffffbce6fa, 0x0000fffffffff,
			    0x0ffffffff0000};
const uint64_t p256_n_one[5] = {0x353d039cdaaf0, 0x258e8617b0c46, 0x0000004319055, 0xfff0000000000,
				0x00000000fffff};
const uint64_t p256_n_r_squared[5] = {0x5cc0dea6dc3ba, 0x192a067d8a084, 0xbec59615571bb,
				      0x1fc245b2392b6, 0x0e12d9559d956};
const uint64_t p256_n_shift_256[5] = {0xf6c1c86aa7ab0, 0xc7cdf4402064a, 0x5e93f2616fa57,
				      0x64d543b9246ba, 0x03a54e7b407be};

/* p - 2 = ffffffff 00000001 00000000 00000000 00000000 ffffffff ffffffff fffffffd */
struct p256_fe p256_fe_invert(struct p256_fe a)
{
	struct p256_fe x2 = p256_fe_mul(p256_fe_sqr(a), a);	       /* 2^2 - 1 */
	struct p256_fe x4 = p256_fe_mul(p256_fe_sqr_n(x2, 2), x2);     /* 2^4 - 1 */
	struct p256_fe x8 = p256_fe_mul(p256_fe_sqr_n(x4, 4), x4);     /* 2^8 - 1 */
	struct p256_fe x16 = p256_fe_mul(p256_fe_sqr_n(x8, 8), x8);    /* 2^16 - 1 */
	struct p256_fe x32 = p256_fe_mul(p256_fe_sqr_n(x16, 16), x16); /* 2^32 - 1 */
	struct p256_fe x30 = p256_fe_mul(
		p256_fe_sqr_n(
			p256_fe_mul(p256_fe_sqr_n(p256_fe_mul(p256_fe_sqr_n(x16, 8), x8), 4), x4),
			2),
		x2);
	struct p256_fe t = p256_fe_mul(p256_fe_sqr_n(x32, 32), a);

	t = p256_fe_mul(p256_fe_sqr_n(t, 128), x32);
	t = p256_fe_mul(p256_fe_sqr_n(t, 32), x32);
	t = p256_fe_mul(p256_fe_sqr_n(t, 30), x30);
	return p256_fe_mul(p256_fe_sqr_n(t, 2), a);
}

static struct p256_fe scalar_sqr_n(struct p256_fe a, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		a = p256_scalar_mul(a, a);
	return a;
}

/* n - 2 = ffffffff 00000000 ffffffff ffffffff bce6faada7179e84f3b9cac2fc63254f; the low half goes
 * by windows of four bits. */
struct p256_fe p256_scalar_invert(struct p256_fe a)
{
	static const uint8_t low_half[32] = {0xb, 0xc, 0xe, 0x6, 0xf, 0xa, 0xa, 0xd, 0xa, 0x7, 0x1,
					     0x7, 0x9, 0xe, 0x8, 0x4, 0xf, 0x3, 0xb, 0x9, 0xc, 0xa,
					     0xc, 0x2, 0xf, 0xc, 0x6, 0x3, 0x2, 0x5, 0x4, 0xf};
	struct p256_fe power[16];

	power[1] = a;
	for (int i = 2; i < 16; i++)
		power[i] = p256_scalar_mul(power[i / 2], power[i - i / 2]);
	struct p256_fe x8 = p256_scalar_mul(scalar_sqr_n(power[15], 4), power[15]);
	struct p256_fe x16 = p256_scalar_mul(scalar_sqr_n(x8, 8), x8);
	struct p256_fe x32 = p256_scalar_mul(scalar_sqr_n(x16, 16), x16);
	struct p256_fe t = p256_scalar_mul(scalar_sqr_n(x32, 64), x32);

	t = p256_scalar_mul(scalar_sqr_n(t, 32), x32);
	for (int i = 0; i < 32; i++)
		t = p256_scalar_mul(scalar_sqr_n(t, 4), power[low_half[i]]);
	wipe(power, sizeof(power));
	return t;
}
