#!/usr/bin/env bash
# End to end: cpau and cpau-storm as two processes. Usage: tests/e2e.sh BUILD [SCENARIO...]
# Without scenarios all run. A line a scenario; the first failure ends it with the logs.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"

BUILD=$(cd "$1" && pwd)
shift
DATA=${CPAU_TESTDATA:-$ROOT/../shared/data}
PKI=$BUILD/apps/cpau-pki/cpau-pki
WORK=$(mktemp -d)
trap 'stop_cpau; ip netns del "cpau-$$" 2>/dev/null || true; rm -rf "$WORK"' EXIT
pick_cpus
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} # DPDK keeps what it allocates

pki() { "$PKI" "$@" >>"$WORK/pki.log" 2>&1 || { tail -n 5 "$WORK/pki.log" >&2; die "cpau-pki $1 failed"; }; }

# run FLEET [ARGUMENT...]: one cpau, one storm; sets REPORT (JSON) and SUMMARY (cpau's own JSON).
run() {
	STATUS=0
	start_cpau --json

	if [ -n "${during:-}" ]; then ( sleep 1; "$during" ) & fi
	storm "$@" --json >"$WORK/report" || STATUS=$?
	stop_cpau
	REPORT=$(tail -n 1 "$WORK/report")
	SUMMARY=$(tail -n 1 "$WORK/cpau.out")
	[ "$STATUS" -le 1 ] || { cat "$WORK/storm.log" "$WORK/cpau.log" >&2; die "the storm did not run"; }
	if grep -q 'ERROR: AddressSanitizer\|runtime error' "$WORK/cpau.log" "$WORK/storm.log"; then
		cat "$WORK/cpau.log" "$WORK/storm.log" >&2
		die "a sanitizer found something"
	fi
}

# expect EXPRESSION [STATEMENT]: Python over r (report) and s (summary).
expect() {
	python3 - "$1" "$REPORT" "$SUMMARY" "${2:-}" <<-'END' || { tail -n 5 "$WORK/cpau.log" >&2; die "$NAME: not so: $1"; }
	import json, sys
	r, s = json.loads(sys.argv[2]), json.loads(sys.argv[3])
	causes, events = s["causes"], s["events"]
	exec(sys.argv[4])
	sys.exit(0 if eval(sys.argv[1]) else (print(r, s, file=sys.stderr) or 1))
	END
}

# config [YAML-LINE...]: of one cpau. Nobody is refused because the machine does something else for a while: a scenario
# that is about refusal names its queue-delay.
config() {
	local timers='timers: {queue-delay: 1s}' line
	memif_config "$WORK/credentials"
	for line in "$@"; do
		case $line in
		*queue-delay*) timers= ;;
		'timers: {'*) line="timers: {queue-delay: 1s, ${line#*\{}" timers= ;;
		esac
		echo "$line" >>"$WORK/cpau.yaml"
	done
	echo "$timers" >>"$WORK/cpau.yaml"
}

# hostile_fleet COUNT: devices of an EUM and a CI that cpau does not know.
hostile_fleet() {
	rm -rf "$WORK/hostile"
	pki init --dir "$WORK/hostile"
	pki fleet --dir "$WORK/hostile" --count "$1" --out "$WORK/hostile.fleet"
}

fresh_credentials() {
	rm -rf "$WORK/credentials"
	pki init --dir "$WORK/credentials" --curve both
}

# ---------------------------------------------------------------- scenarios

honest_ues_attach() {
	config
	run "$WORK/p256.fleet" --ues 400 --an 16
	expect 'r["attached"] == 400 and r["failed"] == 0 and r["kgnb_mismatches"] == 0'
	expect 'events["attached"] == 400 and not causes'
}

brainpool_ues_attach() {
	config
	run "$WORK/brainpool.fleet" --ues 40
	expect 'r["attached"] == 40 and r["failed"] == 0'
}

every_algorithm_is_spoken() {
	config
	for n in 1 2 3; do
		run "$WORK/p256.fleet" --ues 20 --nia "$n" --nea "$n"
		expect 'r["attached"] == 20'
	done
	run "$WORK/p256.fleet" --ues 20 --nia 2 --nea 0
	expect 'r["attached"] == 20'
}

