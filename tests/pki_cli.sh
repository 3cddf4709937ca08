#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# cpau-pki from the outside: what each subcommand makes, refuses and exits with.
# Usage: pki_cli.sh BUILD_DIR    (CPAU_TESTDATA: the SGP.26 certificates)
set -eu

pki=$(realpath "$1")/apps/cpau-pki/cpau-pki
data=${CPAU_TESTDATA:+$(realpath -m "$CPAU_TESTDATA")/sgp26}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0

fail() {
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}

# expect CODE WORDS COMMAND...: the exit code, and the words somewhere in what it prints. A refusal
# may exit with memory that is not freed: the process ends there.
expect() {
	local code=$1 words=$2 got=0
	shift 2
	ASAN_OPTIONS=detect_leaks=$((code == 0)) "$@" >out 2>&1 || got=$?
	if [ "$got" -ne "$code" ]; then
		fail "exit $got, not $code: $*"
		cat out >&2
	elif ! grep -qF -- "$words" out; then
		fail "does not say '$words': $*"
		cat out >&2
	fi
}

# The certificate of device 0 of a fleet file: its entry is at 128 (lib/pki/fleet.h).
first_certificate() {
	local offset length
	offset=$(od -An -tu8 -j176 -N8 "$1" | tr -d ' ')
	length=$(od -An -tu4 -j184 -N4 "$1" | tr -d ' ')
	tail -c +$((offset + 1)) "$1" | head -c "$length"
}

# ---- usage
expect 0 Usage "$pki" --help
expect 2 Usage "$pki"
expect 2 Usage "$pki" unknown
for command in init eum fleet crl check show; do
	expect 0 "Usage: cpau-pki $command" "$pki" $command --help
	expect 2 "" "$pki" $command --no-such-option
	expect 2 "" "$pki" $command
done
expect 3 /nonexistent "$pki" check /nonexistent
expect 3 /nonexistent "$pki" show /nonexistent

# ---- init
expect 0 operator-ca "$pki" init --dir d --curve both --operator "Example Operator"
for curve in p256 brainpool; do
	for file in operator-ca/operator-ca au/au ci/ci cross/operator-to-ci cross/ci-to-operator eum/test; do
		[ -s "d/$file-$curve.crt" ] || fail "init made no $file-$curve.crt"
	done
done
find d -name '*.key' >keys
[ "$(wc -l <keys)" -eq 8 ] || fail "init made $(wc -l <keys) keys, not 8"
while read -r key; do
	[ "$(stat -c %a "$key")" = 600 ] || fail "$key is not 0600"
done <keys
[ -z "$(find d/eum -name '*.key')" ] || fail "an EUM key lies among the certificates"
expect 3 --force "$pki" init --dir d
expect 0 made "$pki" init --dir d --curve both --force
octets=$("$pki" show --json d/au/au-p256.crt | tr ',' '\n' | sed -n 's/.*"octets":\([0-9]*\).*/\1/p')
[ "$octets" -lt 450 ] || fail "Cert_AU has $octets octets"

# ---- fleets, every variant and curve, and what check says of them
for variant in a b c; do
	expect 0 made "$pki" eum --dir d --name "maker-$variant" --prefix 89033023 --variant $variant
