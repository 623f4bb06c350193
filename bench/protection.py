"""What protection costs: the server with encryption and limits beside the same one without
(bench/unsealed.c), at full speed: batches of 100 events, each with an e-mail address and a
telephone number among its properties, and a new user with every 20th; the others are of any user
who came before.

Each round is a fresh server of either side, in turns: users come first, then so many events, the
same number for both, as fast as they are taken; processor time counts until all that they left to
do is done, however late: applied, files of the journal packed, events written to files,
checkpoints. What the engine does in its leisure without being asked is left out on both sides
(bench/leisure.c).
Last what takes events in, alone, on one thread: that is told exactly on a busy machine, too.

Collection is not in the audit trail, with protection or without: the trail costs nothing here."""
import contextlib
import re
import statistics
import subprocess
import threading
import time

import machine
import perf
from figure import Figure, less_is_better
from programs import SONNIM, Measured, build, run_load

ROUNDS, ROUNDS_QUICK = 7, 2
EVENTS, EVENTS_QUICK = 2_000_000, 500_000  # of a round
USERS = 500_000  # who are there before it
CONNECTIONS = 64
NEW_EVERY = 20
TAKEN_USERS = 1_000_000
SECONDS_MAX = 600  # for the events of a round
SETTLE_SECONDS_MAX = 180
PROFILE_SECONDS = 5
MOST = "1000000"
LIMITED = ("--limit-collection-address", MOST, "--limit-collection-address-burst", MOST)
UNLIMITED = tuple(part for name in ("token", "person", "address", "collection-address", "websocket",
                                    "websocket-address") for part in (f"--limit-{name}", "0"))
# What is left to do is done soon, and little of the journal is in a file that goes on.
CHECKPOINT_SECONDS = 10
REST_SECONDS = CHECKPOINT_SECONDS + 2
SOON = ("--journal-compress-rate", "1GiB", "--journal-file-bytes", "32MiB",
        "--checkpoint-interval", f"{CHECKPOINT_SECONDS}s")
WORK = ("checkpoint_rounds_total", "events_flushes_total", "events_merges_total",
        "journal_files_compressed")


class Side(Measured):
    """A fresh server of either side."""

    def __init__(self, load_program, program, *flags):
        super().__init__(*SOON, *flags)
        self.load_program, self.program = load_program, program
        self.users = self.errors = 0

    def command(self):
        return [str(self.program), *super().command()[1:]]

    def limit(self):
        """A limit of the source, which every event is counted against and none reaches."""
        self.make_key()
        client = self.client()
        source = client.items("/api/v1/sources")[-1]["id"]
        client.expect(200, "PUT", f"/api/v1/sources/{source}",
                      {"rateLimit": {"eventsPerSecond": 10_000_000}})
        client.close()

    def take(self, events, new_every):
        """Processor time of so many events, with all that they leave to do; and of others."""
        before, others = machine.cpu_s(self.pid), machine.Others()
        options = {"users-before": self.users, "new-every": new_every, "events": events}
        result = run_load(self.load_program, self.address, self.make_key(), mode="batch",
                          connections=CONNECTIONS, seconds=SECONDS_MAX, personal="true", **options)
        self.settle()
        used_s = machine.cpu_s(self.pid) - before
        self.users = result["users"]
        self.errors += result["errors"] + events - result["events"]
        return used_s, others.share(used_s + result["cpu_s"])

    def settle(self):
        """Until nothing is left to do: for longer than it is from one checkpoint to the next, none
        was written, no events came into files, and no file of the journal was packed."""
        began, seen = time.monotonic(), None
        while seen is None or time.monotonic() < since + REST_SECONDS:
            metrics = self.wait_applied()
            now = [metrics[f"sonnim_{name}"] for name in WORK]
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() > began + SETTLE_SECONDS_MAX:
                raise TimeoutError("the server does not come to rest")
            time.sleep(0.5)


class Rounds:
    """What the rounds of one side have given."""

    def __init__(self, load_program, program, *flags):
        self.made_of = (load_program, program, *flags)
        self.limited = flags == LIMITED
        self.us, self.others, self.errors = [], [], 0

    @contextlib.contextmanager
    def server(self):
        with Side(*self.made_of) as server:
            if self.limited:
                server.limit()
            server.take(USERS, 1)
            yield server

    def round(self, events):
        with self.server() as server:
            used_s, others = server.take(events, NEW_EVERY)
            self.us.append(used_s * 1e6 / events)
            self.others.append(others)
            self.errors += server.errors

    def text(self):
        return (f"{statistics.median(self.us):.2f} µs ({min(self.us):.2f} to {max(self.us):.2f}), "
                f"others used up to {max(self.others):.0%}")


def _beside(ours, bare, rounds, events):
    for turn in range(rounds):
        for side in (ours, bare) if turn % 2 else (bare, ours):
            side.round(events)
    differences = [with_us - without for with_us, without in zip(ours.us, bare.us)]
    listed = ", ".join(f"{difference:.2f}" for difference in differences)
    name = (f"encryption and limits, at full speed, {rounds} rounds of {events:,} events, "
            "median of differences")
    return Figure("7", name, statistics.median(differences), "µs/event", less_is_better(0.6),
                  f"without: {bare.text()}", f"with: {ours.text()}; differences {listed}")


def measure(facts, quick=False, profile_directory=None):
    load_program, sealed, unsealed, *taking = build(
        "load", "sonnim-sealed", "sonnim-unsealed", "ingest_bench", "ingest_bench_unsealed")
    rounds, events = (ROUNDS_QUICK, EVENTS_QUICK) if quick else (ROUNDS, EVENTS)
    ours, bare = Rounds(load_program, sealed, *LIMITED), Rounds(load_program, unsealed, *UNLIMITED)
    figures = [_beside(ours, bare, rounds, events)]
    if profile_directory:
        _profile(ours, events, profile_directory)
    return [*figures, *_alone(taking, quick),
            Figure("7", "errors", ours.errors + bare.errors, "", less_is_better(0), "", "")]


def _take_in(program, seconds):
    """Processor time of an event, and of one that brings a new user."""
    output = subprocess.run([program, "--personal=true", "--source=true", f"--users={TAKEN_USERS}",
                             f"--seconds={seconds}"], capture_output=True, text=True,
                            check=True).stdout
    new, known = re.search(r"([\d.]+) µs CPU each", output), re.search(
        r"µs CPU an event +([\d.]+)", output)
    return float(known[1]), float(new[1])


def _alone(programs, quick):
    rounds = [[_take_in(program, 1 if quick else 3) for program in programs]
              for _ in range(ROUNDS_QUICK if quick else ROUNDS)]
    (with_us, new_with), (bare_us, new_bare) = (
        [statistics.median(values) for values in zip(*side)] for side in zip(*rounds))
    known, new = with_us - bare_us, new_with - new_bare
    return [Figure("7", f"taking in alone, {TAKEN_USERS:,} users",
                   known + (new - known) / NEW_EVERY, "µs/event", less_is_better(0.6),
                   f"without: {bare_us:.2f} µs, {new_bare:.2f} µs with a new user",
                   f"with: {with_us:.2f} µs, {new_with:.2f} µs with a new user")]


def _profile(side, events, directory):
    with side.server() as server:
        recorder = threading.Thread(target=perf.record,
                                    args=(server.pid, PROFILE_SECONDS, directory))
        recorder.start()
        server.take(events, NEW_EVERY)
        recorder.join()