every_fault_meets_its_cause() {
	local faults causes
	faults=$("$BUILD/apps/cpau-storm/cpau-storm" --fault help | awk '{printf "%s%s=2.5%%", n++ ? "," : "", $1}')
	# {fault: cause} of those that are answered
	causes=$("$BUILD/apps/cpau-storm/cpau-storm" --fault help | sed -n 's/^\([^ ]*\) .*-> \([^ ]*\)$/"\1": "\2",/p')
	config 'timers: {t3560: 1s, t3560-retries: 1}'
	hostile_fleet 700
	run "$WORK/p256.fleet" --ues 700 --patience 8 --t3510 2 --tries 2 --in-flight 700 --fault "$faults" \
		--hostile-fleet "$WORK/hostile.fleet"
	expect 'r["faults"]["sent"] > 300 and r["faults"]["sent"] == r["faults"]["as_expected"]'
	expect 'r["failed"] == 0 and r["attached"] + r["faults"]["sent"] == 700'
	# each answer was given once for each fault, and nothing was left behind for the shutdown to refuse
	expect 'all(causes[c] == sum(n for f, n in r["faults"]["by_name"].items() if cause_of.get(f) == c) for c in set(cause_of.values()))' \
		"cause_of = {$causes}"
	expect '"shutting-down" not in causes and events["attached"] == r["attached"] + sum(r["faults"]["by_name"][f] for f in r["faults"]["by_name"] if f not in cause_of and f not in ("message-unknown", "bad-header", "out-of-order", "half-open"))' \
		"cause_of = {$causes}"
	# each has its own counter
	expect 'all(causes.get(c, 0) > 0 for c in ("ie-truncated ie-too-short ie-too-long ie-duplicated ie-unknown ie-missing ie-bad-value message-unknown bad-header record-unknown out-of-order replayed-request replayed-response rand-mismatch nas-mac nas-replayed nas-unprotected cert-malformed cert-changed signature-ue1 signature-ue2 signature-cert-euicc pk-ue no-common-algorithm network-refused smc-rejected timeout").split())'
}

# Strangers whose EUM and CI nobody has seen cost step 5, and honest UEs nothing.
strangers_are_refused_in_step_5() {
	config
	hostile_fleet 100
	run "$WORK/p256.fleet" --ues 800 --an 16 --rate 2000 --fault stranger=50% --hostile-fleet "$WORK/hostile.fleet"
	expect 'r["failed"] == 0 and r["attached"] + r["faults"]["sent"] == 800 and r["faults"]["sent"] > 300'
	expect 'r["faults"]["as_expected"] == r["faults"]["sent"] == r["faults"]["by_name"]["stranger"]'
	expect 'causes == {"cert-unknown-ci": r["faults"]["sent"]} and events.get("eums-learned", 0) == 0'
}

# Each kind is dropped and counted where it is first seen, and no attach is lost.
junk_is_counted_and_harms_nobody() {
	local counts
	# All that reached cpau: while the machine does other things the link may drop some.
	counts='unknown = s["net"].get("unknown-source", 0); malformed = causes.get("datagram-malformed", 0)
assert unknown == causes.get("an-unknown", 0)'
	config
	run "$WORK/p256.fleet" --ues 1000 --an 16 --rate 1000 --junk 2000
	expect 'r["attached"] == 1000 and r["failed"] == 0 and r["junk"]["sent"] > 1900'
	expect 'all(0.35 * r["junk"]["sent"] < n <= 0.51 * r["junk"]["sent"] for n in (unknown, malformed))' "$counts"
	run "$WORK/p256.fleet" --ues 500 --an 16 --rate 1000 --junk 2000:unknown-an
	expect 'r["attached"] == 500 and 0.7 * r["junk"]["sent"] < unknown <= r["junk"]["sent"] and malformed == 0' "$counts"
	run "$WORK/p256.fleet" --ues 500 --an 16 --rate 1000 --junk 2000:malformed
	expect 'r["attached"] == 500 and 0.7 * r["junk"]["sent"] < malformed <= r["junk"]["sent"] and unknown == 0' "$counts"
}

ues_detach_and_attach_again() {
	config 'ue: {max: 1024}'
	run "$WORK/p256.fleet" --ues 300 --an 16 --cycles 5 --in-flight 100
	expect 'r["attached"] == 300 and r["cycles"] == {"attaches": 1500, "detaches": 1200} and r["failed"] == 0'
	# cpau released whom it was to release, and was not asked twice
	expect 'events["attached"] == 1500 and events["released"] == 1200 and set(causes) == {"released"}'
	config 'timers: {t3560: 300ms, t3560-retries: 10, t3550: 300ms, t3550-retries: 10, tan: 300ms, tan-retries: 10}'
	run "$WORK/p256.fleet" --ues 100 --in-flight 100 --cycles 3 --t3510 0.5 --tries 6 --loss 3 --duplicate 3 --reorder 3
	expect 'r["attached"] == 100 and r["cycles"] == {"attaches": 300, "detaches": 200}'
}

