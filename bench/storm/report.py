# SPDX-License-Identifier: BSD-3-Clause
"""report.html: one page that explains a run to somebody who has never seen the project."""
import datetime, html, os

import plots
from plots import Series
from scenarios import drops, limited, windows

HERE = os.path.dirname(os.path.abspath(__file__))
WHAT = ("<b>cpau</b> is a network function that lets devices without a subscription attach to a mobile network: it "
        "verifies a device's factory certificate, proves the network to it, and sets up keys and a restricted "
        "session. One such <em>attach</em> is five messages of the device and six public-key operations of the "
        "network. Here %s ran on its own processor against <b>cpau-storm</b>, which plays %d access nodes and the "
        "devices, on another.")


# ---------------------------------------------------------------- words and numbers

def esc(text):
    return html.escape(str(text))


def count(value):
    return format(int(round(value)), ",")


def plural(value, one, many):
    return "%s %s" % (count(value), one if round(value) == 1 else many)


def duration(us):
    """A latency, with as many digits as are worth reading."""
    if us is None:
        return "–"
    if us < 1000:
        return "%d µs" % us
    if us < 10000:
        return "%.1f ms" % (us / 1e3)
    return "%.0f ms" % (us / 1e3) if us < 1e6 else "%.2f s" % (us / 1e6)


def share(value):
    return "–" if value is None else "%.0f%%" % (100 * value) if value > 0.1 else "%.1f%%" % (100 * value)


def times(value):
    return "–" if value is None else "%.2f×" % value if value < 10 else "%.0f×" % value


def day(text):
    """25 November 2026, 22:55"""
    when = datetime.datetime.fromisoformat(text)
    return "%d %s" % (when.day, when.strftime("%B %Y, %H:%M"))


def seconds(value):
    return "not in this run" if value is None else "%.1f s" % value


# ---------------------------------------------------------------- parts of the page

def figure(heading, svg, caption):
    return "<figure><h3>%s</h3>%s<figcaption>%s</figcaption></figure>" % (esc(heading), svg, esc(caption))


def table(head, rows, text_columns=()):
    """head may be empty."""
    cells = "".join("<th>%s</th>" % esc(h) for h in head)
    top = "<thead><tr>%s</tr></thead>" % cells if head else ""
    body = "".join("<tr>%s</tr>" % "".join(
        "<td%s>%s</td>" % (' class="text"' if i in text_columns else "", esc(c)) for i, c in enumerate(row))
        for row in rows)
    return '<div class="scroll"><table>%s<tbody>%s</tbody></table></div>' % (top, body)


def main_run(result):
    """The run that the page is about: the one that is called as the scenario is."""
    return next(r for r in reversed(result["runs"]) if r["name"] == result["scenario"])


def all_or_part(part, whole):
    return "all %s" % count(whole) if part == whole else "%s of %s" % (count(part), count(whole))


def axis(run):
    line = run["storm"]["timeline"]
    return [i * line["interval_s"] for i in range(len(line["attached"]))]


def rate_of(run, key):
    line = run["storm"]["timeline"]
    return [n / line["interval_s"] for n in line[key]]


def interval_ends(run):
    line = run["storm"]["timeline"]
    return [(i + 1) * line["interval_s"] for i in range(len(line["attached"]))]


def cumulative(values):
    out, total = [], 0
    for v in values:
        total += v
        out.append(total)
    return out


def bands_of(run):
    """Phases with a load, named where there is room."""
    parts = [(a, b, row) for a, b, row in windows(run) if row["rate"] > 0]
    if len(parts) < 2:
        return []
    return [(a, b, row["name"].replace("x", "×") if row["name"][0] == "x" else "") for a, b, row in parts]


