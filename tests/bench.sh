#!/usr/bin/env bash
# Storm scenarios and speed benchmarks with parameters so small that each takes seconds: what they say has its keys and
# adds up, a storm's report is well-formed, and two can be compared. Usage: tests/bench.sh BUILD
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"

CPAU_BUILD=$(cd "$1" && pwd)
export CPAU_BUILD
TRIAL=$(mktemp -d)
trap 'rm -rf "$TRIAL"' EXIT
SMALL='"probe": {"ues": 4000, "in-flight": 256, "seconds": 0.5}, "patience": 2,
	"ramp": {"from": 0.7, "step": 1.8, "steps": 3, "seconds": 0.3, "pause": 0.1}'

# Nobody is refused because the machine does something else for a while.
PATIENT='"cpau": {"timers": {"queue-delay": "1s"}}'

# small NAME JSON: the scenario's own parameters with these instead.
small() {
	python3 - "$ROOT/bench/storm/$1.yaml" "{$SMALL, $2}" >"$TRIAL/$1.yaml" <<-'END'
	import json, sys, yaml
	with open(sys.argv[1]) as file:
	    parameters = yaml.safe_load(file)
	changes = json.loads(sys.argv[2])
	print(yaml.safe_dump({**parameters, **{k: v for k, v in changes.items() if k in parameters or k in ("rate", "capacity", "cpau")}}))
	END
}

# bench NAME [OPTION...]: runs it; its folder is TRIAL/NAME.
bench() {
	local name=$1
	shift
	"$ROOT/scripts/bench" "$name" --config "$TRIAL/$name.yaml" --out "$TRIAL/$name" --json "$@" \
		>"$TRIAL/out" 2>"$TRIAL/err" || { tail -n 20 "$TRIAL/err"; die "scripts/bench $name failed"; }
}

# expect NAME EXPRESSION: Python over r, what scripts/bench printed last; and the folder is whole.
expect() {
	python3 - "$TRIAL/out" "$TRIAL/$1" "$1" "$2" <<-'END' || { tail -n 20 "$TRIAL/err"; die "$1: not so: $2"; }
	import json, os, sys, xml.dom.minidom
	out, folder, name, expression = sys.argv[1:]
	with open(out) as file:
	    r = json.loads(file.read().splitlines()[-1])
	with open(os.path.join(folder, "result.json")) as file:
	    kept = json.load(file)
	assert {k: kept[k] for k in r} == r and kept["schema"] == 1 and kept["scenario"] == name
	assert all(kept[k] for k in ("date", "version", "backend", "host", "parameters", "runs"))
	assert all("storm" in run and "cpau" in run for run in kept["runs"])
	page = xml.dom.minidom.parse(os.path.join(folder, "report.html"))
	assert page.documentElement.tagName == "html"
	drawn = page.getElementsByTagName("svg")
	assert len(drawn) >= 6 and len(drawn) % 2 == 0, "plots, wide and narrow"
	assert not page.getElementsByTagName("script") and not page.getElementsByTagName("link")
	assert {"cpau.yaml", name + ".yaml"} <= set(os.listdir(folder))
	if not eval("(%s)" % expression):
	    print(r, file=sys.stderr)
	    sys.exit(1)
	END
}

small steady "$PATIENT,"'"rate": 500, "seconds": 1'
bench steady --rounds 2 --profile
expect steady 'r["attached"] == r["started"] == 500 and r["failed"] == 0 and r["goodput"] > 0 and r["p50_us"] > 0 and
	r["rounds"] == 2 and r["spread"]["p50_us"][0] <= r["p50_us"] <= r["spread"]["p50_us"][1]'
"$ROOT/bench/compare" "$TRIAL/steady" "$TRIAL/steady/result.json" >"$TRIAL/compared"
grep -q '^p50_us .* to ' "$TRIAL/compared" || die "compare: no spread"
"$ROOT/bench/compare" "$TRIAL/steady" "$TRIAL/steady" --json | python3 -c 'import json, sys
c = json.load(sys.stdin)
row = {f["figure"]: f for f in c["figures"]}["offered"]
assert c["scenario"] == "steady" and row["a"] == row["b"] == 500 and row["ratio"] == 1.0 and c["different"] == []' ||
	die "compare --json"