# What phases and timeline say adds up to what the whole says.
phases_and_timeline_add_up() {
	config
	run "$WORK/p256.fleet" --an 16 --phase 200:1:calm --phase 2000:0.2:storm --phase 0:0.5 --phase 100:0.5:after \
		--timeline 50 --prepare --fault bad-sig1=5%
	expect '[(p["name"], p["rate"], p["seconds"]) for p in r["phases"]] == [("calm", 200, 1), ("storm", 2000, 0.2), ("3", 0, 0.5), ("after", 100, 0.5)]'
	expect 'r["started"] == 650 and r["faults"]["sent"] == r["faults"]["as_expected"] > 5 and r["failed"] == 0'
	expect 'sum(p["started"] for p in r["phases"]) == r["attached"] == 650 - r["faults"]["sent"] and all(p["started"] == p["attached"] + p["failed"] for p in r["phases"])'
	expect 'r["phases"][2]["started"] == 0 and r["phases"][0]["goodput"] > 150'
	expect 'r["attached"] * 0.9 < sum(p["goodput"] * p["seconds"] for p in r["phases"]) <= r["attached"] + 0.01'
	expect 'all(sum(t[k]) == r[v] for k, v in (("attached", "attached"), ("failed", "failed"), ("refused", "refused_with_back_off"), ("shed_by_an", "shed_by_an")))' \
		't = r["timeline"]'
	expect 'sum(t["started"]) == r["attached"] and t["interval_s"] == 0.05 and t["in_flight"][-1] == 0 and "truncated" not in t' \
		't = r["timeline"]'
	expect 'len({len(t[k]) for k in t if k != "interval_s"}) == 1 and len(t["p50_us"]) >= 44 and sum(t["started"][26:30]) == 0' \
		't = r["timeline"]'
	# With OpenSSL, which cannot serve that many, UEs come back; what they wait is not what the accepted attempt takes.
	config 'crypto: {backend: openssl}' 'timers: {back-off: 4s, queue-delay: 20ms}'
	pki fleet --dir "$WORK/credentials" --count 4000 --out "$WORK/p256b.fleet"
	run "$WORK/p256b.fleet" --an 16 --phase 20000:0.2 --retry --an-wait 1 --timeline 100
	expect 'r["phases"][0]["attached"] == 4000 == r["attached"] and r["refused_with_back_off"] > 0 and r["phases"][0]["p99_accepted_us"] < r["phases"][0]["p99_us"]'
	expect 'r["phases"][0]["refused"] == r["refused_with_back_off"] and r["phases"][0]["shed_by_an"] == r["shed_by_an"]'
}

loss_duplication_and_reordering_are_repaired() {
	config 'timers: {t3560: 300ms, t3560-retries: 10, t3550: 300ms, t3550-retries: 10, tan: 300ms, tan-retries: 10}'
	run "$WORK/p256.fleet" --ues 500 --t3510 0.5 --tries 20 --loss 5 --duplicate 5 --reorder 5
	expect 'r["attached"] == 500 and r["failed"] == 0 and events["retransmissions"] > 0'
}

an_unknown_eum_is_verified_and_learned() {
	fresh_credentials
	pki eum --dir "$WORK/credentials" --name other --prefix 89044045
	pki fleet --dir "$WORK/credentials" --eum other --count 200 --out "$WORK/other.fleet"
	rm "$WORK/credentials/eum/other-p256.crt"
	config
	run "$WORK/other.fleet" --rate 100
	expect 'r["attached"] == 200 and events["eums-learned"] >= 1'
	# strangers cost one check more until the EUM is known, and none after
	expect 'events["verifies"] < 200 * 4'
}

a_subca_tier_is_accepted() {
	fresh_credentials
	pki eum --dir "$WORK/credentials" --name tiers --variant a
	pki fleet --dir "$WORK/credentials" --eum tiers --count 20 --out "$WORK/tiers.fleet"
	config
	run "$WORK/tiers.fleet"
	expect 'r["attached"] == 20'
	rm "$WORK"/credentials/eum/tiers-*
	run "$WORK/tiers.fleet" --in-flight 1
	expect 'r["attached"] == 20 and events["eums-learned"] >= 1'
}

