#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The Wireshark dissector names every field of a capture and finds nothing malformed in it.
#
#	tests/dissector.sh CAPTURE                     a capture of an attach
#	tests/dissector.sh --make DISSECTOR_CAPTURE    one written by that program, all messages
#
# Exits 77 (skipped) where there is no tshark.
set -eu

script=$(cd "$(dirname "$0")/.." && pwd)/scripts/wireshark/cpau.lua
command -v tshark >/dev/null || { echo "skipped: tshark is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Nothing of the user's own configuration or plugins.
export WIRESHARK_CONFIG_DIR="$work" HOME="$work"

fail() {
	echo "dissector: $*" >&2
	exit 1
}

dissect() {
	tshark -X "lua_script:$script" -r "$1" -V >"$2" 2>"$work/stderr" ||
		fail "tshark failed: $(cat "$work/stderr")"
	if grep -i -E 'lua.*(error|:[0-9]+:)' "$2" "$work/stderr"; then
		fail "error in the Lua script"
	fi
}

# Every pattern stands on a line of the dissection.
expect() {
	for pattern; do
		grep -q -E "$pattern" "$work/text" || fail "not in the dissection: $pattern"
	done
}

make=
case "${1:-}" in
--make)
	make=$2
	certificates=${CPAU_TESTDATA:-}/sgp26
	eum=$certificates/EUM/CERT_EUM_ECDSA_NIST.der
	euicc=$certificates/eUICC/CERT_EUICC_ECDSA_NIST.der
	[ -r "$eum" ] || { echo "skipped: no certificates in CPAU_TESTDATA"; exit 77; }
	capture=$work/capture.pcap
	"$make" "$eum" "$euicc" >"$capture"
	;;
'' | -*)
	echo "usage: $0 CAPTURE | --make DISSECTOR_CAPTURE" >&2
	exit 2
	;;
*)
	capture=$1
	;;
esac

dissect "$capture" "$work/text"
if grep -n -i -B3 -E 'malformed|dissector bug|\[Severity level: Error\]' "$work/text"; then
	fail "something is malformed"
fi

# An attach, whatever its ciphering
expect \
	'Record type: UPLINK NAS \(0x10\)' 'AN UE id: [0-9]+' 'AU UE id: 0x[0-9a-f]{16}' \
	'NAS ATTACH REQUEST' 'Attach type: credential provisioning' 'RAND_UE: [0-9a-f]{32}' \
	'Cert_eUICC: 30' 'id-at-serialNumber=[0-9]{32}' 'UE_Signature1: ' 'UE security capability: ' \
	'NAS AUTHENTICATION REQUEST' 'ngKSI: ' 'ABBA: 0x0000' 'RAND_AU: [0-9a-f]{32}' 'PK_AU: 04' \
	'AU_Signature: ' 'Cert_AU: 30' 'Cert_cross: 30' \
	'NAS AUTHENTICATION RESPONSE' 'Cert_EUM: 30' 'UE_Signature2: ' 'PK_UE: 04' \
	'Security header type: Integrity protected with new' \
	'Type of integrity protection algorithm: 128-5G-IA' \
	'Security header type: Integrity protected and ciphered with new' \
	'Record type: CONTEXT SETUP REQUEST' 'Sealed K_gNB: ' 'Authentication tag: ' \
	'Record type: CONTEXT SETUP RESPONSE' \
	'Record type: SESSION SETUP REQUEST' 'UE IPv4 address: ' 'QFI: ' \
	'Record type: SESSION SETUP RESPONSE'

if [ -n "$make" ]; then
	# What only an unciphered capture shows, the standard messages by nas-5gs, and the rest
	expect \
		'NAS ATTACH ACCEPT' '5G-TMSI: 0x' 'T3512 value: 600 s' 'NAS ATTACH COMPLETE' \
		'Message type: PDU session establishment request' 'DNN: rsp.iot' \
		'PDU address information: 10.45.0.2' 'Operator Specific Use' \
		'AN name: an-1' 'AU name: cpau-1' 'Serving network name: 5G:mnc001' \
		'Cause: cert-expired' 'Back-off timer: 4 s' 'Traffic reduction \(%\): 50' \
		'CI PKID: [0-9a-f]{40}' 'Message type: 5GMM status' 'Message type: Security mode reject' \
		'Cert_EUM_SubCA: 30' \
		'Uplink tunnel: ' 'TEID: 0x00001234' 'Tunnel address: 192\.0\.2\.1$' \
		'Downlink tunnel: ' 'TEID: 0x0000002a' 'Tunnel address: 192\.0\.2\.100$' \
		'TEID: 0x00005678' 'Tunnel address: 2001:db8::1$' \
		'TEID: 0x0000002b' 'Tunnel address: 2001:db8::100$' \
		'UE IPv6 prefix: 2001:db8:a:bcde::/64$'
	for record in 'AN SETUP REQUEST' 'AN SETUP RESPONSE' 'AN SETUP FAILURE' \
		'CONTEXT SETUP FAILURE' 'SESSION SETUP FAILURE' 'RELEASE REQUEST' \
		'RELEASE COMMAND' 'RELEASE COMPLETE' 'OVERLOAD START' 'OVERLOAD STOP' \
		'ERROR INDICATION'; do
		expect "Record type: $record"
	done
	for message in 'ATTACH REJECT' 'AUTHENTICATION REJECT' 'AUTHENTICATION FAILURE' \
		'DETACH REQUEST' 'DETACH ACCEPT'; do
		expect "NAS $message"
	done

	"$make" --malformed >"$work/malformed.pcap"
	dissect "$work/malformed.pcap" "$work/text"
	frames=$(grep -c '^Frame ' "$work/text")
	flagged=$(tshark -X "lua_script:$script" -r "$work/malformed.pcap" -Y cpau.malformed \
		2>/dev/null | wc -l)
	[ "$frames" -eq "$flagged" ] || fail "$flagged of $frames malformed datagrams are flagged"
fi
echo "dissector: $(grep -c '^Frame ' "$work/text") frames, all as expected"