def flow_over_time(run, bands=()):
    return figure("Offered and attached", plots.curves(
        "Offered and attached over time",
        [Series("begun", axis(run), rate_of(run, "started"), "b", "steps"),
         Series("attached", axis(run), rate_of(run, "attached"), "a", "line")],
        "seconds", "UEs a second", bands=bands),
        "How many devices (UEs) began to attach, and how many were attached, in each %g ms%s." %
        (1000 * run["storm"]["timeline"]["interval_s"],
         "; shaded, the loads, in multiples of the capacity" if any(b[2] for b in bands) else ""))


def latency_over_time(run, caption, bands=()):
    line = run["storm"]["timeline"]
    ms = lambda key: [v / 1000 if v and n else None for v, n in zip(line[key], line["attached"])]
    return figure("Latency over time", plots.curves(
        "Latency over time", [Series("99th percentile", axis(run), ms("p99_us"), "b"),
                              Series("median", axis(run), ms("p50_us"), "a")],
        "seconds", "ms until attached", log_y=True, bands=bands), caption)


def turned_away(run, bands=()):
    line = run["storm"]["timeline"]
    # Of those who do not come back, refusals are failures too.
    told = lambda i: 0 if "--retry" in run["arguments"] else line["refused"][i] + line["shed_by_an"][i]
    other = [max(n - told(i), 0) for i, n in enumerate(line["failed"])]
    kinds = [("held back by access nodes", line["shed_by_an"], "d"), ("refused by cpau", line["refused"], "b"),
             ("failed", other, "c")]
    drawn = [Series(title, axis(run), [n / line["interval_s"] for n in values], colour)
             for title, values, colour in kinds if any(values)]
    if not drawn:
        return ""
    return figure("Turned away", plots.curves("Turned away over time", drawn, "seconds", "UEs a second", bands=bands),
                  "Who was told to come later, by the network or by its access node on the network's behalf, and who "
                  "got no further, in each interval.")


def goodput_against_load(rows, capacity):
    marks = [r["load"] for r in rows]
    wide = max(marks) / min(marks) > 4
    curve = [Series("offered", [r["load"] for r in rows if r["load"] <= 1.25] or marks,
                    [r["offered"] for r in rows if r["load"] <= 1.25] or [r["offered"] for r in rows], "c", "dashes"),
             Series("attached", marks, [r["goodput"] for r in rows], "a", "points")]
    return figure("Goodput against offered load", plots.curves(
        "Goodput against offered load", curve, "offered load, in multiples of the capacity", "UEs a second",
        log_x=marks if wide else None, lines=[(capacity, "capacity")]),
        "Up to its capacity all that is offered should be attached; beyond it, the blue line should stay as high "
        "as the dashed one.")


def latency_against_load(rows):
    marks = [r["load"] for r in rows]
    wide = max(marks) / min(marks) > 4
    ms = lambda key: [r[key] / 1000 if r.get(key) else None for r in rows]
    return figure("Latency against offered load", plots.curves(
        "Latency against offered load",
        [Series("99th percentile", marks, ms("p99_us"), "b", "points"),
         Series("median", marks, ms("p50_us"), "a", "points")],
        "offered load, in multiples of the capacity", "ms until attached", log_y=True, log_x=marks if wide else None),
        "How long those waited who were attached: half of them less than the median, one in a hundred longer than "
        "the 99th percentile.")


def loads_table(rows):
    return table(["load", "offered /s", "attached /s", "median", "90%", "99%", "refused",
                  "held back by ANs", "timed out", "other failures"],
                 [["%.2f×" % r["load"], count(r["offered"]), count(r["goodput"]), duration(r["p50_us"]),
                   duration(r["p90_us"]), duration(r["p99_us"]), count(r["refused"]),
                   count(r["shed_by_an"]), count(r["timed_out"]),
                   count(max(r["failed"] - r["timed_out"] - r["refused"] - r["shed_by_an"], 0))]
                  for r in rows])


def attempts(r):
    rows = [("mean", r["attempts"]["mean"], "%.2f" % r["attempts"]["mean"], "a"),
            ("most", r["attempts"]["max"], "%d" % r["attempts"]["max"], "b")]
    return figure("Attempts", plots.bars("Attempts", rows, ""),
                  "How often a device asked until it was attached: on average, and the one that had to most often.")