# refused CAUSE FLEET: every device of it, with this cause, and nothing left behind.
refused() {
	run "$2" --ues 5
	expect "r['attached'] == 0 and r['failed_by_cause'] == {'$1': 5} and causes['$1'] == 5"
}

certificates_that_break_a_rule_are_refused() {
	fresh_credentials
	config
	for pair in expired:cert-expired not-yet-valid:cert-not-yet-valid policy:cert-policy usage:cert-usage \
		critical:cert-unsupported signature:signature-cert-euicc eid:cert-eid eid-check:cert-eid-check \
		key:cert-key; do
		pki fleet --dir "$WORK/credentials" --count 5 --fault "${pair%:*}" --out "$WORK/bad.fleet"
		refused "${pair#*:}" "$WORK/bad.fleet"
	done
	pki fleet --dir "$WORK/credentials" --count 5 --prefix 89999999 --out "$WORK/bad.fleet"
	refused cert-name-constraint "$WORK/bad.fleet"
}

denied_and_revoked_are_refused() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 5 --out "$WORK/denied.fleet"
	echo '8904903200*' >"$WORK/credentials/deny.txt"
	config
	refused cert-eid-denied "$WORK/denied.fleet"
	rm "$WORK/credentials/deny.txt"
	pki eum --dir "$WORK/credentials" --name bad --prefix 89044046
	pki fleet --dir "$WORK/credentials" --eum bad --count 5 --out "$WORK/revoked.fleet"
	pki crl --issuer "$WORK/credentials/ci/ci-p256.crt" --key "$WORK/credentials/private/ci-p256.key" \
		--revoke "$WORK/credentials/eum/bad-p256.crt" --out "$WORK/credentials/crl/ci.crl"
	refused cert-revoked "$WORK/revoked.fleet"
}

# What only step 5 shows: the EUM is not known, and its chain is wrong.
chains_that_break_above_the_euicc_are_refused() {
	local c=$WORK/credentials e=$WORK/elsewhere
	fresh_credentials
	rm -rf "$e"
	pki init --dir "$e" --curve both
	config
	mv "$c/eum/test-p256.crt" "$WORK/eum.pem"
	openssl x509 -in "$WORK/eum.pem" -outform der -out "$WORK/eum.der"
	python3 -c 'import sys; p = sys.argv[1]; d = bytearray(open(p, "rb").read()); d[-1] ^= 1; open(p, "wb").write(d)' "$WORK/eum.der"
	pki fleet --eum-cert "$WORK/eum.der" --eum-key "$c/private/eum-test-p256.key" \
		--ci-cert "$c/ci/ci-p256.crt" --count 5 --out "$WORK/bad.fleet"
	refused signature-cert-eum "$WORK/bad.fleet"
	# UEs that trust our CI, with an EUM of another
	pki fleet --eum-cert "$e/eum/test-p256.crt" --eum-key "$e/private/eum-test-p256.key" \
		--ci-cert "$c/ci/ci-p256.crt" --count 5 --out "$WORK/bad.fleet"
	refused cert-unknown-ci "$WORK/bad.fleet"
	# brainpool UEs where there is no Cert_AU on their curve
	pki fleet --dir "$c" --curve brainpool --count 5 --out "$WORK/bad.fleet"
	rm "$c"/au/au-brainpool.*
	refused cert-curve "$WORK/bad.fleet"
}

another_ci_is_unknown() {
	fresh_credentials
	rm -rf "$WORK/elsewhere"
	pki init --dir "$WORK/elsewhere"
	pki fleet --dir "$WORK/elsewhere" --count 5 --out "$WORK/elsewhere.fleet"
	config
	# The UE finds out first: no cross-certificate leads to its CI.
	run "$WORK/elsewhere.fleet" --ues 5
	expect 'r["attached"] == 0 and r["failed_by_cause"] == {"cert-cross": 5} and causes["network-refused"] == 5'
}

a_full_table_refuses_and_loses_nothing() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 400 --out "$WORK/p256b.fleet"
	config 'ue: {max: 64, max-half-open: 64, jobs: 256}'
	run "$WORK/p256b.fleet" --ues 300 --in-flight 300
	expect 'r["attached"] == 64 and r["failed_by_cause"].get("ue-table-full", 0) + r["failed_by_cause"].get("congestion", 0) == 236'
}

credentials_reload_under_load() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 1000 --out "$WORK/p256b.fleet"
	config
	reload() { for _ in 1 2 3; do kill -HUP "$CPAU_PID"; sleep 0.7; done; }
	during=reload run "$WORK/p256b.fleet" --rate 200
	expect 'r["attached"] == 1000 and r["failed"] == 0'
	[ "$(grep -c 'credentials reloaded' "$WORK/cpau.log")" -ge 2 ] || die "it did not reload"
}

