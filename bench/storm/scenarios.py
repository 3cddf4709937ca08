# SPDX-License-Identifier: BSD-3-Clause
"""The scenarios. Each is a function of (rig, parameters) that returns its figures, in the order in which
they are to be read; what the two programs said is in rig.runs. The schema is in docs/performance.md."""
import math, os, struct, sys, time

from rig import merged

INTERVAL_MS = 100 # of timelines
IDLE_MS = 1.0     # a latency that is this near to the idle one is as good as it
CALM_S = 1.0      # so long it stays so
RISE = 1.02       # of the goodput; what is less is the machine's noise
NO_DROP = {       # counters of a gate that count no packet given up (lib/gate/gate.h)
    "uplink-packets", "uplink-octets", "downlink-packets", "downlink-octets", "gtpu-echo-requests", "gtpu-echo-responses",
    "gtpu-end-markers", "gtpu-supported-extensions", "gtpu-error-indications", "gtpu-error-indications-sent",
    "fragmented", "icmp-sent", "router-solicitations", "handed-over", "event-ring-full"}
# A lead-in is not measured: memif's rings have no pages until they have been gone round once.


# ---------------------------------------------------------------- what they share

def phase(rate, seconds, name=None):
    return "%d:%g%s" % (round(rate), seconds, ":" + name if name else "")


def arrivals(rate, seconds):
    return math.ceil(round(rate) * seconds)


def through(rig, p, name, phases, options=(), **how):
    """One open-loop storm through (rate, seconds, name) after each other."""
    arguments = ["--prepare", "--timeline", INTERVAL_MS, "--patience", p["patience"]]
    ues = 0
    for rate, seconds, phase_name in phases:
        arguments += ["--phase", phase(rate, seconds, phase_name)]
        ues += arrivals(rate, seconds)
    fleet = how.pop("fleet", None) or rig.fleet(ues)
    run = rig.storm(name, fleet, arguments + list(options), **how)
    for row in run["storm"]["phases"]:
        if row["rate"] > 0:
            show_phase(rig, row)
    return run


def show_phase(rig, row):
    rig.say("%-14s %7.0f/s offered: %7.0f/s attached, p50 %6.1f ms, p99 %7.1f ms; refused %d, by access nodes %d, "
            "timed out %d%s" % (row["name"], row["rate"], row["goodput"], ms(row["p50_us"]), ms(row["p99_us"]),
                                row["refused"], row["shed_by_an"], row["timed_out"],
                                "; THE GENERATOR WAS THE BOTTLENECK" if row["generator_was_bottleneck"] else ""))


def ms(us):
    return (us or 0) / 1000


def phases_of(run):
    return {row["name"]: row for row in run["storm"]["phases"]}


def limited(runs):
    """Phases, or runs without any, in which the generator was the bottleneck. In the closed loop that comes first it
    may be."""
    names = []
    for run in runs:
        phases = [row["name"] for row in run["storm"].get("phases", [])
                  if row["rate"] > 0 and row["generator_was_bottleneck"]]
        if run["name"] != "probe":
            names += phases or ([run["name"]] if run["storm"]["generator"]["bottleneck"] else [])
    return names


def estimate(rig, p, during=None, cpau=None):
    """Attaches a second in a closed loop, which no overload disturbs: where the search for the capacity begins."""
    if p.get("capacity"):
        return float(p["capacity"])
    probe = p["probe"]
    run = rig.storm("probe", rig.fleet(probe["ues"]), ["--ues", probe["ues"], "--in-flight", probe["in-flight"],
                                                       "--duration", probe["seconds"]],
                    cpau=merged({"timers": {"queue-delay": "1s"}}, cpau or {}), during=during)
    rate = run["storm"]["attaches_per_second"]
    rig.say("a closed loop of %d UEs: %.0f attaches/s" % (probe["in-flight"], rate))
    return rate


def climb(rig, p, around):
    """Rates in steps, until a further one does not raise goodput: the steps' rows and the highest goodput."""
    ramp = p["ramp"]
    rows, rate = [], around * ramp["from"]
    while True:
        phases = [(rate / 2, p["lead-in"], "lead-in"), (0, ramp["pause"], "pause")]
        for _ in range(ramp["steps"]):
            phases += [(rate, ramp["seconds"], "ramp-%.0f" % rate), (0, ramp["pause"], "pause")]
            rate *= ramp["step"]
        run = through(rig, p, "ramp", phases)
        rows += [r for r in run["storm"]["phases"] if r["rate"] > 0 and r["name"] != "lead-in"]
        best = max(rows, key=lambda r: r["goodput"])
        if rows[-1]["goodput"] < RISE * max(r["goodput"] for r in rows[:-1]):
            break
    rig.say("capacity %.0f attaches/s" % best["goodput"])
    return rows, best["goodput"]


