"""Row 2: durable requests with one event each, with 100 live segments, beside nginx, which answers
the same POSTs and keeps nothing; the two take turns."""
import threading

import definitions
import machine
import perf
from figure import Figure, less_is_better, more_is_better, number
from programs import Measured, Nginx, build, run_load

USERS = 1_000_003
ROUNDS, ROUNDS_QUICK = 2, 1
SECONDS, SECONDS_QUICK = 5, 3  # of a round
SHARE_OF_NGINX = {64: 0.6, 512: 0.6, 4_000: 0.8, 10_000: 0.8}
SYNC_BOUND_CONNECTIONS = 64  # so few that the disk's sync may bound them
PROFILED_CONNECTIONS = 4_000


class Turns:
    """What the rounds of one program have given."""

    def __init__(self, load_program, address, key, cpu_s):
        self.load_program, self.address, self.key, self.cpu_s = load_program, address, key, cpu_s
        self.requests = self.errors = 0
        self.seconds = self.used_s = self.load_s = 0.0
        self.p99_ms, self.others = [], []

    def take(self, connections, seconds):
        before, others = self.cpu_s(), machine.Others()
        result = run_load(self.load_program, self.address, self.key, mode="track",
                          connections=connections, seconds=seconds, users=USERS)
        used_s = self.cpu_s() - before
        self.others.append(others.share(used_s + result["cpu_s"]))
        self.used_s += used_s
        self.load_s += result["cpu_s"]
        self.requests += result["events"]
        self.errors += result["errors"]
        self.seconds += result["seconds"]
        self.p99_ms.append(result["p99_us"] / 1e3)

    @property
    def per_s(self):
        return self.requests / self.seconds

    def text(self):
        return (f"{self.per_s:,.0f}/s, {self.used_s * 1e6 / self.requests:.1f} µs each (load "
                f"generator {self.load_s * 1e6 / self.requests:.1f}), p99 "
                f"{number(max(self.p99_ms))} ms, others used {max(self.others):.0%}")


def _bound(connections, nginx, sync_ms):
    """What the goal is a share of, in requests a second, and its name."""
    by_sync = connections / (sync_ms / 1e3)
    if connections == SYNC_BOUND_CONNECTIONS and by_sync < nginx.per_s:
        return by_sync, f"{connections} ÷ fdatasync of {sync_ms:.2f} ms"
    return nginx.per_s, "nginx"


def _figure(connections, server, nginx, sync_ms):
    bound, name = _bound(connections, nginx, sync_ms)
    return Figure("2", f"single POST, {connections:,} connections", server.per_s / bound,
                  f"× {name}", more_is_better(SHARE_OF_NGINX[connections]),
                  f"nginx: {nginx.text()}", server.text())


def _profile(server, load_program, directory, seconds):
    """In a run of its own, so that the figures stay what they are without."""
    recorder = threading.Thread(target=perf.record, args=(server.pid, seconds, directory))
    recorder.start()
    run_load(load_program, server.address, server.make_key(), mode="track",
             connections=PROFILED_CONNECTIONS, seconds=seconds, users=USERS)
    recorder.join()


def measure(facts, quick=False, profile_directory=None):
    (load_program,) = build("load")
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    figures, errors = [], 0
    with Nginx() as nginx, Measured() as server:
        server.make_segments(definitions.segments())
        for connections in SHARE_OF_NGINX:
            ours = Turns(load_program, server.address, server.make_key(),
                         lambda: machine.cpu_s(server.pid))
            theirs = Turns(load_program, nginx.address, "key", nginx.cpu_s)
            sync_ms = machine.sync_ms(server.directory)
            for _ in range(rounds):
                theirs.take(connections, seconds)
                ours.take(connections, seconds)
                server.wait_applied()
            figures.append(_figure(connections, ours, theirs, sync_ms))
            errors += ours.errors
        if profile_directory:
            _profile(server, load_program, profile_directory, seconds)
    return figures + [Figure("2", "errors", errors, "", less_is_better(0), "", "")]