done
expect 0 made "$pki" eum --dir d --name maker-o --prefix 89033024 --curve brainpool
for eum in test:p256 test:brainpool maker-a:p256 maker-b:p256 maker-c:p256 maker-o:brainpool; do
	name=${eum%:*} curve=${eum#*:}
	expect 0 "20 devices" "$pki" fleet --dir d --eum "$name" --curve "$curve" --count 20 --out f.flt
	[ "$(stat -c %a f.flt)" = 600 ] || fail "f.flt is not 0600"
	expect 0 '"devices":20' "$pki" show --json f.flt
	first_certificate f.flt >leaf.der
	chain=(leaf.der)
	[ ! -e "d/eum/$name-$curve-subca.crt" ] || chain+=("d/eum/$name-$curve-subca.crt")
	chain+=("d/eum/$name-$curve.crt" "d/ci/ci-$curve.crt")
	expect 0 "eUICC: the certificate is good" "$pki" check "${chain[@]}"
	expect 0 good "$pki" check --dir d "${chain[@]}"
	expect 0 good "$pki" check --dir d leaf.der
	expect 0 '"good":true' "$pki" check --json "${chain[@]}"
done
eum=d/eum/test-p256.crt ci=d/ci/ci-p256.crt
while IFS=: read -r fault words; do
	expect 0 made "$pki" fleet --dir d --count 3 --fault "$fault" --out bad.flt
	first_certificate bad.flt >bad.der
	expect 1 "$words" "$pki" check bad.der $eum $ci
	expect 1 '"good":false' "$pki" check --json bad.der $eum $ci
done <<'END'
expired:notAfter has passed
not-yet-valid:notBefore is in the future
policy:policy
usage:keyUsage
critical:critical extension
signature:signature is wrong
END
expect 0 made "$pki" fleet --dir d --count 3 --prefix 89049099 --out bad.flt
first_certificate bad.flt >bad.der
expect 1 "may not issue" "$pki" check bad.der $eum $ci
expect 2 digits "$pki" fleet --dir d --prefix 89x --out bad.flt
expect 2 count "$pki" fleet --dir d --count none --out bad.flt
expect 3 "private key" "$pki" fleet --dir d --eum-key d/private/ci-p256.key --out refused.flt
[ ! -e refused.flt ] || fail "a refused fleet left its file"
expect 0 made "$pki" fleet --dir d --count 3 --out f.flt
first_certificate f.flt >leaf.der
expect 1 "do not match" "$pki" check leaf.der d/eum/maker-b-p256.crt
head -c 1000 f.flt >short.flt
expect 3 short.flt "$pki" show short.flt

# ---- revocation and the deny list
"$pki" show --json leaf.der | sed 's/.*"eid":"\([0-9]*\)".*/\1/' >d/deny.txt
expect 1 "deny list" "$pki" check --dir d leaf.der
rm d/deny.txt
expect 0 "5001 entries" "$pki" crl --issuer $ci --key d/private/ci-p256.key --revoke $eum \
	--random 5000 --out d/crl/ci.crl
openssl crl -inform der -in d/crl/ci.crl -CAfile $ci -noout >out 2>&1 && grep -q OK out ||
	fail "OpenSSL refuses the CRL"
expect 1 "revocation list" "$pki" check --dir d $eum $ci
expect 1 "revocation list" "$pki" check --dir d $eum
rm d/crl/ci.crl
expect 3 not-a-serial "$pki" crl --issuer $ci --key d/private/ci-p256.key --revoke not-a-serial --out x.crl

# ---- the official chain: further eUICCs under it, and its own eUICC
if [ -z "$data" ] || [ ! -r "$data/test-keys.tsv" ]; then
	echo "SKIPPED: the SGP.26 part, as CPAU_TESTDATA has no sgp26/test-keys.tsv" >&2
else
	for suffix in NIST BRP; do
		curve=p256
		[ $suffix = NIST ] || curve=brainpool
		ci=$data/CertificateIssuer/CERT_CI_ECDSA_$suffix.der
		eum=$data/EUM/CERT_EUM_ECDSA_$suffix.der
		euicc=$data/eUICC/CERT_EUICC_ECDSA_$suffix.der
		for key in CI EUM EUICC; do
			awk -F'\t' -v c="_${key}_ECDSA_$suffix.der" 'index($1, c) {print $3}' \
				"$data/test-keys.tsv" >$key.hex
		done
		dir=official-$curve
		expect 0 made "$pki" init --dir $dir --ci-cert "$ci" --ci-key CI.hex --eum-cert "$eum"
		expect 3 "not the key" "$pki" init --dir wrong-$curve --ci-cert "$ci" --ci-key EUM.hex
		expect 0 good "$pki" check "$euicc" "$eum" "$ci"
		expect 0 good "$pki" check --dir $dir "$euicc" "$eum" "$ci"
		expect 0 "30 devices" "$pki" fleet --count 30 --eum-cert "$eum" --eum-key EUM.hex \
			--ci-cert "$ci" --out $dir.flt
		first_certificate $dir.flt >leaf.der
		expect 0 good "$pki" check --dir $dir leaf.der
		expect 0 "1 device" "$pki" fleet --import "$euicc" --key EUICC.hex --eum-cert "$eum" \
			--ci-cert "$ci" --out real.flt
		first_certificate real.flt | cmp - "$euicc" || fail "the import changed the certificate"
		expect 1 "not the key" "$pki" fleet --import "$euicc" --key EUM.hex --eum-cert "$eum" \
			--ci-cert "$ci" --out wrong.flt
	done
fi

[ $failures -eq 0 ] || { echo "$failures failed" >&2; exit 1; }
echo "cpau-pki: all good"