# A profile, or the reason why there is none.
[ -s "$TRIAL/steady/flame.svg" ] && [ -s "$TRIAL/steady/hot.txt" ] || grep -q 'no profile: ' "$TRIAL/err" ||
	die "--profile left nothing and said nothing"

small ramp '"seconds": 0.3'
bench ramp
expect ramp 'r["capacity"] > 100 and len(r["loads"]) >= 3 and max(l["goodput"] for l in r["loads"]) == r["capacity"]'

capacity=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["capacity"])' <"$TRIAL/ramp/result.json")
small overload "\"capacity\": $capacity,"'"loads": [0.8, 2, 3], "seconds": 0.3, "seconds-above-2": 0.3, "pause": 0.2,
	"idle": {"load": 0.1, "seconds": 0.5}, "after": {"pause": 0.1, "seconds": 1}'
bench overload
expect overload '0 < r["goodput_at_10x"] and r["p99_overload_ratio"] > 0 and "recovery_s" in r and
	r["capacity"] > 100 and [l["load"] for l in r["loads"]] == [0.8, 2, 3] and len(r["beside"]) == 4 and
	min(r["capacity_before"], r["capacity_behind"]) > 100'

small power-restore '"ues": 1000, "seconds": 0.5'
bench power-restore --plot
grep -q '#####' "$TRIAL/out" || die "power-restore --plot drew nothing"
expect power-restore 'r["ues"] == r["attached"] == 1000 and r["last_s"] > 0.4 and r["attempts"]["mean"] >= 1'

small hostile "$PATIENT,"'"rate": 500, "lead-in": 0.5, "seconds": 1, "strangers": 50'
bench hostile
expect hostile 'r["goodput_hostile"] > 0 and r["goodput_junk"] > 0 and r["honest_refused_hostile"] == 0 and
	r["hostile_sent"] > 300 and r["junk_sent"] > 1000 and [m["mode"] for m in r["modes"]] == ["clean", "hostile", "junk"]'

small churn "$PATIENT,"'"rate": 200, "seconds": 1, "cycles": 3'
bench churn
expect churn 'r["ues"] == 200 and r["attaches"] == 600 and r["detaches"] == 400 and r["failed"] == 0'

small reload "$PATIENT,"'"rate": 100, "seconds": 7, "reload-at": 2, "every": 2, "swaps": 2, "settle": 2, "entries": 20000, "revoked": 60'
bench reload
expect reload 'r["lost"] == 0 and r["revoked_attached_before"] == 30 and r["revoked_attached_after"] == 0 and
	r["revoked_refused_after"] == 30 and r["entries"] == 20000 and r["reload_s"] > 0 and
	len(r["swaps"]) == 2 and 0 < r["p99_ratio"] <= r["p99_ratio_worst"]'

small million '"ues": 3000, "in-flight": 256, "memory": 1024, "cpau": {"ue": {"max": 65536}, "timers": {"queue-delay": "1s"}}'
bench million
expect million 'r["attached_at_once"] == 3000 and r["failed"] == 0 and 100 < r["octets_per_ue"] < 5000 and
	r["resident_mb"] > 50'

small mixed "$PATIENT,"'"sessions": 200, "ues": 1500, "seconds": 0.3, "in-flight": 256'
bench mixed
expect mixed 'r["attach_share"] > 0 and r["gate_share"] > 0 and r["mpps"] > 0 and r["failed"] == 0 and
	r["attached"] == 1700 and r["hostile_sent"] > 0 and r["hostile_came_out"] == 0 and
	0 < r["dropped"] <= r["hostile_sent"] + 1000 and
	{"not-allowed", "spoofed-source", "uplink-fragment"} <= set(kept["runs"][-1]["cpau"]["gate"]) and
	sum(kept["runs"][-1]["storm"]["timeline"]["packets"]) > 0'