def load_row(row, load):
    """What result.json says of a load."""
    return {"load": load, "offered": row["rate"], **{k: row[k] for k in (
        "goodput", "p50_us", "p90_us", "p99_us", "refused", "shed_by_an", "timed_out", "failed",
        "generator_was_bottleneck")}}


def windows(run):
    """Start and end in seconds of each phase of a run, and its row."""
    at, out = 0.0, []
    for row in run["storm"]["phases"]:
        out.append((at, at + row["seconds"], row))
        at += row["seconds"]
    return out


# ---------------------------------------------------------------- scenarios

def steady(rig, p):
    """A rate is held."""
    rate = p.get("rate") or p["load"] * estimate(rig, p)
    run = through(rig, p, "steady", [(rate, p["lead-in"], "lead-in"), (rate, p["seconds"], "steady")], profile=True)
    row = phases_of(run)["steady"]
    return {"offered": rate, "goodput": row["goodput"], "started": row["started"], "attached": row["attached"],
            "failed": row["failed"], "p50_us": row["p50_us"], "p90_us": row["p90_us"], "p99_us": row["p99_us"],
            "p99_9_us": row["p99_9_us"], "max_us": row["max_us"]}


def ramp(rig, p):
    """The rate rises until goodput does not."""
    rows, capacity = climb(rig, p, estimate(rig, p))
    kept = [r for r in rows if r["goodput"] >= 0.99 * r["rate"]]
    return {"capacity": capacity, "highest_rate_served": max((r["rate"] for r in kept), default=0),
            "loads": [load_row(r, r["rate"] / capacity) for r in rows]}


def power_restore(rig, p):
    """Everybody at once, and again as told, until all are attached."""
    run = rig.storm("power-restore", rig.fleet(p["ues"]), [
        "--prepare", "--timeline", INTERVAL_MS, "--rate", round(p["ues"] / p["seconds"]), "--ues", p["ues"],
        "--in-flight", p["ues"], "--retry", "--patience", p["patience"], "--t3511", p["t3511"]], profile=True)
    r = run["storm"]
    return {"ues": p["ues"], "attached": r["attached"], "last_s": r["seconds"],
            "attempts": r["attempts"], "refused": r["refused_with_back_off"], "shed_by_an": r["shed_by_an"],
            "retransmissions": r["retransmissions"],
            "latency_s": {k: v / 1e6 for k, v in r["latency_us"].items()}}


def overload(rig, p):
    """Half to ten times the capacity in one run, then calm."""
    rows, capacity = climb(rig, p, estimate(rig, p))
    idle = p["idle"]["load"] * capacity
    phases = [(idle, p["idle"]["seconds"], "idle")]

    def add(load, name):
        seconds = p["seconds"] if load <= 2 else p["seconds-above-2"]
        phases.extend([(0, p["pause"], "pause"), (load * capacity, seconds, name)])

    for load in p["loads"][:-1]:
        add(load, "x%g" % load)
    # The machine may be faster or slower now than during the ramp: its top is climbed again on both sides.
    for load in p["beside"]:
        add(load, "before-%g" % load)
    add(p["loads"][-1], "x%g" % p["loads"][-1])
    for load in p["beside"]:
        add(load, "behind-%g" % load)
    over = sum(seconds for _, seconds, _ in phases)
    phases += [(0, p["after"]["pause"], "pause"), (idle, p["after"]["seconds"], "after")]
    run = through(rig, p, "overload", phases, profile=True)
    by_name = phases_of(run)
    loads = [load_row(by_name["x%g" % load], load) for load in p["loads"]]
    beside = [load_row(by_name["%s-%g" % (side, load)], load) for side in ("before", "behind") for load in p["beside"]]
    most = [max(by_name["%s-%g" % (side, load)]["goodput"] for load in p["beside"]) for side in ("before", "behind")]
    above = [r for r in loads if r["load"] > 1]
    quiet = next(r for r in loads if r["load"] == 0.8)
    return {"goodput_at_10x": loads[-1]["goodput"] / (sum(most) / len(most)),
            "p99_overload_ratio": ratio(max(r["p99_us"] for r in above), quiet["p99_us"]),
            "recovery_s": recovery(run, over, by_name["idle"]["p50_us"]), "idle_p50_us": by_name["idle"]["p50_us"],
            "capacity": capacity, "capacity_before": most[0], "capacity_behind": most[1],
            "goodput_of_ramp": loads[-1]["goodput"] / capacity,
            "ramp": [load_row(r, r["rate"] / capacity) for r in rows], "loads": loads, "beside": beside}


