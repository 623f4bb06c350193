"""The journal's files beside a running server: compressed, read from a time, followed."""
import json
import pathlib
import shutil
import subprocess
import time
import unittest

from case import START
from server import (LIVE_SECONDS_MAX, SONNIM, Server, copy_directory, remove_directory,
                    temporary_directory)

MESSAGES = 240
STEP_MS = 1000


class Journal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--partitions", "2", "--journal-file-bytes", "1MiB")
        cls.addClassCleanup(lambda: cls.server.__exit__(Exception, None, None))
        cls.server.start()
        cls.key = cls.server.make_key()
        client = cls.server.client()
        client.set_clock(START)
        client.expect(201, "POST", "/api/v1/segments", {
            "key": "seen", "name": "seen",
            "expression": {"event": "Seen", "aggregate": "count", "op": "gte", "value": 1,
                           "within": "1m"}})
        client.wait_live("seen")
        for i in range(MESSAGES):
            client.set_clock(START + i * STEP_MS)
            client.expect(200, "POST", "/v1/track",
                          {"userId": f"u{i % 7}", "event": "Seen", "messageId": str(i),
                           "properties": {"list": [chr(97 + i % 26) * 40] * 600}}, key=cls.key)
        client.close()

    def setUp(self):
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def files(self, ending):
        return sorted(path for path in (self.server.data / "journal").iterdir()
                      if path.name.endswith(ending))

    def wait_compressed(self):
        deadline = time.monotonic() + LIVE_SECONDS_MAX
        while len(self.files(".log")) != 1:
            self.assertLess(time.monotonic(), deadline, f"still plain: {self.files('.log')}")
            time.sleep(0.02)

    def command(self, *arguments, data=None):
        done = subprocess.run([SONNIM, "journal", *arguments, "--data",
                               str(data or self.server.data)],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def stopped_copy(self):
        """The data, as the server has it now: it is not stopped for this, but replaces no file of
        the journal any more."""
        self.wait_compressed()
        place = temporary_directory()
        self.addCleanup(remove_directory, place)
        copy_directory(self.server.data, place / "data")
        return place / "data"

    def test_finished_files_are_compressed_and_the_journal_is_whole(self):
        data = self.stopped_copy()
        packed = self.files(".zst")
        self.assertGreater(len(packed), 3)
        self.assertLess(sum(path.stat().st_size for path in packed), len(packed) * 2**20 / 4)
        report = json.loads(self.command("verify", "--json", data=data))
        self.assertEqual(report["files"], len(packed) + 1)
        metrics = self.client.expect(200, "GET", "/metrics").body.decode()
        self.assertIn(f"\nsonnim_journal_files_compressed {len(packed)}\n", metrics)
        self.assertIn("\nsonnim_journal_first_position 1\n", metrics)
        health = self.client.get("/health/ready")["parts"]["journal"]
        self.assertEqual(health["firstPosition"], 1)

    def test_a_dump_begins_at_a_time(self):
        data = self.stopped_copy()
        whole = self.command("dump", data=data).splitlines()
        # In the midst of a compressed file, where several records bear a stamp.
        wanted = json.loads(whole[len(whole) // 3])["logTime"]
        expected = [line for line in whole if json.loads(line)["logTime"] >= wanted]
        self.assertLess(len(expected), len(whole))
        self.assertEqual(self.command("dump", "--from-time", wanted, data=data).splitlines(),
                         expected)
        self.assertEqual(self.command("dump", "--from-time", "2199-01-01T00:00:00Z", data=data), "")

    def test_a_time_that_is_none_is_refused(self):
        done = subprocess.run([SONNIM, "journal", "dump", "--from-time", "yesterday"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--from-time", done.stderr)

    def test_a_second_process_follows_while_the_server_writes(self):
        process = subprocess.Popen([SONNIM, "journal", "follow", "--data", str(self.server.data)],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        known = {json.loads(process.stdout.readline())["id"]}
        person = f"follow-{time.monotonic_ns()}"
        self.client.expect(200, "POST", "/v1/track", {"userId": person, "event": "Seen"},
                           key=self.key)
        rows = self.client.get("/api/v1/changes?partition=0&limit=1000")["items"] \
            + self.client.get("/api/v1/changes?partition=1&limit=1000")["items"]
        wanted = {row["id"] for row in rows}
        while known < wanted:
            known.add(json.loads(process.stdout.readline())["id"])
        self.assertEqual(known, wanted)

    def test_following_needs_neither_lock_nor_keyring_and_changes_nothing(self):
        data = self.stopped_copy()
        shutil.rmtree(data / "vault")
        position = str(self.client.get("/health/ready")["parts"]["journal"]["position"])
        before = {path: path.stat().st_mtime_ns for path in (data / "journal").iterdir()}
        first = self.command("follow", "--through", "1", data=data)
        self.assertGreater(len(first.splitlines()), 7)
        self.assertEqual({path: path.stat().st_mtime_ns for path in (data / "journal").iterdir()},
                         before)
        self.assertEqual(self.command("follow", "--through", position),
                         self.command("follow", "--through", position))

    def test_following_prints_from_a_position_or_a_time_on(self):
        position = str(self.client.get("/health/ready")["parts"]["journal"]["position"])
        lines = self.command("follow", "--through", position).splitlines()
        changes = [json.loads(line) for line in lines]
        middle = sorted(change["at"] for change in changes)[len(changes) // 2]
        later = self.command("follow", "--through", position, "--from-time", middle).splitlines()
        self.assertEqual(later, [line for line, change in zip(lines, changes)
                                 if change["at"] >= middle])
        self.assertTrue(0 < len(later) < len(lines))
        # An id names partition, position and ordinal.
        at = sorted(int(change["id"].split("-")[1]) for change in changes)[len(changes) // 2]
        behind = self.command("follow", "--through", position, "--from", str(at)).splitlines()
        self.assertEqual(behind, [line for line, change in zip(lines, changes)
                                  if int(change["id"].split("-")[1]) >= at])
        self.assertTrue(0 < len(behind) < len(lines))

    def test_where_there_is_no_data_there_is_nothing_to_follow(self):
        done = subprocess.run([SONNIM, "journal", "follow", "--data",
                               str(pathlib.Path(self.server.directory) / "absent")],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 1)
        self.assertIn("absent", done.stderr)


if __name__ == "__main__":
    unittest.main()