def failures(run, where=""):
    """Causes as cpau counted them, and how devices saw their attach end."""
    seen = sorted(run["storm"]["failed_by_cause"].items(), key=lambda kv: -kv[1])
    counted = sorted(run["cpau"]["causes"].items(), key=lambda kv: -kv[1])
    out = ""
    if counted:
        out += figure("By cause" + where, plots.bars("Causes counted by cpau" + where, [
            (k, v, count(v), "b") for k, v in counted[:10]], ""),
            "How often cpau refused or dropped a message or ended an attach, by the one cause that it was counted "
            "under.")
    if seen:
        out += table(["how a device's attach ended, if not well", "devices"], [[k, count(v)] for k, v in seen])
    return out or "<p>Nothing was refused%s.</p>" % where


def all_failures(result):
    if result["scenario"] != "hostile":
        return failures(main_run(result))
    by_name = {r["name"]: r for r in result["runs"]}
    met = main_run(result)["storm"]["faults"]["by_name"]
    return failures(by_name["hostile"], ", beside hostile devices") + \
        table(["hostile devices", "sent"], [[k, count(v)] for k, v in met.items()]) + \
        failures(by_name["junk"], ", beside junk")


def steps(run):
    """Where in the procedure the latency is."""
    names = {"authentication": "AUTHENTICATION REQUEST", "security_mode": "SECURITY MODE COMMAND",
             "accept": "ATTACH ACCEPT", "session": "PDU session: attached"}
    return "<h3>Latency by step</h3>" + table(
        ["until", "median", "90%", "99%", "99.9%", "most"],
        [[names.get(k, k)] + [duration(v[q]) for q in ("p50", "p90", "p99", "p99_9", "max")]
         for k, v in run["storm"]["steps"].items()])


def core_time(run):
    busy, attached = run["cpau"]["busy_seconds"], max(run["cpau"]["events"].get("attached", 0), 1)
    parts = [("public key", busy["public_key"], "a"),
             ("hashes, batches", busy["crypto"] - busy["public_key"], "c"),
             ("control", busy["control"], "b"),
             ("worker", busy["worker"], "d")]
    gate = busy.get("gate", 0)
    if gate > 0:
        parts.append(("gate", gate, "a"))
    total = sum(v for _, v, _ in parts) or 1
    return figure("Where the core's time went", plots.bars(
        "Where the core's time went", [(n, v, "%.0f%%, %.1f µs" % (100 * v / total, 1e6 * v / attached), c)
                                       for n, v, c in parts], ""),
        "Share of the time in which cpau's core had work (%.1f s of a storm of %.1f s), and microseconds for each "
        "device that was attached: arithmetic on P-256, the rest of the crypto stage, control (keys, state of devices, "
        "answers)%s worker (packets and certificates)%s." % (
            total, run["storm"]["seconds"], *((",", " and gate (packets of sessions)") if gate > 0 else (" and", ""))))


def counters(run):
    rows = [[k, count(v)] for part in ("events", "causes", "net", "gate") for k, v in run["cpau"].get(part, {}).items()]
    return table(["counter of cpau", "value"], rows)


# ---------------------------------------------------------------- what each scenario says

def steady(r):
    run = main_run(r)
    text = ("Devices arrived at %s a second for %g seconds, whether or not answers came (open loop). %s of %s were "
            "attached." % (count(r["offered"]), r["parameters"]["seconds"], count(r["attached"]), count(r["started"])))
    verdict = [("%s /s" % count(r["goodput"]), "attached, of %s /s offered" % count(r["offered"])),
               (duration(r["p50_us"]), "median latency, from the moment at which a device wanted to attach"),
               (duration(r["p99_us"]), "99th percentile"), (count(r["failed"]), "failed")]
    body = flow_over_time(run) + latency_over_time(run, "Latency of those attached in each interval; a flat line is a "
                                                        "core that keeps up.") + turned_away(run)
    return text, verdict, body, ""


