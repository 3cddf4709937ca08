# A radio access network, cpau and a data network in network namespaces of their own, for
# scripts/demo-download and tests/user_plane.sh: sourced after lib.sh, not run.
#
#	NS-ue      NS-an                   NS-au                  NS-dn
#	curl --- TUN, cpau-storm --- cpau-an, cpau, cpau-n6 --- servers
#
# Sets NS; wants WORK and BUILD.
NS=cpau-$$

in_ns() { # in_ns NAME COMMAND...
	local name=$1
	shift
	ip netns exec "$NS-$name" "$@"
}

# Fails, with a word about it, where namespaces or TUN devices cannot be made.
netns_possible() {
	[ "$(id -u)" -eq 0 ] || { say "network namespaces take root"; return 1; }
	[ -c /dev/net/tun ] || { say "there is no /dev/net/tun here"; return 1; }
	if ! ip netns add "$NS-ue" 2>/dev/null || ! in_ns ue true 2>/dev/null; then
		say "no network namespaces can be made here"
		return 1
	fi
	ip netns del "$NS-ue"
}

# veth_pair NAME-A DEVICE-A NAME-B DEVICE-B: a link; neither end leaves checksums to a NIC that is not there.
veth_pair() {
	ip -n "$NS-$1" link add "$2" type veth peer name "$4" netns "$NS-$3"
	in_ns "$1" ethtool -K "$2" tx off >/dev/null
	in_ns "$3" ethtool -K "$4" tx off >/dev/null
	ip -n "$NS-$1" link set "$2" up
	ip -n "$NS-$3" link set "$4" up
}

# netns_up ACCESS-NODES
netns_up() {
	local name n
	for name in ue an au dn; do
		ip netns add "$NS-$name"
		in_ns "$name" sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
		ip -n "$NS-$name" link set lo up
	done
	veth_pair an an0 au cpau-an
	veth_pair dn dn0 au cpau-n6
	for n in $(seq "$1"); do
		ip -n "$NS-an" addr add "192.0.2.$((99 + n))/24" dev an0
	done
	# SM-DP+, DNS server, and somebody whom no session may reach.
	for n in 80 53 99; do
		ip -n "$NS-dn" addr add "203.0.113.$n/24" dev dn0
		ip -n "$NS-dn" addr add "2001:db8:113::$n/64" dev dn0
	done
	ip -n "$NS-dn" route add 10.45.0.0/16 via 203.0.113.254
	ip -n "$NS-dn" route add 2001:db8:45::/48 via 2001:db8:113::254
}

netns_down() {
	local name
	for name in ue an au dn; do
		# Whatever still runs in it, which is ours alone.
		ip netns pids "$NS-$name" 2>/dev/null | xargs -r kill 2>/dev/null || true
		ip netns del "$NS-$name" 2>/dev/null || true
	done
	rm -rf "/etc/netns/$NS-ue"
}

# user_plane_config CREDENTIALS [YAML-LINE...]: WORK/cpau.yaml and WORK/an.key.
user_plane_config() {
	sed -e "s#lcore: 0,#lcore: $AU_CPU,#; s#file-prefix, cpau#file-prefix, $NS#; s#directory: credentials#directory: $1#" \
		"$ROOT/apps/cpau/conf/user-plane.yaml" >"$WORK/cpau.yaml"
	shift
	printf '%s\n' "$@" >>"$WORK/cpau.yaml"
	[ -f "$WORK/an.key" ] || (umask 077; openssl rand -hex 32 >"$WORK/an.key")
}

# netns_storm [OPTION...]: cpau-storm in the access nodes' namespace.
netns_storm() {
	in_ns an "$BUILD/apps/cpau-storm/cpau-storm" --socket --an-key "$WORK/an.key" --local 192.0.2.100 --peer 192.0.2.1 "$@"
}

# await SECONDS COMMAND...: until it succeeds.
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.1
	done
}
