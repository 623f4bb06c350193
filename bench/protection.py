"""What protection costs: the server with encryption and limits beside the same one without
(bench/unsealed.c), at full speed: batches of 100 events, each with an e-mail address and a
telephone number among its properties, and a new user with every 20th; the others are of any user
who came before.

Each round is a fresh server of either side. Users come first; then both take the same number of
events, in turns of less than a second, as fast as they can, so that what else the machine does
meets both alike. Processor time counts until all that the events leave to do is done, however
late: applied, files of the journal packed, events written to files, checkpoints. What the engine
does in its leisure without being asked is left out on both sides (bench/leisure.c).
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
TURNS, TURNS_QUICK = 10, 4  # of a round
EVENTS = 200_000  # of a turn
USERS = 500_000  # who are there before a round
CONNECTIONS = 64
NEW_EVERY = 20
TAKEN_USERS = 1_000_000
SECONDS_MAX = 600  # for the events of a turn
SETTLE_SECONDS_MAX = 180
PROFILE_SECONDS = 5
MOST = "1000000"
LIMITED = ("--limit-collection-address", MOST, "--limit-collection-address-burst", MOST)
UNLIMITED = tuple(part for name in ("token", "person", "address", "collection-address", "websocket",
                                    "websocket-address") for part in (f"--limit-{name}", "0"))
# What is left to do is done soon, and little of the journal is in a file that goes on. Checkpoints
# bring events into files: so seldom that nothing is merged yet, which comes by the number of files,
# so by the clock, and would meet some rounds of one side and not of the other.
CHECKPOINT_SECONDS = 30
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
        options = {"users-before": self.users, "new-every": new_every, "events": events}
        result = run_load(self.load_program, self.address, self.make_key(), mode="batch",
                          connections=CONNECTIONS, seconds=SECONDS_MAX, personal="true", **options)
        self.users = result["users"]
        self.errors += result["errors"] + events - result["events"]

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
    """What the rounds have given: microseconds of an event."""

    def __init__(self, load_program, sealed, unsealed):
        self.load_program, self.sealed, self.unsealed = load_program, sealed, unsealed
        self.ours, self.bare, self.others, self.errors = [], [], [], 0

    @contextlib.contextmanager
    def servers(self):
        with Side(self.load_program, self.sealed, *LIMITED) as ours, \
                Side(self.load_program, self.unsealed, *UNLIMITED) as bare:
            ours.limit()
            for side in (ours, bare):
                side.take(USERS, 1)
            yield ours, bare
            self.errors += ours.errors + bare.errors

    def round(self, turns):
        with self.servers() as (ours, bare):
            before, others = [machine.cpu_s(side.pid) for side in (ours, bare)], machine.Others()
            for turn in range(turns):
                for side in (ours, bare) if turn % 2 else (bare, ours):
                    side.take(EVENTS, NEW_EVERY)
            for side in (ours, bare):
                side.settle()
            used = [machine.cpu_s(side.pid) - then for side, then in zip((ours, bare), before)]
        self.ours.append(used[0] * 1e6 / (turns * EVENTS))
        self.bare.append(used[1] * 1e6 / (turns * EVENTS))
        self.others.append(others.share(sum(used)))


def _described(us):
    return f"{statistics.median(us):.2f} µs ({min(us):.2f} to {max(us):.2f})"


def _beside(rounds, count, turns):
    for _ in range(count):
        rounds.round(turns)
    differences = [ours - bare for ours, bare in zip(rounds.ours, rounds.bare)]
    listed = ", ".join(f"{difference:.2f}" for difference in differences)
    return Figure("7", f"encryption and limits, at full speed, {count} rounds of "
                  f"{turns * EVENTS:,} events, median of differences",
                  statistics.median(differences), "µs/event", less_is_better(0.6),
                  f"without: {_described(rounds.bare)}",
                  f"with: {_described(rounds.ours)}; differences {listed}; others and the load "
                  f"generator used up to {max(rounds.others):.0%}")


def measure(facts, quick=False, profile_directory=None):
    load_program, sealed, unsealed, *taking = build(
        "load", "sonnim-sealed", "sonnim-unsealed", "ingest_bench", "ingest_bench_unsealed")
    count, turns = (ROUNDS_QUICK, TURNS_QUICK) if quick else (ROUNDS, TURNS)
    rounds = Rounds(load_program, sealed, unsealed)
    figures = [_beside(rounds, count, turns)]
    if profile_directory:
        _profile(rounds, turns, profile_directory)
    return [*figures, *_alone(taking, quick),
            Figure("7", "errors", rounds.errors, "", less_is_better(0), "", "")]


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


def _profile(rounds, turns, directory):
    with rounds.servers() as (ours, _):
        recorder = threading.Thread(target=perf.record,
                                    args=(ours.pid, PROFILE_SECONDS, directory))
        recorder.start()
        ours.take(turns * EVENTS, NEW_EVERY)
        recorder.join()