# Whoever loads has ended, and what it loaded is freed, before the configuration is.
termination_waits_for_a_reload() {
	local status=0
	fresh_credentials
	pki crl --issuer "$WORK/credentials/ci/ci-p256.crt" --key "$WORK/credentials/private/ci-p256.key" --random 500000 \
		--out "$WORK/credentials/crl/ci.crl"
	config
	start_cpau --json
	kill -HUP "$CPAU_PID"
	sleep 0.1
	kill -TERM "$CPAU_PID"
	wait "$CPAU_PID" || status=$?
	CPAU_PID=
	[ "$status" = 0 ] || { cat "$WORK/cpau.log" >&2; die "it ended with $status"; }
	sed '1,/cpau: stopping/d' "$WORK/cpau.log" | grep -q '^trust:' || die "it did not wait for the credentials"
	! grep -q 'Sanitizer\|runtime error' "$WORK/cpau.log" || { cat "$WORK/cpau.log" >&2; die "a sanitizer found something"; }
}

two_lcores_share_the_stages() {
	[ "$AU_CPU" != "$STORM_CPU" ] || { echo "SKIPPED: two_lcores_share_the_stages needs two CPUs"; return; }
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 2000 --out "$WORK/p256b.fleet"
	config
	sed -i "s#^  - {lcore: .*#  - {lcore: $AU_CPU, stages: [worker, crypto, control]}\n  - {lcore: $STORM_CPU, stages: [crypto, worker]}#" \
		"$WORK/cpau.yaml"
	# The generator shares the second CPU with an lcore that never sleeps.
	run "$WORK/p256b.fleet" --an 16
	expect 'r["attached"] == 2000 and r["failed"] == 0 and s["events"]["steered"] > 0'
}

telemetry_says_what_happened() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 40 --out "$WORK/p256b.fleet"
	config
	start_cpau --json
	storm "$WORK/p256b.fleet" --json >"$WORK/report" || die "the storm failed"
	local prefix command
	prefix=$(sed -n 's/.*file-prefix, \([^]]*\)\].*/\1/p' "$WORK/cpau.yaml")
	for command in info counters causes net ues lcores; do
		echo "/cpau/$command"
	done | dpdk-telemetry.py -f "$prefix" >"$WORK/telemetry" 2>&1 || die "dpdk-telemetry.py failed"
	stop_cpau
	python3 - "$WORK/telemetry" <<-'END' || { cat "$WORK/telemetry" >&2; die "telemetry is not what happened"; }
		import json, re, sys
		text = open(sys.argv[1]).read()
		all = {}
		for line in text.splitlines():
		    found = re.search(r'\{"/cpau/.*\}', line)
		    if found:
		        all.update(json.loads(found.group(0)))
		assert all["/cpau/counters"]["attached"] == 40, all
		assert all["/cpau/ues"]["attached"] == 40, all
		assert all["/cpau/info"]["name"] == "cpau-quickstart", all
		assert all["/cpau/counters"]["attach_requests"] == 40, all
		assert all["/cpau/net"]["datagrams"] > 40 and all["/cpau/net"]["rx_packets"] > 40, all
		assert not any(all["/cpau/causes"].values()), all
		assert any(k.endswith("_busy_cycles") and v > 0 for k, v in all["/cpau/lcores"].items()), all
	END
}

an_unconfigured_an_is_dropped_at_the_first_look() {
	config
	sed -i 's/192.0.2.100/192.0.2.200/' "$WORK/cpau.yaml"
	start_cpau --json
	storm "$WORK/p256.fleet" --ues 1 --json >"$WORK/report" && die "it attached"
	stop_cpau
	REPORT='{}' SUMMARY=$(tail -n 1 "$WORK/cpau.out")
	expect 'causes == {"an-unknown": causes["an-unknown"]} and causes["an-unknown"] > 0'
}

