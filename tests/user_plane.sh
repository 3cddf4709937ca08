#!/usr/bin/env bash
# The user plane, with real packets on both sides. Usage: tests/user_plane.sh BUILD [SCENARIO...]
# Skipped, and says so, where namespaces or TUN devices cannot be made.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
# shellcheck source=scripts/netns.sh
. "$(dirname "$0")/../scripts/netns.sh"

BUILD=$(cd "$1" && pwd)
shift
PKI=$BUILD/apps/cpau-pki/cpau-pki
WORK=$(mktemp -d)
CAPTURE_PID=
trap 'stop_cpau; netns_down; rm -rf "$WORK"' EXIT
pick_cpus
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} # DPDK keeps what it allocates
netns_possible || { echo "SKIPPED: user_plane.sh"; exit 0; }

fail() {
	local log
	stop_cpau
	for log in cpau.log cpau.out storm.log report capture.log; do
		[ ! -s "$WORK/$log" ] || { echo "--- $log" >&2; tail -n 5 "$WORK/$log" >&2; }
	done
	die "$NAME: $*"
}

# One HTTPS request reaches the SM-DP+, and nothing else is reached.
a_profile_server_is_reached_and_nobody_else() {
	CPAU_BUILD=$BUILD "$ROOT/scripts/demo-download" --json >"$WORK/demo" 2>"$WORK/demo.log" ||
		{ tail -n 40 "$WORK/demo.log" >&2; die "$NAME: the demonstration failed"; }
	tail -n 1 "$WORK/demo" | python3 -c '
import json, sys
r = json.loads(sys.stdin.read())
assert r["http_code"] == 200 and r["others_reached"] == 0 and r["ended_by_cause"] == {"session-done": 1}, r
assert r["answer"]["header"]["functionExecutionStatus"]["status"] == "Failed", r
assert r["gate"]["not-allowed"] >= 3 and r["gate"]["downlink-packets"] > 0, r' || die "$NAME: not as it should be"
}

# sessions UES ACCESS-NODES STORM-ARGUMENT...: attaches, and does with the sessions what the arguments say, while all that
# comes out to the data network is captured. Sets REPORT and SUMMARY.
sessions() {
	local ues=$1 ans=$2 status=0
	shift 2
	netns_up "$ans"
	rm -rf "$WORK/credentials"
	"$PKI" init --dir "$WORK/credentials" >"$WORK/pki.log"
	"$PKI" fleet --dir "$WORK/credentials" --count "$ues" --out "$WORK/ues.fleet" >>"$WORK/pki.log"
	user_plane_config "$WORK/credentials"
	IN_NS="ip netns exec $NS-au" start_cpau --json
	# The gate asks for the servers' MACs when they are first needed, and what came first is lost.
	in_ns dn ping -q -c 3 -i 0.2 -W 1 203.0.113.254 >/dev/null 2>&1 || true
	in_ns dn tcpdump -i dn0 -Q in -U -w "$WORK/n6.pcap" 2>"$WORK/capture.log" &
	CAPTURE_PID=$!
	await 30 grep -q 'listening on' "$WORK/capture.log" || fail "tcpdump does not capture"
	netns_storm --fleet "$WORK/ues.fleet" --ues "$ues" --an "$ans" "$@" --json >"$WORK/report" 2>"$WORK/storm.log" ||
		status=$?
	[ "$status" -eq 0 ] || fail "the storm ended with $status"
	sleep 1 # what is on its way arrives
	echo /cpau/gate | dpdk-telemetry.py -f "$NS" >"$WORK/telemetry" 2>&1 || fail "dpdk-telemetry.py failed"
	kill "$CAPTURE_PID" && wait "$CAPTURE_PID" || true
	stop_cpau
	netns_down
	REPORT=$(tail -n 1 "$WORK/report")
	SUMMARY=$(tail -n 1 "$WORK/cpau.out")
}

