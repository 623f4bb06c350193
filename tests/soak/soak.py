"""Hours in the life of two servers, each on one data directory, checked by the oracle all the time.

exact   manual clock, on a small file system: the differential test's load, edits of definitions and
        instants, for as long as it takes, with restarts, kill -9 between requests and in the midst
        of one, a disk that runs full, and calm stretches in which its memory must not grow
loaded  wall clock: several clients at once, definitions created meanwhile, kill -9 at random
        instants (tests/integration/crash.py)

What a stretch does is told, so that a difference can be placed."""
import errno
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "differential"), str(HERE.parent / "integration")]

import crash  # noqa: E402
from generate import PARTS  # noqa: E402
from scenario import START, Difference, Scenario, path_of  # noqa: E402
from server import Refused, Server, remove_directory, temporary_directory  # noqa: E402
from values import DAY, parse_instant  # noqa: E402

PLACE_BYTES = 512 << 20
RETENTION_DAYS = 10
FILLER = r"'filler': \[[^]]*\]"
FREE_BYTES = 2 << 20       # left beside the ballast
RECOVERY_SECONDS_MAX = 60

# Memory of one process, between a third of a calm stretch and its end.
GROWTH_BYTES_MAX = 48 << 20
# Between the ends of the first and the last calm stretch.
GROWTH_FACTOR_MAX = 1.5


def resident_bytes(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


class Place:
    """A directory on a small file system of its own; where mounting is not allowed, an ordinary
    one, and the disk never runs full."""

    def __init__(self):
        self.path = temporary_directory()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={PLACE_BYTES}", "tmpfs", str(self.path)]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, timeout=30)
            self.small = done.returncode == 0
        except OSError:
            self.small = False
        self.ballast = self.path / "ballast"

    def fill(self):
        free = os.statvfs(self.path)
        bytes_left = free.f_bavail * free.f_frsize - FREE_BYTES
        with open(self.ballast, "wb") as file:
            try:
                if bytes_left > 0:
                    os.posix_fallocate(file.fileno(), 0, bytes_left)
            except OSError as error:  # the server took it meanwhile
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self):
        self.ballast.unlink(missing_ok=True)

    def close(self):
        if self.small:
            subprocess.run(["umount", "-l", str(self.path)], timeout=30, check=False)
        remove_directory(self.path)


class Exact(Scenario):
    """The differential test without an end."""

    def __init__(self, random, place):
        super().__init__(random, 0, 4, RETENTION_DAYS,
                         ("--journal-file-bytes", "1MiB", "--journal-retention", "1d"),
                         random.randrange(PARTS))
        remove_directory(self.server.directory)
        self.server = Server(*self.server.flags, directory=place.path)
        self.place = place
        self.calm = False
        self.last_events = []  # what happened to the server last
        self.rounds_done = 0
        self.kills = 0
        self.fills = 0

    def begin(self):
        self._connect()
        self.client.set_clock(START)
        self.server.make_key()
        for _ in range(6):
            self._create()

    def step(self, calm):
        self.calm = calm
        # What is refused for two reasons, since it has become too old as well, may be told either.
        self.messages.sent = [(call, message) for call, message in self.messages.sent[-300:]
                              if isinstance(self.oracle._names(call, message, False), tuple)]
        self._round(0)
        self.rounds_done += 1
        if self.rounds_done % 40 == 0:
            self._forget()
        if calm:
            return
        chance = self.random.random()
        if chance < 0.03:
            self._restart(self.random.choice([self.server.stop, self.server.kill]))
        elif chance < 0.06:
            self._kill_within_a_request()
        elif chance < 0.08 and self.place.small:
            self._fill_disk()
        elif chance < 0.11:
            self._move(self.random.choice([DAY, 3 * DAY, 12 * DAY]))

    def _note(self, what):
        self.last_events = [*self.last_events[-5:], f"{what} at {self.oracle.now}"]

    def _restart(self, end):
        if self.calm:
            return
        self._note(end.__name__)
        super()._restart(end)

    def _forget(self):
        """What no answer depends on any more, so that the oracle's loops stay short."""
        now = self.oracle.now
        for person in self.oracle.persons.values():
            person.events = [event for event in person.events if event.gone > now]
            person.message_ids = {message: until for message, until in person.message_ids.items()
                                  if until > now}

    def _named_batch(self, count):
        """Messages that may be sent twice: each has an id, and none links."""
        batch = []
        while len(batch) < count:
            call, message = self.messages.make(self.oracle.now)
            if call in ("track", "page", "screen"):
                message.setdefault("messageId", self.messages.message_id())
                batch.append(dict(message, type=call))
        return batch

    def _accept(self, batch):
        return [(index, code) for index, message in enumerate(batch)
                if (code := self.oracle.accept(message["type"], message))]

    def _kill_within_a_request(self):
        """The server is killed while it works on a batch; sent again it counts once."""
        batch = self._named_batch(40)
        client = self.server.client()

        def send():
            try:
                client.request("POST", "/v1/batch", {"batch": batch}, key=self.server.write_key)
            except Exception:  # noqa: BLE001 - it is killed
                pass

        before = self._streams(self.client)
        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(self.random.random() * 0.01)
        self.server.kill()
        thread.join()
        client.close()
        self.kills += 1
        self._note("killed within a request")
        self.server.start()
        self._connect()
        self._begins_with(before)
        self._post("/v1/batch", {"batch": batch}, self._accept(batch))
        self._check()

    def _begins_with(self, before):
        """The change stream goes on from what was told before."""
        after = [json.loads(page)["items"] for page in self._streams(self.client)]
        for partition in range(self.partitions):
            prefix = f"{partition}-"
            old = [item for page in before for item in json.loads(page)["items"]
                   if item["id"].startswith(prefix)]
            new = [item for page in after for item in page if item["id"].startswith(prefix)]
            if new[:len(old)] != old:
                raise Difference(f"partition {partition}: the change stream was rewritten")

    def _fill_disk(self):
        """503 while it is full, nothing of what was refused is there; then it goes on by itself."""
        self.fills += 1
        self._note("full disk")
        self.place.fill()
        refused = None
        for _ in range(400):
            batch = self._named_batch(20)
            for message in batch:
                # Nothing that the journal's compression makes room from.
                filler = [f"{self.random.getrandbits(240):060x}" for _ in range(200)]
                message["context"] = dict(message.get("context") or {}, filler=filler)
            answer = self.client.request("POST", "/v1/batch", {"batch": batch},
                                         key=self.server.write_key)
            if answer.status == 503:
                refused = batch
                break
            if answer.status != 200:
                raise Difference(f"on a disk that runs full: {answer!r}")
            self._compare_rejected("/v1/batch", batch, answer, self._accept(batch))
        if refused is None:
            raise Difference("a full disk is not met")
        self._check()
        if self.random.random() < 0.3:
            self._note("killed on the full disk")
            self.server.kill()
        self.place.empty()
        if self.server.process is None or self.server.process.poll() is not None:
            self.server.start()
            self._connect()
        deadline = time.monotonic() + RECOVERY_SECONDS_MAX
        while (answer := self.client.request("POST", "/v1/batch", {"batch": refused},
                                             key=self.server.write_key)).status == 503:
            if time.monotonic() > deadline:
                raise Difference(f"no recovery from a full disk: {answer!r}")
            time.sleep(0.1)
        if answer.status != 200:
            raise Difference(f"behind a full disk: {answer!r}")
        self._compare_rejected("/v1/batch", refused, answer, self._accept(refused))
        self._check()

    def _describe(self, key, who, found, expected):
        text = super()._describe(key, who, found, expected)
        person = self.oracle.persons[who]
        items = self.client.items(f"/api/v1/users/{path_of(person)}/events")
        stored = {(parse_instant(item["time"]), item["event"], item.get("messageId"))
                  for item in items}
        wanted = {(event.time, event.name, event.message_id) for event in person.events
                  if event.exists(self.oracle.now)}
        return (f"{re.sub(FILLER, '', text)}\n  stored only: {sorted(stored - wanted, key=str)}"
                f"\n  not stored: {sorted(wanted - stored, key=str)}"
                f"\n  last: {self.last_events}")

    def end(self):
        self.calm = False
        self._check()
        self._compare_histories()
        self._compare_replays()