# The official test chain, steps 1 to 8; the capture is dissected with no malformed packet.
gsma_test_chains_attach() {
	[ -d "$DATA/sgp26" ] || { echo "SKIPPED: no $DATA/sgp26"; return 0; }
	local d=$DATA/sgp26 c
	for c in NIST BRP; do
		rm -rf "$WORK/credentials"
		awk -v n="CERT_CI_ECDSA_$c" '$1 ~ n {print $3}' "$d/test-keys.tsv" >"$WORK/ci.key"
		awk -v n="CERT_EUICC_ECDSA_$c" '$1 ~ n {print $3}' "$d/test-keys.tsv" >"$WORK/euicc.key"
		pki init --dir "$WORK/credentials" --ci-cert "$d/CertificateIssuer/CERT_CI_ECDSA_$c.der" \
			--ci-key "$WORK/ci.key"
		pki fleet --import "$d/eUICC/CERT_EUICC_ECDSA_$c.der" --key "$WORK/euicc.key" \
			--eum-cert "$d/EUM/CERT_EUM_ECDSA_$c.der" \
			--ci-cert "$d/CertificateIssuer/CERT_CI_ECDSA_$c.der" --out "$WORK/gsma.fleet"
		config
		run "$WORK/gsma.fleet" --capture "$WORK/gsma.pcap"
		expect 'r["attached"] == 1 and events["eums-learned"] >= 1 and not causes'
		"$ROOT/tests/dissector.sh" "$WORK/gsma.pcap"
	done
}

# Where the pool of multiples is empty, UEs attach all the same. OpenSSL leaves none to be kept.
multiples_may_run_out() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 1000 --out "$WORK/p256.fleet"
	config 'ue: {key-multiples: 32}'
	run "$WORK/p256.fleet" --ues 1000 --in-flight 500
	expect 'r["attached"] == 1000 and r["failed"] == 0'
	expect 's["backend"] != "ifma" or events["multiples-exhausted"] > 0'
	config 'ue: {key-multiples: 0}'
	run "$WORK/p256.fleet" --ues 200 --in-flight 100
	expect 'r["attached"] == 200 and events.get("multiples-exhausted", 0) == 0'
}

# Peers that vanish in the middle of everything: cpau stays, and the next one finds it in order.
a_peer_that_is_killed_takes_nobody_along() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 1000 --out "$WORK/p256.fleet"
	config
	start_cpau --json
	# How long one that is left alone takes here, which is what the others' lives are measured by.
	local whole part
	whole=$(date +%s%N)
	storm "$WORK/p256.fleet" --ues 700 --in-flight 700 >/dev/null || die "$NAME: the first one did not run"
	whole=$(($(date +%s%N) - whole))
	for part in 70 90 60 80 100 65 85 75 95 70; do
		storm "$WORK/p256.fleet" --ues 700 --in-flight 700 >/dev/null 2>&1 &
		sleep "$(python3 -c "print($whole * $part / 100 / 1e9)")"
		pkill -KILL -P $! cpau-storm || true
		wait $! || true
	done
	STATUS=0
	storm "$WORK/p256.fleet" --ues 300 --t3510 0.5 --tries 20 --json >"$WORK/report" || STATUS=$?
	stop_cpau
	REPORT=$(tail -n 1 "$WORK/report") SUMMARY=$(tail -n 1 "$WORK/cpau.out")
	expect 'r["attached"] == 300 and events["attach-requests"] >= 1000'
}

# cpau on net_af_packet over a veth pair, the UE on the kernel's own sockets in a network namespace.
# With OpenSSL, which is slow enough for the generator to bring several times what can be served.
overload_is_refused_and_everybody_attaches_in_the_end() {
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 6000 --out "$WORK/p256b.fleet"
	config 'crypto: {backend: openssl}' 'timers: {back-off: 4s, queue-delay: 20ms}'
	run "$WORK/p256b.fleet" --an 16 --rate 20000 --retry --an-wait 1 --in-flight 6000
	expect 'r["attached"] == 6000 and r["failed"] == 0'
	# most of them were refused before any cryptography, and most of those by their access nodes
	expect 'r["shed_by_an"] > 500 and events["overload-starts"] > 0 and events["overload-stops"] > 0'
	expect 'causes["congestion"] > 500 and events["verifies"] <= 3 * 6100'
	# who was let in was finished
	expect 'events["authenticated"] == events["attached"] == 6000 and set(causes) <= {"congestion"}'
	run "$WORK/p256b.fleet" --ues 3000 --an 16 --rate 20000 --retry --ignore-overload --in-flight 6000
	expect 'r["attached"] == 3000 and r["shed_by_an"] == 0 and r["attempts"]["mean"] > 1.2'
}

