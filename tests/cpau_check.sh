#!/usr/bin/env bash
# cpau --check with the delivered configurations: what the machine lacks may fail, nothing else.
# Usage: cpau_check.sh PATH/TO/cpau PATH/TO/cpau-pki apps/cpau/conf
set -euo pipefail

cpau=$(readlink -f "$1") pki=$(readlink -f "$2") conf=$(readlink -f "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; [ ! -s out ] || cat out >&2; exit 1; }
# check FILE [code]: leaves the findings in out.
check() {
	local code=0
	"$cpau" --config "$1" --check >out 2>&1 || code=$?
	[ "$code" = "${2:-0}" ] || fail "$1: code $code, not ${2:-0}"
}

cd "$work"
cp "$conf"/*.yaml .
umask 077
mkdir keys
for key in an keys/site-north keys/site-south keys/site-six; do openssl rand -hex 32 >$key.key; done
"$pki" init --dir credentials >/dev/null

# quickstart.yaml needs nothing that a machine could lack.
check quickstart.yaml 0
grep -q 'OK .*Cert_AU.*expires .* days' out || fail "no expiry of Cert_AU"
"$cpau" --config quickstart.yaml --check --json | tail -n 1 |
	python3 -c 'import json, sys; d = json.load(sys.stdin); sys.exit(d["fail"] != 0 or d["ok"] + d["warn"] != len(d["findings"]))' ||
	fail "--json is not one object that adds up"

# The others may lack an interface, a NIC, hugepages, CPUs or an IOMMU.
for file in one-core two-core server-2x16 user-plane; do
	"$cpau" --config $file.yaml --check >out 2>&1 || [ $? = 1 ] || fail "$file was not accepted"
	grep -E '^FAIL +(config|credentials)' out && fail "$file: more fails than the machine lacks"
	# Each finding that is not OK says what to do.
	[ "$(grep -cE '^(WARN|FAIL)' out)" = "$(grep -c -- '-> ' out)" ] || fail "$file: no remedy"
done

# One more crypto stage has two rings more, of 8 octets a job each.
mib_of_jobs() {
	{ cat quickstart.yaml; echo 'ue: {jobs: 1048575}'; } | sed "s/^  - {lcore: 0.*/&$1/" >rings.yaml
	{ "$cpau" --config rings.yaml --check || true; } | sed -n 's/.*estimate.* jobs \([0-9]*\),.*/\1/p'
}
two=$(mib_of_jobs '\n  - {lcore: 1, stages: [crypto]}') one=$(mib_of_jobs '')
[ $((two - one)) = 16 ] || fail "a crypto stage's rings are $((two - one)) MiB, not 16"

# What one UE takes, half-open and attached, is the sum of its parts; the session's row is a gate's.
for file in quickstart user-plane; do
	"$cpau" --config $file.yaml --check >out 2>&1 || true
	python3 - out $file <<-'END' || fail "$file: octets of a UE"
		import re, sys
		text = open(sys.argv[1]).read()
		half, context, multiples = map(int, re.search(
		    r"a half-open UE takes (\d+) octets \(context (\d+), multiples of its key (\d+)\)", text).groups())
		attached, same, session = map(int, re.search(
		    r"an attached one (\d+) \(context (\d+), session (\d+)\)", text).groups())
		assert half == context + multiples and attached == same + session and context == same > 300
		assert multiples > 2048 and (session > 150 if sys.argv[2] == "user-plane" else session == 0)
		assert "UE contexts" in text and "(%d octets each)" % context in text
	END
done
sed '$a ue: {key-multiples: 0}' quickstart.yaml >none.yaml
check none.yaml 0
grep -q 'multiples of its key 0)' out || fail "multiples without room for them"

# Each of these must be found.
sed 's/"1024"/"64"/' quickstart.yaml >small.yaml
check small.yaml 1
grep -q 'FAIL *memory.*64 MiB' out || fail "too little memory was not found"
sed 's/net_memif0/net_mempif0/' quickstart.yaml >driver.yaml
check driver.yaml 1
grep -q 'FAIL *ports.*no driver' out || fail "an unknown driver was not found"
sed 's/lcore: 0/lcore: 127/' quickstart.yaml >cpu.yaml
check cpu.yaml 1
grep -q 'FAIL *cpus.*127' out || fail "a missing CPU was not found"
sed 's/--no-huge/"--lcores=0@x", --no-huge/' quickstart.yaml >map.yaml
check map.yaml 1
grep -q 'FAIL *cpus.*leaves out lcore 0' out || fail "an lcore without a CPU was not found"
chmod 644 an.key
check quickstart.yaml 0
grep -A1 'WARN .*an.key' out | grep -q 'chmod 600' || fail "a readable key was not found"
chmod 600 an.key
rm credentials/au/*.key
check quickstart.yaml 1
grep -q 'FAIL *credentials' out || fail "missing keys were not found"

# A mistake in the file: its line, and code 2.
echo 'udp_port: 1' >>quickstart.yaml
check quickstart.yaml 2
grep -q "quickstart.yaml:$(wc -l <quickstart.yaml): unknown key 'udp_port'" out || fail "no line"
echo "cpau --check: all passed"