class Loaded:
    """Rounds of the crash test on one data directory."""

    def __init__(self, seed):
        self.crash = crash.Crash(seed, 0)
        self.server = Server("--partitions", "4", "--journal-file-bytes", "1MiB", clock="wall")
        self.number = 0

    def begin(self):
        self.server.make_key()

    def step(self):
        touched = self.crash._round(self.server, self.number)
        self.server.start()
        everybody = self.number % 25 == 24
        self.crash._verify(self.server,
                           list(self.crash.users.values()) if everybody else touched)
        self.number += 1

    def end(self):
        self.crash._verify(self.server, list(self.crash.users.values()))


class Soak:
    def __init__(self, random, minutes):
        self.random = random
        self.seconds = minutes * 60
        # A quarter of the time is calm; at least two stretches, so that they can be compared.
        self.stretches = max(2, round(minutes / 10))
        self.calm_ends = []
        self.place = Place()
        self.exact = Exact(random, self.place)
        self.loaded = Loaded(random.randrange(2**32))

    def run(self):
        if not self.place.small:
            print("a small file system cannot be mounted here: the disk never runs full",
                  flush=True)
        try:
            with self.exact.server, self.loaded.server:
                self.exact.begin()
                self.loaded.begin()
                for number in range(self.stretches):
                    self._stretch(number)
                self.exact.end()
                self.loaded.end()
                self._check_growth()
        finally:
            self.place.close()

    def _stretch(self, number):
        stretch = self.seconds / self.stretches
        self._wild(stretch * 0.65)
        self._clients(stretch * 0.1)
        grown = self._calm(stretch * 0.25)
        print(f"stretch {number + 1} of {self.stretches}: {self.exact.rounds_done} rounds, "
              f"{self.exact.triples} triples, {self.exact.restarts} restarts, "
              f"{self.exact.kills} kills within a request, {self.exact.fills} full disks; "
              f"{self.loaded.number} kills under load, {self.loaded.crash.compared} memberships; "
              f"resident {self.calm_ends[-1] >> 20} MiB, {grown >> 10} KiB more in the calm",
              flush=True)

    def _wild(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.exact.step(calm=False)

    def _clients(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.loaded.step()

    def _calm(self, seconds):
        """The bytes by which the memory has grown behind the first third."""
        began, base = time.monotonic(), None
        while (passed := time.monotonic() - began) < seconds:
            self.exact.step(calm=True)
            if base is None and passed > seconds / 3:
                base = resident_bytes(self.exact.server.process)
        end = resident_bytes(self.exact.server.process)
        grown = end - (base or end)
        self.calm_ends.append(end)
        if grown > GROWTH_BYTES_MAX:
            raise Difference(f"memory grows in the calm: by {grown} bytes")
        return grown

    def _check_growth(self):
        first, last = self.calm_ends[0], self.calm_ends[-1]
        if last > first * GROWTH_FACTOR_MAX + GROWTH_BYTES_MAX:
            raise Difference(f"memory has grown from {first} to {last} bytes")


__all__ = ["Difference", "Refused", "Soak"]