def recovery(run, over, idle_us):
    """Seconds from over, the end of the last load, until the first interval in which UEs were attached and the median
    attach is as quick as at the start, and so it is for a calm second. None: not within the run."""
    line = run["storm"]["timeline"]
    bound = max(1.5 * idle_us, idle_us + 1000 * IDLE_MS)
    back = None
    for i, p50 in enumerate(line["p50_us"]):
        begins = i * line["interval_s"]
        if begins < over - 1e-9 or not line["attached"][i]:
            continue
        if p50 > bound:
            back = None
        elif back is None:
            back = begins
        if back is not None and begins + line["interval_s"] >= back + CALM_S - 1e-9:
            return max(back - over, 0.0)
    return None


def hostile(rig, p):
    """Honest UEs alone, beside hostile ones, beside junk."""
    rate = p.get("rate") or p["load"] * estimate(rig, p)
    seconds, shares = p["seconds"], p["shares"]
    total = sum(shares.values())
    # As many hostile ones as honest ones: half of twice the rate.
    faults = ",".join("%s=%g%%" % (name, 50.0 * share / total) for name, share in shares.items())
    strangers = rig.path("strangers.fleet")
    rig.pki("init", "--force", "--dir", rig.path("elsewhere"))
    rig.pki("fleet", "--dir", rig.path("elsewhere"), "--count", p["strangers"], "--out", strangers)
    fleet = rig.fleet(arrivals(2 * rate, p["lead-in"]) + arrivals(2 * rate, seconds))
    phases = lambda times, name: [(times * rate, p["lead-in"], "lead-in"), (times * rate, seconds, name)]
    clean = through(rig, p, "clean", phases(1, "clean"), fleet=fleet)
    beside = through(rig, p, "hostile", phases(2, "hostile"),
                     ["--hostile-fleet", strangers, "--fault", faults], fleet=fleet, profile=True)
    junk = through(rig, p, "junk", phases(1, "junk"),
                   ["--junk", "%d:%s" % (p["junk"]["times"] * rate, p["junk"]["kind"])], fleet=fleet)
    figures = {"rate": rate, "goodput_clean": honest(clean)["goodput"]}
    for key, run in (("hostile", beside), ("junk", junk)):
        figures["goodput_" + key] = honest(run)["goodput"] / honest(clean)["goodput"]
    for key, run in (("clean", clean), ("hostile", beside), ("junk", junk)):
        figures["honest_refused_" + key] = honest(run)["refused"]
    figures["p99_ratio_hostile"] = ratio(honest(beside)["p99_us"], honest(clean)["p99_us"])
    figures["p99_ratio_junk"] = ratio(honest(junk)["p99_us"], honest(clean)["p99_us"])
    figures["hostile_sent"] = beside["storm"]["faults"]["sent"]
    figures["hostile_as_expected"] = beside["storm"]["faults"]["as_expected"]
    figures["junk_sent"] = junk["storm"]["junk"]["sent"]
    figures["modes"] = [dict(mode=key, **honest(run)) for key, run in
                        (("clean", clean), ("hostile", beside), ("junk", junk))]
    return figures


def honest(run):
    """Well-behaved UEs of a run; they alone are in the counters of a phase."""
    row = phases_of(run)[run["name"]]
    return {k: row[k] for k in ("attached", "goodput", "failed", "p50_us", "p90_us", "p99_us", "max_us")} | {
        "refused": row["refused"] + row["shed_by_an"]}


def ratio(a, b):
    return a / b if b else None


def churn(rig, p):
    """Attach, detach, attach again."""
    rate = p.get("rate") or p["load"] * estimate(rig, p) / p["cycles"]
    run = through(rig, p, "churn", [(rate, p["seconds"], "churn")], ["--cycles", p["cycles"]], profile=True)
    r = run["storm"]
    return {"ues": r["started"], "attaches": r["cycles"]["attaches"], "detaches": r["cycles"]["detaches"],
            "failed": r["failed"], "attaches_per_second": r["attaches_per_second"], "seconds": r["seconds"],
            "p50_us": r["latency_us"]["p50"], "p99_us": r["latency_us"]["p99"]}


# ---- reload