# veth DEVICE-ARGUMENTS [STAGES...]: cpau's configuration for one end of a veth pair, whose other end, cpau-v1, is in the
# namespace NS. STAGES of each lcore; the default is all on one. Fails where there are no namespaces.
veth() {
	local arguments=$1 lcores='' cpu=$AU_CPU
	NS=cpau-$$
	shift
	if ! ip netns add "$NS" 2>/dev/null || ! ip netns exec "$NS" true 2>/dev/null; then
		echo "SKIPPED: no network namespaces here"
		return 1
	fi
	fresh_credentials
	pki fleet --dir "$WORK/credentials" --count 400 --out "$WORK/p256b.fleet"
	ip link add "cpau-v0" type veth peer name "cpau-v1" netns "$NS"
	ip link set "cpau-v0" up
	ip netns exec "$NS" sh -c 'ip addr add 192.0.2.100/24 dev cpau-v1 && ip link set cpau-v1 up && ip link set lo up'
	# The veth pair would leave UDP checksums to a NIC that is not there.
	ip netns exec "$NS" ethtool -K cpau-v1 tx off >/dev/null
	config "${TIMERS:-}"
	for stages in "${@:-worker, crypto, control}"; do
		lcores="$lcores\\n  - {lcore: $cpu, stages: [$stages]}"
		cpu=$STORM_CPU
	done
	sed -i -e "s#device: net_memif0#device: net_af_packet0#" -e "s#^  - {lcore: .*##; s#^lcores:#lcores:$lcores#" \
		-e "s#vdev: .*#vdev: \"net_af_packet0,iface=cpau-v0$arguments\"#" "$WORK/cpau.yaml"
}

# kernel_sockets DEVICE-ARGUMENTS [STAGES...]: UEs over UDP sockets of the kernel, cpau as veth says.
kernel_sockets() {
	veth "$@" || return 0
	start_cpau --json
	ip netns exec "$NS" ping -c 1 -W 2 192.0.2.1 >"$WORK/ping" 2>&1 || true
	STATUS=0
	ip netns exec "$NS" "$BUILD/apps/cpau-storm/cpau-storm" --socket --fleet "$WORK/p256b.fleet" \
		--an-key "$WORK/an.key" --local 192.0.2.100 --peer 192.0.2.1 --ues 40 --in-flight 4 --json \
		>"$WORK/report" 2>"$WORK/storm.log" || STATUS=$?
	stop_cpau
	ip netns del "$NS"
	[ "$STATUS" -eq 0 ] || { cat "$WORK/storm.log" >&2; tail "$WORK/cpau.log" >&2; die "no attach over kernel sockets"; }
	REPORT=$(tail -n 1 "$WORK/report") SUMMARY=$(tail -n 1 "$WORK/cpau.out")
	expect 'r["attached"] == 40 and r["failed"] == 0'
}

kernel_sockets_attach() { kernel_sockets ''; }

# cpau is killed and started again under access nodes that live on: each sets up anew, and who was under way or comes later
# attaches. Those that were attached have lost their sessions.
access_nodes_outlive_a_restart_of_cpau() {
	local generator n
	veth '' || return 0
	for n in 101 102 103; do ip netns exec "$NS" ip addr add "192.0.2.$n/24" dev cpau-v1; done
	start_cpau --json
	ip netns exec "$NS" "$BUILD/apps/cpau-storm/cpau-storm" --socket --fleet "$WORK/p256b.fleet" --an 4 \
		--an-key "$WORK/an.key" --local 192.0.2.100 --peer 192.0.2.1 --ues 400 --rate 50 --t3510 1 --retry --t3511 1 \
		--hold 1 --json >"$WORK/report" 2>"$WORK/storm.log" &
	generator=$!
	sleep 3
	kill -KILL "$CPAU_PID"
	wait "$CPAU_PID" 2>/dev/null || true
	start_cpau --json
	STATUS=0
	wait "$generator" || STATUS=$?
	stop_cpau
	ip netns del "$NS"
	[ "$STATUS" -le 1 ] || { cat "$WORK/storm.log" >&2; die "$NAME: the storm did not run"; }
	REPORT=$(tail -n 1 "$WORK/report") SUMMARY=$(tail -n 1 "$WORK/cpau.out")
	expect 'r["attached"] == 400 and r["failed"] == 0 and r["kgnb_mismatches"] == 0'
	expect 'causes["an-not-set-up"] >= events["error-indications"] >= 4'
	expect '20 < r["sessions"]["ended_by_cause"]["an-not-set-up"] < 380 and 20 < events["attached"] == 400 - r["sessions"]["ended_by_cause"]["an-not-set-up"]'
}

