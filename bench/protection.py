"""What protection costs: the server with encryption and limits beside the same one without
(bench/unsealed.c). The same load for both, in turns: batches of 100 events, each with an e-mail
address and a telephone number among its properties, and a new user with every 20th; the others are
of any user who came before. Both at the same rates, one close to the full speed of the slower side:
what works by the clock (columns, checkpoints, packing) takes more of an event on whichever side is
slower, and would be taken for what protection costs. Last what takes events in, alone, on one
thread: that is told exactly on a busy machine, too.

Collection is not in the audit trail, with protection or without: the trail costs nothing here."""
import re
import statistics
import subprocess
import threading

import machine
import perf
from figure import Figure, less_is_better
from programs import SONNIM, Measured, build, run_load

ROUNDS, ROUNDS_QUICK = 5, 2
SECONDS, SECONDS_QUICK = 6, 2  # of a round
CONNECTIONS = 64
NEW_EVERY = 20
RATE = 100_000
NEARLY_FULL = 0.8
TAKEN_USERS = 1_000_000
MOST = "1000000"
LIMITED = ("--limit-collection-address", MOST, "--limit-collection-address-burst", MOST)
UNLIMITED = tuple(part for name in ("token", "person", "address", "collection-address", "websocket",
                                    "websocket-address") for part in (f"--limit-{name}", "0"))


def _listed(values):
    return ", ".join(f"{value:.2f}" for value in values)


class Side(Measured):
    """One of the two, and what its rounds have given."""

    def __init__(self, load_program, program, *flags):
        super().__init__(*flags)
        self.load_program, self.program = load_program, program
        self.users = self.errors = 0
        self.forget()

    def forget(self):
        self.events, self.used_s, self.us, self.others = 0, 0.0, [], []

    def command(self):
        return [str(self.program), *super().command()[1:]]

    def limit(self):
        """A limit of the source, which every event is counted against and none reaches."""
        client = self.client()
        source = client.items("/api/v1/sources")[-1]["id"]
        client.expect(200, "PUT", f"/api/v1/sources/{source}",
                      {"rateLimit": {"eventsPerSecond": 10_000_000}})
        client.close()

    def take(self, seconds, rate):
        """A round; with what it leaves to be applied."""
        before, others = machine.cpu_s(self.pid), machine.Others()
        options = {"users-before": self.users, "new-every": NEW_EVERY, "rate": rate}
        result = run_load(self.load_program, self.address, self.make_key(), mode="batch",
                          connections=CONNECTIONS, seconds=seconds, personal="true", **options)
        self.wait_applied()
        used_s = machine.cpu_s(self.pid) - before
        self.others.append(others.share(used_s + result["cpu_s"]))
        self.us.append(used_s * 1e6 / result["events"])
        self.users, self.events = result["users"], self.events + result["events"]
        self.used_s += used_s
        self.errors += result["errors"]
        return result["events"] / result["seconds"]

    def mean_us(self):
        return self.used_s * 1e6 / self.events

    def text(self):
        return (f"{self.mean_us():.2f} µs ({_listed(self.us)}), "
                f"{self.events:,} events, {self.users:,} users, "
                f"others used up to {max(self.others):.0%}")


def _beside(ours, bare, rounds, seconds, rate):
    """Over all rounds: files of the event store are written in some of them only."""
    ours.forget()
    bare.forget()
    for turn in range(rounds):
        for side in (ours, bare) if turn % 2 else (bare, ours):
            side.take(seconds, rate)
    name = f"encryption and limits, two personal properties an event, {rate:,} events/s"
    return Figure("7", name, ours.mean_us() - bare.mean_us(), "µs/event", less_is_better(0.6),
                  f"without: {bare.text()}", f"with: {ours.text()}")


def _warm_up(sides, seconds):
    """Events a second of the slower side at full speed."""
    return min(side.take(seconds, 0) for side in sides)


def measure(facts, quick=False, profile_directory=None):
    load_program, unsealed, *taking = build("load", "sonnim-unsealed", "ingest_bench",
                                            "ingest_bench_unsealed")
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    with Side(load_program, SONNIM, *LIMITED) as ours, \
            Side(load_program, unsealed, *UNLIMITED) as bare:
        ours.make_key()
        ours.limit()
        nearly_full = int(NEARLY_FULL * _warm_up((ours, bare), seconds)) // 1000 * 1000
        figures = [_beside(ours, bare, rounds, seconds, rate) for rate in (nearly_full, RATE)]
        if profile_directory:
            _profile(ours, seconds, profile_directory)
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


def _profile(side, seconds, directory):
    recorder = threading.Thread(target=perf.record, args=(side.pid, seconds, directory))
    recorder.start()
    side.take(seconds, 0)
    recorder.join()