def ramp(r):
    text = ("The rate of arrivals rose in steps of %g s until a further step did not raise the number of devices "
            "attached a second. That number is the capacity: <b>%s attaches a second</b>. Up to %s a second everybody "
            "was served." % (r["parameters"]["ramp"]["seconds"], count(r["capacity"]), count(r["highest_rate_served"])))
    verdict = [("%s /s" % count(r["capacity"]), "capacity: most attaches a second"),
               ("%s /s" % count(r["highest_rate_served"]), "highest rate at which 99% were attached at once")]
    run = main_run(r)
    body = goodput_against_load(r["loads"], r["capacity"]) + latency_against_load(r["loads"]) + \
        flow_over_time(run, bands_of(run)) + turned_away(run, bands_of(run))
    return text, verdict, body, loads_table(r["loads"])


def overload(r):
    loads = r["parameters"]["loads"]
    text = ("First the rate was raised in steps to find the capacity, <b>%s attaches a second</b>. Then one cpau "
            "met %s times of that, with pauses between, and a low rate before and after. A network function that "
            "does this well attaches as many under ten times its capacity as at it, does not let those wait whom it "
            "accepts, and is back to normal as soon as the storm is over." %
            (count(r["capacity"]), ", ".join("%g" % l for l in loads)))
    verdict = [("%s /s" % count(r["capacity"]), "capacity of the core; %s and %s right before and behind the last load" %
                (count(r["capacity_before"]), count(r["capacity_behind"]))),
               (share(r["goodput_at_10x"]), "of these two were still attached at %g times the load" % loads[-1]),
               (times(r["p99_overload_ratio"]), "99th percentile of those accepted, above capacity, against 0.8 of it"),
               (seconds(r["recovery_s"]), "until latency was normal again")]
    run = main_run(r)
    bands = bands_of(run)
    body = goodput_against_load(r["loads"], r["capacity"]) + latency_against_load(r["loads"]) + \
        flow_over_time(run, bands) + latency_over_time(
            run, "Latency of those attached in each interval; at the left the idle machine (median %s), at the "
                 "right its return to that." % duration(r["idle_p50_us"]), bands) + turned_away(run, bands)
    tables = "<h3>The loads</h3>" + loads_table(r["loads"]) + "<h3>Right before and behind the last of them</h3>" + \
        loads_table(r["beside"]) + "<h3>The ramp that found the capacity</h3>" + loads_table(r["ramp"])
    return text, verdict, body, tables


def power_restore(r):
    p = r["parameters"]
    text = ("Power returns to a city: %s meters begin to attach within %g seconds, several times what one core "
            "serves. Those that the network or their access node turns away come back when they were told to, as the "
            "standards have it, until all are attached." % (count(r["ues"]), p["seconds"]))
    verdict = [(all_or_part(r["attached"], r["ues"]), "were attached"),
               ("%.1f s" % r["last_s"], "until the last one was"),
               ("%.2f" % r["attempts"]["mean"], "attempts of a device on average; at most %d" % r["attempts"]["max"]),
               ("%.1f s" % r["latency_s"]["p50"], "median; 99%% within %.1f s" % r["latency_s"]["p99"])]
    run = main_run(r)
    line = run["storm"]["timeline"]
    body = figure("The city returns", plots.curves(
        "UEs attached over time", [Series("begun", interval_ends(run), cumulative(line["started"]), "b", "dashes"),
                                   Series("attached", interval_ends(run), cumulative(line["attached"]), "a", "area")],
        "seconds since power returned", "UEs"),
        "Devices that have begun, and devices that are attached: the nearer the area to a straight line, the better "
        "the core was used.")
    body += figure("Attached a second", plots.curves(
        "Attached a second", [Series("attached", axis(run), rate_of(run, "attached"), "a", "steps")],
        "seconds since power returned", "UEs a second"),
        "The rate at which devices were attached in each interval.")
    body += latency_over_time(run, "From the moment at which a device wanted to attach, all its attempts and waits "
                                   "included.") + turned_away(run) + attempts(r)
    return text, verdict, body, ""


