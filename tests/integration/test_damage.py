"""Damage and mishaps on disk: found, named, and the good part kept."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import unittest

from case import START
from server import SONNIM, Refused, Server

EVENTS = 300


class Damage(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print(f"     seed {seed}")
        self.random = random.Random(seed)
        self.server = Server("--partitions", "2", "--journal-file-bytes", "1MiB")
        self.addCleanup(lambda: self.server.__exit__(Exception, None, None))
        self.server.start()
        self.key = self.server.make_key()
        client = self.server.client()
        client.set_clock(START)
        for i in range(EVENTS):
            client.expect(200, "POST", "/v1/track",
                          {"userId": f"u{i % 7}", "event": "Seen", "messageId": str(i),
                           "properties": {"text": "x" * 20}}, key=self.key)
        client.close()
        self.server.kill()

    def journal_files(self):
        return sorted(path for path in (self.server.data / "journal").iterdir()
                      if path.is_file() and path.stat().st_size > 4096)

    def used_bytes(self, path):
        """Up to the last byte that is not 0: files are allocated ahead."""
        return len(path.read_bytes().rstrip(b"\0"))

    def verify(self, *flags):
        command = [SONNIM, "journal", "verify", "--data", str(self.server.data), *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    def refuses_to_start(self):
        self.server.spawn()
        code = self.server.wait_end()
        self.assertNotEqual(code, 0)
        return self.server.log_tail(5)

    def message_ids(self):
        client = self.server.client()
        self.addCleanup(client.close)
        found = []
        for i in range(7):
            answer = client.request("GET", f"/api/v1/users/u{i}/events?limit=1000")
            if answer.status == 200:
                found += [int(item["messageId"]) for item in answer.json["items"]]
        return sorted(found)

    def flip(self, path, offset):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ (1 << self.random.randrange(8))]))

    def test_a_flipped_bit_stops_the_start_and_truncating_keeps_what_lies_before(self):
        path = self.journal_files()[0]
        used = self.used_bytes(path)
        offset = self.random.randrange(used // 3, used * 2 // 3)
        self.flip(path, offset)
        log = self.refuses_to_start()
        self.assertIn(path.name, log)
        self.assertRegex(log, r"\d{3,}")
        for flags in ((), ("--json",)):  # it changes nothing
            checked = self.verify(*flags)
            self.assertEqual(checked.returncode, 1, checked)
            self.assertIn(path.name, checked.stdout + checked.stderr)
        self.assertIn(path.name, self.refuses_to_start())

        self.assertIn(self.verify("--truncate").returncode, (0, 1))
        self.assertEqual(self.verify().returncode, 0)
        self.server.start()
        kept = self.message_ids()
        self.assertEqual(kept, list(range(len(kept))))
        self.assertTrue(EVENTS // 5 < len(kept) < EVENTS, len(kept))
        client = self.server.client()
        self.addCleanup(client.close)
        client.expect(200, "POST", "/v1/track", {"userId": "u1", "event": "Seen",
                                                 "messageId": "1000"}, key=self.key)
        self.assertEqual(self.message_ids(), kept + [1000])

    def test_a_torn_tail_is_cut_with_a_line_in_the_log(self):
        path = self.journal_files()[-1]
        used = self.used_bytes(path)
        with open(path, "r+b") as file:  # the last frame, half written
            file.seek(used - 7)
            file.write(b"\0" * 7)
        self.server.start()
        self.assertEqual(self.message_ids(), list(range(EVENTS - 1)))
        self.assertIn("tail", self.server.log_tail(40))

    def test_a_file_that_was_cut_in_its_middle_stops_the_start_or_loses_only_its_end(self):
        path = self.journal_files()[0]
        os.truncate(path, self.used_bytes(path) // 2)
        try:
            self.server.start()
        except Refused:
            self.assertIn(path.name, self.server.log_tail(5))
            self.assertIn(self.verify("--truncate").returncode, (0, 1))
            self.server.start()
        kept = self.message_ids()
        self.assertEqual(kept, list(range(len(kept))))
        self.assertGreater(len(kept), EVENTS // 5)

    def test_a_missing_keyring_stops_the_start(self):
        keyring = self.server.directory / "keyring"
        keyring.rename(self.server.directory / "elsewhere")
        self.assertIn("keyring", self.refuses_to_start())
        if keyring.exists():
            shutil.rmtree(keyring)
        (self.server.directory / "elsewhere").rename(keyring)
        self.server.start()
        self.assertEqual(self.message_ids(), list(range(EVENTS)))

    def test_the_keyring_of_another_workspace_stops_the_start(self):
        with Server() as other:
            shutil.rmtree(self.server.directory / "keyring")
            shutil.copytree(other.directory / "keyring", self.server.directory / "keyring")
        self.refuses_to_start()

    def test_data_belong_to_one_process_at_a_time(self):
        self.server.start()
        second = Server(directory=self.server.directory)
        first_address = (self.server.directory / "address").read_text()
        second.spawn()
        self.assertNotEqual(second.wait_end(), 0)
        (self.server.directory / "address").write_text(first_address)
        self.assertEqual(self.message_ids(), list(range(EVENTS)))

    def test_data_and_keyring_must_lie_apart(self):
        place = pathlib.Path(self.server.directory)
        for data, keyring in [("a", "a/keyring"), ("b/data", "b"), ("c", "c")]:
            done = subprocess.run([SONNIM, "serve", "--listen", "127.0.0.1:0", "--data",
                                   str(place / data), "--keyring", str(place / keyring)],
                                  capture_output=True, timeout=300)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(b"keyring", done.stderr)

    def test_the_dump_shows_records_without_personal_values(self):
        done = subprocess.run([SONNIM, "journal", "dump", "--data", str(self.server.data)],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([record["messageId"] for record in records if record["kind"] == "event"],
                         [str(i) for i in range(EVENTS)])


class DamagedCheckpoint(unittest.TestCase):
    """What a start reads instead of the whole journal."""

    def setUp(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print(f"     seed {seed}")
        self.random = random.Random(seed)
        self.server = Server("--partitions", "2", "--checkpoint-interval", "20ms")
        self.addCleanup(lambda: self.server.__exit__(Exception, None, None))
        self.server.start()
        self.key = self.server.make_key()
        client = self.server.client()
        client.set_clock(START)
        client.expect(201, "POST", "/api/v1/segments", {
            "key": "seen", "name": "seen",
            "expression": {"event": "Seen", "within": "60s", "op": "gte", "value": 2}})
        client.wait_live("seen")
        for i in range(EVENTS):
            client.set_clock(START + i * 1000)
            client.expect(200, "POST", "/v1/track",
                          {"userId": f"u{i % 7}", "event": "Seen", "messageId": str(i)},
                          key=self.key)
        self.before = self.state(client)
        self.await_checkpoints(client)
        client.close()
        self.server.kill()

    @property
    def checkpoints(self):
        return self.server.data / "checkpoints"

    def await_checkpoints(self, client):
        """Two of each partition, the newest behind everything that was sent."""
        position = client.get("/health/ready")["parts"]["engine"]["position"]
        while True:
            part = client.get("/health/ready")["parts"]["checkpoints"]
            if part["neededAfter"] >= position:
                return
            client.expect(200, "POST", "/v1/track", {"userId": "u0", "event": "Other"},
                          key=self.key)

    def state(self, client):
        found = [client.items("/api/v1/segments/seen/history"),
                 client.items("/api/v1/segments/seen/members")]
        return found + [client.items(f"/api/v1/users/u{i}/segments/history") for i in range(7)]

    def starts_as_before(self, damaged):
        self.server.start()
        client = self.server.client()
        self.addCleanup(client.close)
        self.assertEqual(self.state(client), self.before)
        part = client.get("/health/ready")["parts"]["checkpoints"]
        self.assertEqual(part["damaged"] > 0, damaged)

    def newest_manifests(self):
        return [max(self.checkpoints.glob(f"{partition:04}-*.manifest"),
                    key=lambda path: path.stat().st_mtime_ns) for partition in range(2)]

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        path.write_bytes(data)

    def test_a_whole_one_is_loaded(self):
        self.starts_as_before(damaged=False)

    def test_any_flipped_bit_of_the_newest_manifest_falls_back_and_is_told(self):
        for path in self.newest_manifests():
            self.flip(path)
        self.starts_as_before(damaged=True)
        self.assertIn("manifest", self.server.log_tail(40))

    def test_a_file_that_is_gone_falls_back(self):
        for manifest in self.newest_manifests():
            for path in self.checkpoints.glob(f"{manifest.stem}-*.blocks"):
                path.unlink()
        self.starts_as_before(damaged=True)

    def test_without_any_the_journal_is_read_again(self):
        shutil.rmtree(self.checkpoints)
        self.starts_as_before(damaged=False)

    def test_a_damaged_change_stream_is_made_again(self):
        for path in self.checkpoints.glob("*.changes"):
            self.flip(path)
        self.starts_as_before(damaged=True)
        self.assertIn("change stream is cut", self.server.log_tail(40))


class DamagedPart(unittest.TestCase):
    """A file of stored events."""

    USERS = 40

    def setUp(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print(f"     seed {seed}")
        self.random = random.Random(seed)
        self.server = Server("--partitions", "2", "--events-tail", "64KiB",
                             "--checkpoint-interval", "50ms")
        self.addCleanup(lambda: self.server.__exit__(Exception, None, None))
        self.server.start()
        self.key = self.server.make_key()
        client = self.server.client()
        client.set_clock(START)
        while len(self.parts()) < 4:
            client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": "track", "userId": f"u{i % self.USERS}", "event": "Seen",
                 "properties": {"text": f"{self.random.getrandbits(400):x}", "number": i}}
                for i in range(400)]}, key=self.key)
        self.before = [client.items(f"/api/v1/users/u{i}/events") for i in range(self.USERS)]
        client.close()
        self.server.stop()

    def parts(self):
        return sorted((self.server.data / "events").glob("*/*.part"))

    def test_damage_that_only_a_reader_meets_is_an_error_and_never_an_answer(self):
        path = max(self.parts(), key=lambda part: part.stat().st_size)
        data = bytearray(path.read_bytes())
        # Behind the head, which a start compares, and before the checksums.
        at = self.random.randrange(len(data) // 4, len(data) * 3 // 4)
        data[at] ^= 1 << self.random.randrange(8)
        path.write_bytes(data)
        try:
            self.server.start()
        except Refused:  # it met the damage itself
            self.assertIn(path.name, self.server.log_tail(5))
            return
        client = self.server.client()
        self.addCleanup(client.close)
        failed = 0
        for i, before in enumerate(self.before):
            answer = client.request("GET", f"/api/v1/users/u{i}/events?limit=1000")
            if answer.status == 200:
                self.assertEqual(answer.json["items"], before)
            else:
                self.assertIn(answer.status, (500, 503), answer)
                failed += 1
        self.assertGreater(failed, 0)
        health = client.request("GET", "/health/ready")
        self.assertEqual(health.status, 503)
        self.assertIn(path.name, health.json["parts"]["engine"]["error"])
        self.assertIn(path.name, self.server.log_tail(40))
        checked = subprocess.run([SONNIM, "journal", "verify", "--data", str(self.server.data)],
                                 capture_output=True, text=True, timeout=300)
        self.assertEqual(checked.returncode, 1, checked)
        # What docs/operations.md says of a journal that reaches back to the begin.
        self.server.stop()
        shutil.rmtree(self.server.data / "events")
        shutil.rmtree(self.server.data / "checkpoints")
        self.server.start()
        again = self.server.client()
        self.addCleanup(again.close)
        self.assertEqual([again.items(f"/api/v1/users/u{i}/events") for i in range(self.USERS)],
                         self.before)