# What --write-pcap wrote is a load for anybody's generator: every request is answered, the honest with step 3, the others
# with their cause.
a_replayed_capture_is_answered() {
	# UEs that do not answer are half-open for as long as the test takes.
	TIMERS='timers: {t3560: 60s, shutdown: 100ms}' veth '' || return 0
	"$BUILD/apps/cpau-storm/cpau-storm" --fleet "$WORK/p256b.fleet" --local 192.0.2.100 --peer 192.0.2.1 --an 4 \
		--ues 400 --rate 1000 --fault bad-sig1=10%,cert-malformed=10% --write-pcap "$WORK/load.pcap" \
		--peer-mac "$(cat /sys/class/net/cpau-v0/address)" --json >"$WORK/report"
	start_cpau --json
	ip netns exec "$NS" tcpreplay -q -i cpau-v1 "$WORK/load.pcap" >"$WORK/tcpreplay.log" 2>&1 ||
		{ cat "$WORK/tcpreplay.log" >&2; die "tcpreplay failed"; }
	sleep 1
	stop_cpau
	ip netns del "$NS"
	REPORT=$(tail -n 1 "$WORK/report") SUMMARY=$(tail -n 1 "$WORK/cpau.out")
	expect 'r["requests"] == 400 == events["attach-requests"] and r["frames"] == 404 == events["datagrams"]'
	# who has step 3 is half-open until cpau stops
	expect 'causes == {"cert-malformed": bad["cert-malformed"], "signature-ue1": bad["bad-sig1"], "shutting-down": 400 - sum(bad.values())}' \
		'bad = r["faults"]'
	expect 'events["refused"] == 400 and events["crypto-jobs"] == 400 - r["faults"]["cert-malformed"] and events["tx-datagrams"] > 400'
}

# Two of each stage, two queues, UEs spread over two shards by their EIDs.
several_control_stages_share_the_ues() {
	[ "$AU_CPU" != "$STORM_CPU" ] || { echo "SKIPPED: several_control_stages_share_the_ues needs two CPUs"; return; }
	kernel_sockets ',qpairs=2' 'worker, crypto, control' 'control, crypto, worker'
}

ipv6_in_a_vlan_is_spoken() {
	fresh_credentials
	pki eum --dir "$WORK/credentials" --name tiers --variant a
	pki fleet --dir "$WORK/credentials" --eum tiers --count 100 --out "$WORK/tiers.fleet"
	config
	sed -i -e 's#address: 192.0.2.100#address: 2001:db8::100#; s#^    ipv4: .*#    vlan: 7#' "$WORK/cpau.yaml"
	# Step 5 with three certificates comes in fragments.
	run "$WORK/tiers.fleet" --an 16 --local 2001:db8::100 --peer 2001:db8::1 --vlan 7
	expect 'r["attached"] == 100 and r["failed"] == 0 and s["net"].get("fragments", 0) > 0'
}

SCENARIOS=(honest_ues_attach brainpool_ues_attach every_algorithm_is_spoken every_fault_meets_its_cause
	phases_and_timeline_add_up strangers_are_refused_in_step_5 junk_is_counted_and_harms_nobody
	ues_detach_and_attach_again
	loss_duplication_and_reordering_are_repaired telemetry_says_what_happened
	an_unconfigured_an_is_dropped_at_the_first_look two_lcores_share_the_stages
	an_unknown_eum_is_verified_and_learned a_subca_tier_is_accepted
	certificates_that_break_a_rule_are_refused denied_and_revoked_are_refused
	chains_that_break_above_the_euicc_are_refused another_ci_is_unknown
	a_full_table_refuses_and_loses_nothing credentials_reload_under_load termination_waits_for_a_reload
	gsma_test_chains_attach
	multiples_may_run_out overload_is_refused_and_everybody_attaches_in_the_end
	a_peer_that_is_killed_takes_nobody_along kernel_sockets_attach a_replayed_capture_is_answered
	access_nodes_outlive_a_restart_of_cpau
	several_control_stages_share_the_ues ipv6_in_a_vlan_is_spoken)
[ $# -gt 0 ] && SCENARIOS=("$@")

fresh_credentials
pki fleet --dir "$WORK/credentials" --count 1000 --out "$WORK/p256.fleet"
pki fleet --dir "$WORK/credentials" --curve brainpool --count 100 --out "$WORK/brainpool.fleet"
for NAME in "${SCENARIOS[@]}"; do
	begun=$SECONDS
	during=
	"$NAME"
	echo "ok: $NAME ($((SECONDS - begun)) s)"
done