def hostile(r):
    p = r["parameters"]
    kinds = ", ".join("%s (%g%%)" % (k, 100 * v / sum(p["shares"].values())) for k, v in p["shares"].items())
    part = "" if p.get("rate") else ", %g of what the core serves" % p["load"]
    text = ("Honest devices arrived at %s a second%s: first alone; then with as many hostile ones beside them: %s; "
            "then with %g times as many junk datagrams (%s). Honest devices should notice nothing." %
            (count(r["rate"]), part, esc(kinds), p["junk"]["times"], esc(p["junk"]["kind"])))
    verdict = [(share(r["goodput_hostile"]), "of the honest goodput was left beside hostile devices"),
               (share(r["goodput_junk"]), "was left beside junk"),
               ("%s, %s" % (count(r["honest_refused_hostile"]), count(r["honest_refused_junk"])),
                "honest devices turned away, beside hostile ones and beside junk"),
               (all_or_part(r["hostile_as_expected"], r["hostile_sent"]),
                "hostile devices met what the protocol has for them")]
    colours = {"clean": "a", "hostile": "b", "junk": "d"}
    body = figure("Honest devices attached a second", plots.bars(
        "Honest goodput", [(m["mode"], m["goodput"], count(m["goodput"]), colours[m["mode"]]) for m in r["modes"]],
        "/s"), "Goodput of honest devices alone, beside hostile ones, and beside junk.")
    body += figure("99th percentile of their latency", plots.bars(
        "99th percentile", [(m["mode"], m["p99_us"] / 1000, duration(m["p99_us"]), colours[m["mode"]])
                            for m in r["modes"]], ""), "How long honest devices waited in the three cases.")
    lines, latencies = [], []
    for run in r["runs"]:
        if run["name"] in colours:
            line = run["storm"]["timeline"]
            lines.append(Series(run["name"], axis(run), rate_of(run, "attached"), colours[run["name"]]))
            latencies.append(Series(run["name"], axis(run), [v / 1000 if v and n else None for v, n in
                                                            zip(line["p99_us"], line["attached"])],
                                    colours[run["name"]]))
    if lines:
        body += figure("Attached over time", plots.curves("Attached over time", lines, "seconds", "UEs a second"),
                       "The three runs over each other.")
        body += figure("Latency over time", plots.curves(
            "99th percentile over time", latencies, "seconds", "ms, 99th percentile", log_y=True),
            "99th percentile of each interval in the three runs.")
    tables = table(["beside honest devices", "attached /s", "median", "99%", "turned away", "failed"],
                   [[m["mode"], count(m["goodput"]), duration(m["p50_us"]), duration(m["p99_us"]), count(m["refused"]),
                     count(m["failed"])] for m in r["modes"]])
    return text, verdict, body, tables


def churn(r):
    run = main_run(r)
    text = ("%s devices attached, detached and attached again, %d times each: what fleets do whose devices report "
            "once and leave." % (count(r["ues"]), r["parameters"]["cycles"]))
    verdict = [("%s /s" % count(r["attaches_per_second"]), "attaches over the whole run"),
               (count(r["attaches"]), "attaches of %s devices, and %s detaches" %
                (count(r["ues"]), count(r["detaches"]))),
               (count(r["failed"]), "failed"), (duration(r["p99_us"]), "99th percentile of an attach")]
    body = flow_over_time(run) + latency_over_time(run, "Latency of the attaches that ended in each interval.") + \
        turned_away(run)
    return text, verdict, body, ""


