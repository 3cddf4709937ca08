/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The only file of this module that is compiled without AVX-512: may the others be entered?
 */
#include "p256/p256.h"

bool p256_available(void)
{
	/* The compiler's run-time also asks the operating system whether it saves the registers. */
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("bmi2");
}
