# SPDX-License-Identifier: BSD-3-Clause
"""What a scenario runs on: credentials, fleets, and one cpau with one cpau-storm at a time."""
import json, os, re, shutil, signal, socket, subprocess, sys, threading, time


class Rig:
    """scripts/bench gives WORK, BUILD and ROUND, the command that runs both programs once."""

    def __init__(self, name, parameters, profile=None):
        self.name, self.parameters, self.profile = name, parameters, profile
        self.work, self.build = os.environ["WORK"], os.environ["BUILD"]
        self.credentials = self.path("credentials")
        self.fleets = {}
        self.runs = []
        self.pki("init", "--dir", self.credentials)

    def path(self, name):
        return os.path.join(self.work, name)

    def say(self, text):
        print("bench %s: %s" % (self.name, text), file=sys.stderr)

    def pki(self, *arguments):
        subprocess.run([os.path.join(self.build, "apps/cpau-pki/cpau-pki"), *map(str, arguments)],
                       check=True, stdout=subprocess.DEVNULL)

    def fleet(self, count, name="devices", options=("--eum", "test")):
        """A file with at least so many devices; made once, and anew when it is too small."""
        path = self.path(name + ".fleet")
        if self.fleets.get(name, 0) < count:
            self.say("making %s devices" % format(int(count), ","))
            self.pki("fleet", "--dir", self.credentials, *options, "--count", int(count), "--out", path)
            self.fleets[name] = count
        return path

    def storm(self, name, fleet, arguments, during=None, cpau=None, profile=False):
        """One run of both: what they say at their end. during(Live) is called while it lasts."""
        configuration = merged(self.parameters.get("cpau") or {}, cpau or {})
        command = [os.environ["ROUND"], fleet, json.dumps(configuration),
                   "--an", str(self.parameters["access-nodes"]), *map(str, arguments)]
        live = Live(self.work)
        watchers = [threading.Thread(target=during, args=(live,))] if during else []
        if profile and self.profile:
            watchers.append(threading.Thread(target=self.profile.record, args=(live,)))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for watcher in watchers:
                watcher.start()
            out = process.stdout.read()
        live.over = True
        for watcher in watchers:
            watcher.join()
        if process.returncode != 0:
            sys.exit("bench %s: the run '%s' failed" % (self.name, name))
        report, summary = json.loads(out)
        run = {"name": name, "arguments": [str(a) for a in arguments], "storm": report, "cpau": summary}
        self.runs.append(run)
        return run

    def configuration(self):
        """The last cpau.yaml, as it was."""
        with open(self.path("cpau.yaml")) as file:
            return file.read()


class Live:
    """A run while it lasts."""

    def __init__(self, work):
        self.work, self.over = work, False
        for name in ("cpau.pid", "storm.log", "cpau.log"):
            if os.path.exists(os.path.join(work, name)):
                os.remove(os.path.join(work, name))

    def read(self, name):
        try:
            with open(os.path.join(self.work, name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait(self, condition):
        """What condition returns when that is true; None when the run ended before."""
        while not self.over:
            value = condition()
            if value:
                return value
            time.sleep(0.005)
        return None

    def pid(self):
        return self.wait(lambda: int(self.read("cpau.pid").strip() or 0))

    def storm_time(self):
        """The last time, in seconds, of which the generator has spoken."""
        times = re.findall(r"cpau-storm: +([0-9.]+) s:", self.read("storm.log"))
        return float(times[-1]) if times else 0.0

    def signal(self, number=signal.SIGHUP):
        os.kill(self.pid(), number)


    def telemetry(self, prefix, command):
        """What cpau answers; nothing where it does not."""
        root = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
                link.settimeout(1)
                link.connect(os.path.join(root, "dpdk", prefix, "dpdk_telemetry.v2"))
                link.recv(4096)
                link.send(command.encode())
                return json.loads(link.recv(65536)).get(command) or {}
        except (OSError, ValueError):
            return {}

    def resident(self, pid):
        """Octets of its memory; 0: it is gone."""
        try:
            with open("/proc/%d/status" % pid) as file:
                found = re.search(r"VmRSS:\s+(\d+) kB", file.read())
            return 1024 * int(found[1]) if found else 0
        except OSError:
            return 0


def merged(a, b):
    """b over a, one level deep: sections of cpau's configuration."""
    both = lambda k: isinstance(a.get(k), dict) and isinstance(b.get(k), dict)
    return {k: {**a[k], **b[k]} if both(k) else b.get(k, a.get(k)) for k in {**a, **b}}


class Profile:
    """perf beside cpau, where perf exists and is permitted."""

    def __init__(self, work, say):
        self.data, self.say = os.path.join(work, "perf.data"), say
        self.recorded = False

    def usable(self):
        if not shutil.which("perf"):
            self.say("no profile: perf is not installed (Debian: linux-perf)")
            return False
        tried = subprocess.run(["perf", "record", "-q", "-o", self.data, "--", "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            self.say("no profile: perf is not permitted here: " + (tried.stderr.strip().splitlines() or ["?"])[-1])
        return tried.returncode == 0

    def record(self, live):
        pid = live.pid()
        if pid is None:
            return
        done = subprocess.run(["perf", "record", "-q", "-F", "999", "--call-graph", "fp", "-p", str(pid),
                               "-o", self.data], capture_output=True, text=True)
        self.recorded = os.path.exists(self.data)
        if not self.recorded:
            self.say("no profile: " + done.stderr.strip())

    def leave(self, out, flame):
        """hot.txt and flame.svg in the run's folder."""
        if not self.recorded:
            return
        hot = subprocess.run(["perf", "report", "-i", self.data, "--stdio", "--no-children", "-g", "none",
                              "--sort", "symbol", "--percent-limit", "0.3"], capture_output=True, text=True).stdout
        rows = [m[1] for m in re.finditer(r"^( *[0-9.]+%  \[.\] \S+)", hot, re.MULTILINE)]
        with open(os.path.join(out, "hot.txt"), "w") as file:
            file.write("share of cpau's time, function (perf report)\n" + "\n".join(rows) + "\n")
        stacks = subprocess.run(["perf", "script", "-i", self.data, "-F", "comm,ip,sym"],
                                capture_output=True, text=True).stdout
        with open(os.path.join(out, "flame.svg"), "w") as file:
            file.write(flame(stacks.splitlines(), "cpau, %s" % os.path.basename(out)))