def reload(r):
    run = main_run(r)
    text = ("While devices attached at %s a second, a revocation list of %s entries was swapped in by a signal, and "
            "again so until it had been %s. It was loaded and in force %.2f s later at most. No device should notice, but "
            "for those on the list: of these, %s came before it and were attached, and %s came after it." %
            (count(r["offered"]), count(r["entries"]), plural(len(r["swaps"]), "time", "times"), r["reload_s"], count(r["revoked_attached_before"]),
             count(r["revoked_refused_after"] + r["revoked_attached_after"])))
    verdict = [(count(r["lost"]), "devices lost that were not on the list"),
               (times(r["p99_ratio"]), "99th percentile in the seconds of a swap, against those before; %s in the worst of them" %
                times(r["p99_ratio_worst"])),
               (count(r["revoked_attached_after"]), "revoked devices attached afterwards; %s were refused" %
                count(r["revoked_refused_after"])),
               ("%.2f s" % r["reload_s"], "from the signal until the list was in force, at most")]
    bands = [(first, end, "") for first, end in r["swaps"]]
    body = flow_over_time(run, bands) + latency_over_time(
        run, "Latency of those attached in each interval; shaded, the times in which the list was loaded.", bands) + \
        turned_away(run, bands)
    return text, verdict, body, ""


def million(r):
    run = main_run(r)
    text = ("%s devices were attached one after the other, as fast as the core could, and none was let go: how many "
            "a network function holds at once decides what a city's meters find when power returns." %
            count(r["parameters"]["ues"]))
    verdict = [(count(r["attached_at_once"]), "devices attached at once"),
               ("%s /s" % count(r["attaches_per_second"]), "attached on average; %s in the first tenth of the time, %s in "
                "the last" % (count(r["first_tenth_per_second"]), count(r["last_tenth_per_second"]))),
               ("%s MB" % count(r["resident_mb"]), "of memory in all"),
               (count(r["octets_per_ue"]), "octets of them for each device that there is room for"),
               (count(r["failed"]), "failed")]
    line = run["storm"]["timeline"]
    body = figure("Attached", plots.curves(
        "Attached over time", [Series("attached", interval_ends(run), cumulative(line["attached"]), "a", "area")],
        "seconds", "UEs"), "Devices that are attached: a straight line is a core that the full table does not slow down.")
    body += flow_over_time(run) + latency_over_time(run, "Latency of those attached in each interval.") + turned_away(run)
    return text, verdict, body, ""


def mixed(r):
    p, run = r["parameters"], main_run(r)
    line, gate = run["storm"]["timeline"], run["cpau"]["gate"]
    text = ("Three times on one core: %s devices attach, as fast as they are served; packets of %s octets go through the "
            "sessions of %s others, as fast as they are taken; and both at a time. %g in a hundred packets are such as no "
            "session may send: to an address beside the allowed one, to another port of it, in fragments, from another "
            "device's address. A core that has too little for both gives half to each." %
            (count(p["ues"]), count(p["octets"]), count(p["sessions"]), p["hostile"]))
    verdict = [("%s /s" % count(r["attaches_per_second"]), "attaches beside packets: %s of %s /s alone" % (
                   share(r["attach_share"]), count(r["attaches_alone"]))),
               ("%.2f million/s" % r["mpps"], "packets beside attaches: %s of %.2f million/s alone" % (
                   share(r["gate_share"]), r["mpps_alone"])),
               (duration(r["p99_us"]), "99th percentile of an attach beside packets"), (count(r["failed"]), "failed"),
               ("%s of %s" % (count(r["hostile_came_out"]), count(r["hostile_sent"])), "hostile packets came out")]
    body = figure("Attaches a second", plots.bars(
        "Attaches a second", [("alone", r["attaches_alone"], count(r["attaches_alone"]), "b"),
                              ("beside packets", r["attaches_per_second"], count(r["attaches_per_second"]), "a")], "/s"),
        "What the core does when it has nothing else to do, and while it forwards packets.")
    body += figure("Packets a second", plots.bars(
        "Packets a second", [("alone", r["mpps_alone"], "%.2f million" % r["mpps_alone"], "b"),
                             ("beside attaches", r["mpps"], "%.2f million" % r["mpps"], "a")], "/s"),
        "Packets that came out on the data network's side.")
    body += figure("Packets over time", plots.curves(
        "Packets over time", [Series("came out", axis(run), [n / line["interval_s"] / 1e6 for n in line["packets"]], "a",
                                     "steps")], "seconds", "million packets a second"),
        "They begin when %s devices are attached, and end when all are." % count(p["sessions"]))
    body += flow_over_time(run) + latency_over_time(run, "Latency of those attached in each interval.") + turned_away(run)
    dropped = sorted(drops(run).items(), key=lambda kv: -kv[1])
    if dropped:
        body += figure("Packets dropped, by reason", plots.bars(
            "Packets dropped", [(k, v, count(v), "b") for k, v in dropped[:10]], ""),
            "Each packet that the gate did not pass, by the one reason that it was counted under.")
    held = run["storm"]["sessions"]["held"]
    rows = [["sessions at the end", count(held)]] + [
        [name, count(gate.get(key, 0))] for name, key in (
            ("packets to the data network", "uplink-packets"), ("octets of them", "uplink-octets"),
            ("packets to devices", "downlink-packets"), ("octets of them", "downlink-octets"))] + [
        ["dropped: " + k, count(v)] for k, v in dropped]
    return text, verdict, body, "<h3>The user plane</h3>" + table(["", ""], rows)


