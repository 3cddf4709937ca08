# What the scripts share: sourced, not run. Sets ROOT; build directories are ROOT/build*.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "$(basename "$0"): $*" >&2; }
die() { say "$*"; exit 1; }

# build DIR [MESON-OPTION...]: configures once, then builds.
build() {
	local dir=$1
	shift
	[ -f "$dir/build.ninja" ] || meson setup "$dir" "$ROOT" "$@" >"$dir.log" 2>&1 ||
		{ tail -n 20 "$dir.log" >&2; die "meson setup failed"; }
	ninja -C "$dir" >"$dir.log" 2>&1 || { grep -v '^\[' "$dir.log" | tail -n 40 >&2; die "the build failed"; }
}

# start_cpau [OPTION...]: one authenticator by WORK/cpau.yaml (with IN_NS before it, if set); its log is WORK/cpau.log, what it says
# at the end WORK/cpau.out.
start_cpau() {
	${IN_NS:-} "$BUILD/apps/cpau/cpau" --config "$WORK/cpau.yaml" "$@" >"$WORK/cpau.out" 2>"$WORK/cpau.log" &
	CPAU_PID=$!
	for _ in $(seq 300); do
		grep -q 'cpau: ready' "$WORK/cpau.log" && return 0
		kill -0 "$CPAU_PID" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$WORK/cpau.log" >&2
	die "cpau did not start"
}

stop_cpau() {
	[ -n "${CPAU_PID:-}" ] || return 0
	kill -TERM "$CPAU_PID" 2>/dev/null || true
	wait "$CPAU_PID" || true
	CPAU_PID=
}

# The lcores of authenticator and generator: the first two CPUs that this process may use, or one
# for both.
pick_cpus() {
	local cpus
	cpus=$(python3 -c 'import os; c = sorted(os.sched_getaffinity(0)); print(c[0], c[-1])')
	AU_CPU=${cpus% *}
	STORM_CPU=${cpus#* }
}

# memif_config CREDENTIALS: WORK/cpau.yaml for one core over memif, from the quickstart configuration. AN_RING,
# here and in storm: slots of memif's rings, as a power of two.
memif_config() {
	sed -e "s#/tmp/cpau-memif.sock#$WORK/memif.sock#; s#lcore: 0,#lcore: $AU_CPU,#" \
		-e "s#file-prefix, cpau#file-prefix, cpau-$$#; s#directory: credentials#directory: $1#" \
		-e "s#rsize=13#rsize=${AN_RING:-13}#" "$ROOT/apps/cpau/conf/quickstart.yaml" >"$WORK/cpau.yaml"
	[ -f "$WORK/an.key" ] || (umask 077; openssl rand -hex 32 >"$WORK/an.key")
}

# storm FLEET [ARGUMENT...]: the generator over memif; standard output is its report.
storm() {
	local fleet=$1
	shift
	"$BUILD/apps/cpau-storm/cpau-storm" --fleet "$fleet" --an-key "$WORK/an.key" \
		--local 192.0.2.100 --peer 192.0.2.1 "$@" -- \
		--no-huge --no-pci -m 512 --file-prefix "storm-$$" -l "$STORM_CPU" --log-level 4 \
		--vdev "net_memif0,role=client,socket=$WORK/memif.sock,socket-abstract=no,bsize=2048,rsize=${AN_RING:-13}" \
		2>"$WORK/storm.log" | grep -v '^EAL\|^TELEMETRY'
	return "${PIPESTATUS[0]}"
}