def serial_of(fleet, index):
    """Serial number, in hex, of a device's Cert_eUICC (lib/pki/fleet.h; DER)."""
    with open(fleet, "rb") as file:
        header = file.read(128)
        entry_size, count = struct.unpack_from("<IQ", header, 12)
        entries, = struct.unpack_from("<Q", header, 24)
        file.seek(entries + index * entry_size)
        offset, length = struct.unpack_from("<QI", file.read(entry_size), 48)
        file.seek(offset)
        der = file.read(length)

    def inside(at): # a TLV: where its content begins, and where it ends
        n = der[at + 1]
        if n < 0x80:
            return at + 2, at + 2 + n
        size = int.from_bytes(der[at + 2:at + 2 + (n & 0x7f)], "big")
        return at + 2 + (n & 0x7f), at + 2 + (n & 0x7f) + size

    at, _ = inside(inside(0)[0]) # Certificate, TBSCertificate
    if der[at] == 0xa0:
        at = inside(at)[1] # version
    begin, end = inside(at)
    return der[begin:end].hex()


def reload(rig, p):
    """A CRL of a million entries is swapped in under load, several times."""
    rate = p.get("rate") or p["load"] * estimate(rig, p)
    seconds, at = p["seconds"], p["reload-at"]
    credentials = rig.credentials
    issuer, in_force = os.path.join(credentials, "eum/meters-p256.crt"), os.path.join(credentials, "crl/meters.crl")
    if os.path.exists(in_force): # by an earlier round
        os.remove(in_force)
    if not os.path.exists(issuer): # only an EUM of SGP.22 v3 may sign a list of its eUICCs
        rig.pki("eum", "--dir", credentials, "--name", "meters", "--prefix", "89044046", "--variant", "c")
    ues = arrivals(rate, seconds)
    fleet = rig.fleet(ues, "meters", ("--eum", "meters"))
    # Some that come before the list and some that come well after it; who comes between proves nothing.
    early = spread(0, rate * (at - 0.5), p["revoked"] // 2)
    late = spread(rate * (at + p["settle"]), ues, p["revoked"] // 2)
    ready = rig.path("meters.crl")
    rig.say("making a CRL of %s entries" % format(p["entries"], ","))
    rig.pki("crl", "--issuer", issuer, "--key", os.path.join(credentials, "private/eum-meters-p256.key"),
            "--random", p["entries"] - len(early) - len(late), "--out", ready,
            *sum((["--revoke", serial_of(fleet, i)] for i in early + late), []))
    begin = [at + i * p["every"] for i in range(p["swaps"])]
    swaps = []

    def during(live):
        for i, when in enumerate(begin):
            if not live.wait(lambda: live.storm_time() >= when):
                return
            if i == 0:
                os.rename(ready, in_force)
            began, clock = live.storm_time(), time.monotonic()
            live.signal()
            if live.wait(lambda: live.read("cpau.log").count("credentials reloaded") > i):
                swaps.append((began, began + time.monotonic() - clock))

    # Of each second its own percentiles.
    run = through(rig, p, "reload", [(rate, 1, "second-%d" % i) for i in range(seconds)], fleet=fleet, during=during,
                  profile=True)
    if len(swaps) < len(begin):
        sys.exit("bench reload: the list was not loaded within the run")
    if any(end > when + p["settle"] for when, (_, end) in zip(begin, swaps)):
        sys.exit("bench reload: the list came too late for 'settle': %s" % swaps)
    r, line = run["storm"], run["storm"]["timeline"]
    revoked = r["failed_by_cause"].get("cert-revoked", 0)
    # Of each swap the worst second of it and the worst of two before it. The swap in the middle: the machine has
    # bad moments of its own.
    pairs = sorted(((p99_of_second(run, when - 2, when), p99_of_second(run, when, math.ceil(max(end, when + 1))))
                    for when, (_, end) in zip(begin, swaps)), key=lambda pair: pair[1] / pair[0])
    before, loading = pairs[len(pairs) // 2]
    return {"offered": rate, "entries": p["entries"], "reload_s": max(end - began for began, end in swaps),
            "lost": r["failed"] - revoked, "attached": r["attached"],
            "revoked_attached_before": len(early) - failed_until(line, at),
            "revoked_refused_after": revoked - failed_until(line, at),
            "revoked_attached_after": len(late) - (revoked - failed_until(line, at)),
            "p99_before_us": before, "p99_swap_us": loading, "p99_ratio": ratio(loading, before),
            "p99_ratio_worst": ratio(*reversed(pairs[-1])), "swaps": swaps}


def p99_of_second(run, first, end):
    """The highest of these seconds."""
    return max(phases_of(run)["second-%d" % i]["p99_us"] for i in range(first, end))


def spread(first, end, count):
    """So many device numbers, evenly between."""
    return [int(first + (end - first) * (i + 0.5) / count) for i in range(count)]


def failed_until(line, seconds):
    return sum(n for i, n in enumerate(line["failed"]) if (i + 1) * line["interval_s"] <= seconds)


def million(rig, p):
    """A million UEs are attached, and all are so at once."""
    small, held = p["cpau"]["ue"]["max"] // 16, {}
    bare = {}
    eal = ["--no-huge", "--no-pci", "-m", str(p["memory"]), "--file-prefix", "cpau-million-%d" % os.getpid()]
    estimate(rig, p, during=lambda live: watch(live, eal[-1], bare), cpau={"eal": eal, "ue": {"max": small}})
    run = rig.storm("million", rig.fleet(p["ues"]), [
        "--ues", p["ues"], "--in-flight", p["in-flight"], "--patience", p["patience"], "--timeline", INTERVAL_MS],
        cpau={"eal": eal, "timers": {"queue-delay": "1s"}}, profile=True, during=lambda live: watch(live, eal[-1], held))
    r, line = run["storm"], run["storm"]["timeline"]
    tenth = max(len(line["attached"]) // 10, 1)
    rate = lambda counts: sum(counts) / len(counts) / line["interval_s"]
    return {"attached_at_once": held["attached"], "attaches_per_second": r["attaches_per_second"],
            "seconds": r["seconds"], "failed": r["failed"], "resident_mb": held["resident"] / 1e6,
            "octets_per_ue": (held["resident"] - bare["resident"]) / (p["cpau"]["ue"]["max"] - small),
            "first_tenth_per_second": rate(line["attached"][:tenth]),
            "last_tenth_per_second": rate(line["attached"][-tenth - 1:-1]),
            "p50_us": r["latency_us"]["p50"], "p99_us": r["latency_us"]["p99"]}


def watch(live, prefix, seen):
    """The most UEs that cpau held attached at a time, by its telemetry, and the octets that it had in memory then."""
    pid = live.pid()
    seen.update(attached=0, resident=0)
    while pid and not live.over:
        attached = live.telemetry(prefix, "/cpau/ues").get("attached", 0)
        if attached >= seen["attached"]:
            seen.update(attached=attached, resident=live.resident(pid) or seen["resident"])
        time.sleep(0.02)


def mixed(rig, p):
    """A storm, packets through sessions, and both at a time, on one core."""
    everybody = p["sessions"] + p["ues"]
    fleet = rig.fleet(everybody)
    load = ["--load", "%d:%g" % (p["octets"], p["seconds"]), "--load-hostile", p["hostile"]]
    both = load + ["--load-beside", p["sessions"], "--timeline", INTERVAL_MS]

    def run(name, ues, options, profile=False):
        return rig.storm(name, fleet, ["--ues", ues, "--in-flight", p["in-flight"], "--patience", p["patience"]] + options,
                         profile=profile)["storm"]

    attaches = run("attaches-alone", everybody, ["--hold", "0.001"])["attaches_per_second"]
    packets = run("packets-alone", p["sessions"], load)["load"]["mpps"]
    r = run("mixed", everybody, both, profile=True)
    dropped = drops(rig.runs[-1])
    figures = {"attaches_per_second": r["load"]["attaches_per_second"], "attaches_alone": attaches,
               "mpps": r["load"]["mpps"], "mpps_alone": packets}
    rig.say("%.0f attaches/s alone, %.2f million packets/s alone; together %.0f and %.2f" % (
        attaches, packets, figures["attaches_per_second"], figures["mpps"]))
    return {**figures, "attach_share": figures["attaches_per_second"] / attaches, "gate_share": figures["mpps"] / packets,
            "sessions": p["sessions"], "attached": r["attached"], "failed": r["failed"],
            "p50_us": r["latency_us"]["p50"], "p99_us": r["latency_us"]["p99"],
            "hostile_sent": r["load"]["hostile_sent"], "hostile_came_out": r["load"]["hostile_received"],
            "dropped": sum(dropped.values())}


def drops(run):
    """Packets that a gate did not pass, by the one reason that each was counted under."""
    return {k: v for k, v in run["cpau"].get("gate", {}).items() if k not in NO_DROP}


SCENARIOS = {"steady": steady, "ramp": ramp, "power-restore": power_restore, "overload": overload,
             "hostile": hostile, "churn": churn, "reload": reload, "million": million, "mixed": mixed}
