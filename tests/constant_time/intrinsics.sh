#!/usr/bin/env bash
# intrinsics.sh ROOT: does constant-time --self-test try every AVX-512 intrinsic that lib/p256 uses on
# secrets? One that it does not try could lose what depends on a secret (tests/constant_time/shadow.h):
# add it to INTRINSICS in leaks.c and, if --self-test then says that shadow is lost, to shadow.h.
set -euo pipefail
cd "$1"

shopt -s extglob
tried=$(sed -n '/^#define INTRINSICS/,/^$/p' tests/constant_time/leaks.c)
status=0
# Verification sees nothing secret; loads, stores and prefetches compute nothing.
for intrinsic in $(grep -ohE '\b_mm[0-9]*_[a-z0-9_]+' lib/p256/!(p256_verify).[ch] | sort -u |
		   grep -vE '^_mm(512)?_(loadu?_si512|storeu?_si512|prefetch)$'); do
	grep -qw -- "$intrinsic" <<<"$tried" || { echo "intrinsics.sh: not tried: $intrinsic"; status=1; }
done
exit $status
