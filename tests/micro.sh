#!/usr/bin/env bash
# The benchmarks' parts that need no load: bench-micro runs what an attach needs, and the model says what
# is full first. Usage: tests/micro.sh BUILD
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"

BUILD=$(cd "$1" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# micro ONLY EXPRESSION: Python over what it printed: its cases, their names, and, by their names but for the last
# part, the sizes of their batches; sizes has all that there are to be.
micro() {
	"$BUILD/bench/micro/bench-micro" --only "$1" --rounds 1 --json >"$WORK/micro.json"
	python3 -c 'import json, sys
cases = json.loads(open(sys.argv[1]).read().splitlines()[-1])["cases"]
names = [c["name"] for c in cases]
batches, sizes = {}, {1, 2, 4, 8, 16, 32, 64}
for c in cases:
    batches.setdefault(c["name"].rpartition(", ")[0], set()).add(c["batch"])
sys.exit(0 if eval("(%s)" % sys.argv[2]) else "not so: " + sys.argv[2])' "$WORK/micro.json" "$2" || die "bench-micro --only $1"
}

# model EXPRESSION OPTION...: Python over r, the prediction from a sheet of round figures.
model() {
	local expression=$1
	shift
	"$ROOT/bench/model/run" --sheet "$WORK/sheet.json" --json "$@" >"$WORK/model.json"
	python3 -c 'import json, sys
r = json.loads(open(sys.argv[1]).read())
sys.exit(0 if eval(sys.argv[2]) else "not so: %s: %s" % (sys.argv[2], r))' "$WORK/model.json" "$expression" || die "bench model $*"
}

micro wire 'len(cases) == len(set(names)) > 20 and all(c["hot"]["ns"] > 0 and c["hot"]["cycles"] > 0 for c in cases) and
	{"ATTACH REQUEST, decoded", "DL NAS TRANSPORT, encoded"} <= set(names)'
micro attach '{c["stage"] for c in cases} == {"worker", "crypto", "public-key", "control"} and
	{c["group"] for c in cases} == {"wire", "pki", "sec", "net", "port", "tables", "crypto"} and
	all(c["per_attach"] > 0 and c["ns_in_attach"] >= 0 for c in cases)'
micro gate 'batches == {v + " packet, to the " + w: sizes
	for v in ("IPv4", "IPv6") for w in ("data network", "access node")}'
micro stages 'batches == {t: sizes for t in ("worker: ATTACH REQUEST", "worker: AUTHENTICATION RESPONSE",
	"worker: SECURITY MODE COMPLETE", "crypto: step 2", "crypto: step 6", "crypto: step 2, OpenSSL",
	"crypto: step 6, OpenSSL", "control: result of step 2", "control: result of step 6",
	"control: SECURITY MODE COMPLETE", "control: CONTEXT SETUP RESPONSE")} and
	all(c["hot"]["ns"] > 0 and c["hot"]["cycles"] > 0 and "stage" not in c for c in cases)'
micro sec 'all(batches[t] == sizes for t in ("key schedule", "fingerprint of Cert_eUICC", "ATTACH ACCEPT, protected",
	"ATTACH COMPLETE, unprotected"))'
micro SHA-256 'len(batches) == 4 and all(b == sizes for b in batches.values())'
micro crypto 'all(batches[t] == sizes | {128} for t in ("key pair", "sign", "ECDH", "verify, unknown key"))'
micro tables '{1, 64} <= {c["batch"] for c in cases}'
HELP=$("$BUILD/bench/micro/bench-micro" --help)
for group in wire pki sec net port gate stages tables crypto; do
	grep -q "[( ]${group}[,)]" <<<"$HELP" || die "bench-micro --help lacks $group"
done
if "$BUILD/bench/micro/bench-micro" --only nothing --rounds 1 >/dev/null 2>&1; then
	die "bench-micro runs what it does not have"
fi

# An attach of 2 + 20 + 8 us, 2,000 octets and 4 packets each way; 1 us of it memory.
tr '\n' ' ' >"$WORK/sheet.json" <<'END'
{"backend": "none", "measured_us": {"worker": 2, "crypto": 1, "public-key": 19, "control": 8}, "rest_us": {"all": 1},
 "parts": [], "per_attach": {"octets_received": 2000, "datagrams_received": 4, "octets_sent": 1900, "datagrams_sent": 4}}
END
model 'r["first_full"] == "cores" and round(r["attaches_per_second"]) == 33333' --cores 1
model 'r["first_full"] == "cores" and round(r["attaches_per_second"]) == 333333' --cores 10
model 'r["first_full"] == "control stages" and round(r["attaches_per_second"]) == 2000000' --cores 100
model 'r["first_full"] == "NIC octets" and round(r["attaches_per_second"]) == round(1e9 / 8 / 2096)' --cores 10 --nic-gbps 1
model 'r["first_full"] == "NIC packets" and round(r["attaches_per_second"]) == 250000' --cores 10 --nic-mpps 1
model 'r["attaches_per_second_all_crossing"] == 1e6 * 10 / 30.5' --cores 10 --sockets 2
model 'r["one_stage_a_core"]["crypto"] == 2' --cores 4
say "bench-micro and the model: good"