# Of thousands of packets that break a rule each, and of allowed ones between them, only the latter come out: TCP to the
# SM-DP+, DNS to the DNS server, from a UE's address, with their mark. All else is counted by its reason.
only_allowed_packets_come_out() {
	sessions 20 4 --session ipv4v6 --adversarial 12000 --seed 7
	python3 - "$WORK/n6.pcap" "$REPORT" "$SUMMARY" "$WORK/telemetry" <<-'END' ||
		import ipaddress, json, re, struct, sys
		data, report, summary = open(sys.argv[1], "rb").read(), json.loads(sys.argv[2]), json.loads(sys.argv[3])
		sent, gate = report["sessions"]["packets_by_kind"], summary["gate"]
		order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
		at, seen, seen_ipv6, wrong = 24, 0, 0, []
		pool, pool_ipv6 = ipaddress.ip_network("10.45.0.0/16"), ipaddress.ip_network("2001:db8:45::/48")
		servers = {"203.0.113.80": (6, 443), "203.0.113.53": (17, 53)}
		resolver_ipv6 = ipaddress.ip_address("2001:db8:113::53")
		while at + 16 <= len(data):
		    n = struct.unpack(order + "I", data[at + 8:at + 12])[0]
		    frame, at = data[at + 16:at + 16 + n], at + 16 + n
		    if frame[12:14] == b"\x08\x06":
		        continue  # ARP of the gate
		    ip = frame[14:]
		    if frame[12:14] == b"\x86\xdd" and ip[6] == 58 and ip[40] in (133, 134, 135, 136, 143):
		        continue  # neighbour discovery
		    if frame[12:14] == b"\x86\xdd":
		        length = struct.unpack(">H", ip[4:6])[0]
		        if ip[6] != 17 or ip[42:44] != b"\0\x35" or set(ip[48:40 + length]) != {ord("A")} or \
		                ipaddress.ip_address(ip[8:24]) not in pool_ipv6 or ipaddress.ip_address(ip[24:40]) != resolver_ipv6:
		            wrong.append(frame.hex())
		        else:
		            seen, seen_ipv6 = seen + 1, seen_ipv6 + 1
		        continue
		    source, destination = ipaddress.ip_address(ip[12:16]), str(ipaddress.ip_address(ip[16:20]))
		    if source not in pool and ip[9] == 1:
		        continue  # ICMP of the gate itself
		    header = 4 * (ip[0] & 15)
		    payload = ip[header + (20 if ip[9] == 6 else 8):struct.unpack(">H", ip[2:4])[0]]
		    port = struct.unpack(">H", ip[header + 2:header + 4])[0]
		    if frame[12:14] != b"\x08\x00" or ip[0] != 0x45 or source not in pool or \
		            servers.get(destination) != (ip[9], port) or set(payload) != {ord("A")} or \
		            ip[6] & 0x3f or ip[7]:
		        wrong.append(frame.hex())
		    else:
		        seen += 1
		dropped = sum(n for c, n in gate.items() if c in (
		    "gtpu-truncated gtpu-version gtpu-extension gtpu-unknown unknown-teid ended-teid wrong-an inner-truncated "
		    "inner-bad spoofed-source uplink-fragment extension-header uplink-protocol nested-tunnel foreign-dns not-allowed "
		    "uplink-rate ttl-exceeded").split())
		print("%d packets, %d of them allowed: %d came out, %d were dropped" % (sum(sent.values()), sent["allowed"], seen, dropped))
		assert not wrong, wrong[:3]
		assert sum(sent.values()) == 12000 and len(sent) == 19 and min(sent.values()) > 600, sent
		assert 0.5 * sent["allowed"] < seen <= sent["allowed"], (seen, gate)
		# what the link between the namespaces lost nobody can count
		assert 0.5 * (12000 - sent["allowed"]) < dropped <= 12000 - sent["allowed"], gate
		assert seen_ipv6 > 100 and seen - seen_ipv6 > 100, (seen, seen_ipv6)
		assert seen <= gate["uplink-packets"] + 1
		for c in ("gtpu-truncated gtpu-unknown unknown-teid ended-teid wrong-an inner-truncated spoofed-source "
		          "uplink-fragment extension-header uplink-protocol nested-tunnel foreign-dns not-allowed").split():
		    assert gate.get(c, 0) > 100, (c, gate)
		with open(sys.argv[4]) as file:
		    said = json.loads(re.search(r'\{"/cpau/gate.*\}', file.read()).group(0))["/cpau/gate"]
		assert said["sessions"] == 20 and 100 < said["octets_per_session"] < 1000, said
		assert all(said[c.replace("-", "_")] == gate.get(c, 0) for c in ("uplink-packets", "not-allowed", "unknown-teid",
		    "spoofed-source", "wrong-an", "inner-bad")), (said, gate)
	END
		fail "something else came out, or was not counted"
}

# An IPv6 session: the prefix by a ROUTER ADVERTISEMENT, a server by `session.allow`, nobody else.
ipv6_is_carried_too() {
	local address server
	netns_up 1
	rm -rf "$WORK/credentials"
	"$PKI" init --dir "$WORK/credentials" >"$WORK/pki.log"
	"$PKI" fleet --dir "$WORK/credentials" --count 1 --out "$WORK/ues.fleet" >>"$WORK/pki.log"
	user_plane_config "$WORK/credentials"
	sed -i 's#idle: .*#idle: 5m#' "$WORK/cpau.yaml"
	IN_NS="ip netns exec $NS-au" start_cpau --json
	for server in 80 99; do
		in_ns dn python3 -m http.server 443 --bind "2001:db8:113::$server" --directory "$WORK/credentials/ci" \
			>>"$WORK/capture.log" 2>&1 &
	done
	await 20 in_ns dn curl -s -o /dev/null --max-time 1 'http://[2001:db8:113::99]:443/' || fail "no server"
	in_ns an sysctl -q -w net.ipv6.conf.default.addr_gen_mode=1
	netns_storm --fleet "$WORK/ues.fleet" --tun ue0 --session ipv6 --json >"$WORK/report" 2>"$WORK/storm.log" &
	await 30 grep -q '"event":"session"' "$WORK/report" || fail "the UE did not attach"
	address=$(python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["ipv6"])' <"$WORK/report")
	case $address in 2001:db8:45:*) ;; *) fail "the UE's address is '$address'" ;; esac
	# It is on the device already; one hop from the servers is the gate.
	ip -n "$NS-an" -6 route add 2001:db8:113::/64 dev ue0 src "$address"
	await 20 in_ns an curl -s -o /dev/null --max-time 2 'http://[2001:db8:113::80]:443/' || fail "the server is not reached"
	! in_ns an curl -s -o /dev/null --max-time 2 'http://[2001:db8:113::99]:443/' || fail "another server is reached"
	stop_cpau
	netns_down
	python3 - "$(tail -n 1 "$WORK/cpau.out")" <<-'END' || fail "the gate counts something else"
		import json, sys
		gate = json.loads(sys.argv[1])["gate"]
		assert gate["router-solicitations"] >= 1 and gate["icmp-sent"] >= 1, gate
		assert gate["uplink-packets"] >= 4 and gate["downlink-packets"] >= 4 and gate["not-allowed"] >= 1, gate
	END
}

SCENARIOS=(a_profile_server_is_reached_and_nobody_else only_allowed_packets_come_out ipv6_is_carried_too)
[ $# -gt 0 ] && SCENARIOS=("$@")
for NAME in "${SCENARIOS[@]}"; do
	begun=$SECONDS
	"$NAME"
	echo "ok: $NAME ($((SECONDS - begun)) s)"
done