TELL = {"steady": steady, "ramp": ramp, "overload": overload, "power-restore": power_restore, "hostile": hostile,
        "churn": churn, "reload": reload, "million": million, "mixed": mixed}


# ---------------------------------------------------------------- the page

def host_rows(result):
    host = result["host"]
    return [["program", result["version"]], ["date", day(result["date"])], ["crypto backend", result["backend"]],
            ["processor", host["cpu"]], ["processors", host["cpus"]], ["kernel", host["kernel"]]]


def page(result, out):
    text, verdict, body, tables = TELL[result["scenario"]](result)
    run = main_run(result)
    with open(os.path.join(HERE, "style.css")) as file:
        style = file.read()
    parts = ["<h1>cpau under a storm: %s</h1>" % esc(result["scenario"]),
             '<p class="where">%s, %s, %s, crypto backend %s</p>' %
             tuple(map(esc, (day(result["date"]), result["host"]["cpu"], result["version"], result["backend"]))),
             "<p>%s %s</p>" % (WHAT % ("one cpau", result["parameters"]["access-nodes"]), text),
             '<ul class="verdict">%s</ul>' % "".join("<li><b>%s</b>%s</li>" % tuple(map(esc, v)) for v in verdict)]
    if result["generator_was_bottleneck"]:
        parts.append('<p class="warning">In %s the generator fell behind: cpau may do better than what stands '
                     "here.</p>" % esc(", ".join(limited(result["runs"])).replace("x", "×")))
    parts.append("<h2>What happened</h2>" + body)
    parts.append("<h2>What was refused, and why</h2>" + all_failures(result))
    parts.append("<h2>The core</h2>" + core_time(run))
    if os.path.exists(os.path.join(out, "flame.svg")):
        parts.append('<p>Profile: <a href="flame.svg">flame graph</a>, <a href="hot.txt">hottest functions</a>.</p>')
    parts.append("<h2>Figures</h2>" + tables + steps(run))
    parts.append("<details><summary>Counters of cpau</summary>%s</details>" % counters(run))
    parts.append("<h2>How it was run</h2><p><code>%s</code></p>" % esc(result["command"]) +
                 table([], host_rows(result), (1,)))
    for name in (result["scenario"] + ".yaml", "cpau.yaml"):
        with open(os.path.join(out, name)) as file:
            parts.append("<details><summary>%s</summary><pre>%s</pre></details>" % (esc(name), esc(file.read())))
    return ('<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8" />'
            '<meta name="viewport" content="width=device-width, initial-scale=1" /><title>cpau: %s</title>'
            "<style>\n%s</style></head>\n<body>\n%s\n</body></html>\n" %
            (esc(result["scenario"]), style, "\n".join(parts)))