# speed NAME EXPRESSION OPTION...: one that leaves no folder. Python over r, what it printed last; same(a, b) for sums.
speed() {
	local name=$1 expression=$2
	shift 2
	"$ROOT/scripts/bench" "$name" "$@" --json >"$TRIAL/out" 2>"$TRIAL/err" ||
		{ tail -n 20 "$TRIAL/err"; die "scripts/bench $name failed"; }
	tail -n 1 "$TRIAL/out" | python3 -c 'import json, sys
r = json.load(sys.stdin)
same = lambda a, b: abs(a - b) <= 1e-3 * max(abs(a), abs(b))
sys.exit(0 if eval("(%s)" % sys.argv[1]) else "%s: %s" % (sys.argv[1], r))' "$expression" || die "$name: not so"
}

speed gate 'r["sessions"] == 200 and
	all(r[k % n] > 0 for k in ("mpps_%d", "testpmd_mpps_%d", "ratio_%d") for n in (128, 1000))' \
	--rounds 1 --seconds 0.2 --sessions 200

speed attach 'r["backend"] in ("ifma", "openssl") and set(r["other_us"]) == {"worker", "control", "crypto_stage"} and
	same(sum(r["other_us"].values()), r["other_us_per_attach"]) and r["public_key_us_per_attach"] > 0 and
	same(r["efficiency"] * r["bound_per_second"], r["attaches_per_second"]) and
	same(r["efficiency_of_busy_core"] * r["bound_per_second"], r["attaches_per_busy_second"]) and
	same(1e6 / (r["other_us_per_attach"] + r["public_key_us_per_attach"]), r["attaches_per_busy_second"]) and
	r["spread"] == 2 * [r["attaches_per_second"]] and all(v > 0 for v in r["raw_us"].values()) and
	set(r["per_attach"]) == {"datagrams_received", "octets_received", "datagrams_sent"} and
	r["generator_was_bottleneck"] in (True, False)' --ues 2000 --rounds 1

# What is listed and the rest are what was measured, stage by stage and as a whole.
speed cost 'r["backend"] in ("ifma", "openssl") and r["attaches_per_second"] > 0 and 0 <= r["others_share"] < 1 and
	set(r["listed_us"]) == set(r["rest_us"]) == set(r["measured_us"]) == {"worker", "crypto", "public-key", "control"} and
	all(same(r["listed_us"][s] + r["rest_us"][s], r["measured_us"][s]) and r["measured_us"][s] > 0 and
		same(sum(p["us"] for p in r["parts"] if p["stage"] == s), r["listed_us"][s]) for s in r["listed_us"]) and
	all(same(p["times"] * p["ns"] / 1000, p["us"]) and p["hot_ns"] > 0 and p["name"] for p in r["parts"]) and
	same(sum(r["measured_us"].values()), r["total_us"]) and same(1e6 / r["total_us"], r["attaches_per_busy_second"]) and
	same((1 - r["rest_share"]) * r["total_us"], sum(r["listed_us"].values())) and
	r["per_attach"]["octets_sent"] > 1000 and r["per_attach"]["frames_in_capture"] > 0' \
	--ues 2000 --rounds 1 --micro-rounds 1

speed p256 'r["batch"] == 16 and r["backend"] in ("ifma", "openssl") and r["reason"] and
	set(r["us"]) == set(r["openssl_us"]) == set(r["ratio"]) == set(r["ratio_spread_10_90"]) ==
		{"verify", "verify_first", "verify_precomputed", "verify_second", "ecdh", "sign", "keygen"} and
	all(same(r["ratio"][k] * r["us"][k], r["openssl_us"][k]) and r["us"][k] > 0 and
		r["ratio_spread_10_90"][k] == 2 * [r["ratio"][k]] for k in r["us"])' --rounds 1 --batch 16

# The flame graph's own test: two stacks.
echo 'cpau 1
	    1f lower+0x12
	    2f upper

cpau 1
	    2f upper
' | "$ROOT/bench/storm/flame.py" | python3 -c 'import sys, xml.dom.minidom
titles = [t.firstChild.data for t in xml.dom.minidom.parseString(sys.stdin.buffer.read()).getElementsByTagName("title")]
assert any(t.startswith("upper") and "100.00%" in t and "2 samples" in t for t in titles), titles
assert any(t.startswith("lower") and "50.00%" in t for t in titles), titles' || die "flame.py"
echo "ok: the storm scenarios and the speed benchmarks"
