#!/usr/bin/env bash
# host-setup on an imitation of /sys: apply changes what it says and records it, a dry run changes
# nothing, undo restores. Usage: host_setup.sh PATH/TO/host-setup
set -euo pipefail

tool=$(readlink -f "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
expect() { [ "$(cat "$1")" = "$2" ] || fail "$1 is $(cat "$1"), not $2"; }

export CPAU_SYSFS=$work/sys CPAU_STATE=$work/state CPAU_HUGETLBFS=$work/hugepages
pages=$work/sys/devices/system/node/node0/hugepages/hugepages-2048kB
governor=$work/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
mkdir -p "$pages" "$(dirname "$governor")" "$work/sys/bus/pci/devices" "$work/sys/class/iommu"
echo 3 >"$pages/nr_hugepages"
echo 3 >"$pages/free_hugepages"
echo powersave >"$governor"
echo 0-3 >"$work/sys/devices/system/cpu/online"

# check finds fault, and changes nothing
"$tool" check >"$work/out" && fail "check found nothing missing"
grep -q 'WARN.*governor' "$work/out" || fail "check is silent on the governor"
grep -q 'isolcpus=1-3' "$work/out" || fail "check does not say what to isolate"
[ ! -e "$CPAU_STATE" ] || fail "check recorded something"

# a dry run says what it would do, and changes nothing
"$tool" apply --dry-run --hugepages 8 >"$work/out" || true
grep -q "would write: 8 > $pages/nr_hugepages" "$work/out" || fail "the dry run is silent on hugepages"
expect "$pages/nr_hugepages" 3
expect "$governor" powersave
[ ! -e "$CPAU_STATE" ] || fail "the dry run recorded something"

# wrong options are refused with code 2
for wrong in "--hugepages x" "--page-size 3M" "--nic eth0" "--user no-such-user" "--bogus"; do
	code=0
	# shellcheck disable=SC2086
	"$tool" apply --dry-run $wrong >/dev/null 2>&1 || code=$?
	[ $code = 2 ] || fail "apply $wrong: code $code"
done

[ "$(id -u)" = 0 ] || { echo "SKIPPED: apply and undo need root"; exit 0; }

# Stands in for what only a real host can do.
mkdir "$work/bin"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/mount"
chmod +x "$work/bin/mount"
export PATH=$work/bin:$PATH

# apply, twice: the second must not record the first one's values as the original ones
"$tool" apply --hugepages 8 >/dev/null || true
expect "$pages/nr_hugepages" 8
expect "$governor" performance
[ ! -e "$CPAU_HUGETLBFS" ] || fail "a mount that failed left its directory"
"$tool" apply --hugepages 16 >/dev/null || true
expect "$pages/nr_hugepages" 16
"$tool" undo --dry-run >"$work/out"
grep -q "would write: 3 > $pages/nr_hugepages" "$work/out" || fail "undo --dry-run is silent"
expect "$pages/nr_hugepages" 16
"$tool" undo >/dev/null
expect "$pages/nr_hugepages" 3
expect "$governor" powersave
[ ! -e "$CPAU_STATE" ] || fail "undo left its record"
"$tool" undo | grep -q 'nothing to undo' || fail "a second undo is not told apart"
echo "host-setup: all passed"
