"""When there is no room: collection answers 503, reads go on, and it recovers by itself."""
import os
import subprocess
import time
import unittest

from case import START
from server import LIVE_SECONDS_MAX, Server, remove_directory, temporary_directory


def fill_batch(number, count=100):
    return {"batch": [{"type": "track", "userId": f"filler-{i}", "event": "Filled",
                       "messageId": f"{number}-{i}",
                       "properties": {f"p{k}": "x" * 60 for k in range(400)}}
                      for i in range(count)]}


class MemoryLimit(unittest.TestCase):
    def test_at_the_memory_limit_collection_is_503_and_reads_go_on(self):
        with Server("--memory-limit", "64MiB", "--events-tail", "1TiB") as server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            accepted = 0
            for number in range(60):
                answer = client.request("POST", "/v1/batch", fill_batch(number), key=key)
                if answer.status != 200:
                    break
                accepted += 1
                # Memory is that of what is applied, which may be far behind on a slow machine.
                client.get("/api/v1/segments?limit=1",
                           headers={"X-Sonnim-Min-Position": answer.position})
            self.assertEqual((answer.status, answer.code), (503, "MEMORY_LIMIT"), answer)
            self.assertRegex(answer.headers["Retry-After"], r"^\d+$")
            self.assertGreater(accepted, 3)
            events = client.get("/api/v1/users/filler-0/events?limit=1")
            self.assertEqual(events["total"], accepted)
            parts = client.get("/health/ready")["parts"]
            self.assertTrue(parts["engine"]["full"])
            self.assertTrue(parts["memory"]["full"])
            self.assertGreaterEqual(parts["memory"]["usedBytes"], parts["memory"]["limitBytes"])
            server.stop()
            server.flags = ["--memory-limit", "512MiB"]
            server.start()
            client = server.client()
            client.expect(200, "POST", "/v1/batch", fill_batch(1000, 1), key=key)
            events = client.get("/api/v1/users/filler-0/events?limit=1")
            self.assertEqual(events["total"], accepted + 1)


    def test_it_recovers_by_itself_once_memory_is_free(self):
        with Server("--memory-limit", "64MiB", "--events-tail", "1TiB",
                    "--partitions", "2") as server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            # Windows: 24 bytes an event and segment, so that they are most of what is held.
            for number in range(40):
                client.expect(201, "POST", "/api/v1/segments", {
                    "key": f"sum-{number}", "name": "sum", "expression": {
                        "event": "Paid", "aggregate": "sum", "property": f"p{number % 10}",
                        "where": {"property": "x", "op": "lt", "value": 10 + number},
                        "op": "gte", "value": 1}})
            client.wait_live("sum-39")
            batch = {"batch": [{"type": "track", "userId": f"u{i}", "event": "Paid",
                                "properties": {"x": 1, **{f"p{k}": 1 for k in range(10)}}}
                               for i in range(500)]}
            for _ in range(200):
                answer = client.request("POST", "/v1/batch", batch, key=key)
                if answer.status != 200:
                    break
                client.get("/api/v1/segments/sum-0/statistics",
                           headers={"X-Sonnim-Min-Position": answer.position})
            self.assertEqual((answer.status, answer.code), (503, "MEMORY_LIMIT"), answer)
            kinds = {line.split('"')[1]: int(line.split()[-1])
                     for line in client.request("GET", "/metrics").body.decode().splitlines()
                     if line.startswith("sonnim_memory_bytes{")}
            self.assertGreater(kinds["features"], 16 << 20)
            self.assertGreater(min(kinds[kind] for kind in (
                "profiles", "features", "memberships", "events", "changes", "catalog",
                "vault")), 0)
            # Definitions can still be taken out, and that makes room.
            for number in range(40):
                client.expect(204, "DELETE", f"/api/v1/segments/sum-{number}")
            deadline = time.monotonic() + LIVE_SECONDS_MAX
            while client.request("POST", "/v1/batch", {"batch": batch["batch"][:1]},
                                 key=key).status != 200:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            self.assertFalse(client.get("/health/ready")["parts"]["memory"]["full"])


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.place = temporary_directory()
        self.addCleanup(remove_directory, self.place)
        mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(self.place)]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, timeout=300)
            reason = done.stderr.strip() if done.returncode else None
        except OSError as error:
            reason = str(error)
        if reason:
            self.skipTest(f"a small file system cannot be mounted here: {reason}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.place)], timeout=300)

    def test_a_full_disk_is_503_and_recovers_once_there_is_room(self):
        server = Server("--journal-file-bytes", "1MiB", directory=self.place)
        with server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            ballast = self.place / "ballast"
            left = os.statvfs(self.place)
            with open(ballast, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(left.f_bavail * left.f_frsize - 3_000_000,
                                                         1_000_000))
            accepted = []
            for number in range(40):
                answer = client.request("POST", "/v1/batch", fill_batch(number, 10), key=key)
                if answer.status != 200:
                    break
                accepted.append(number)
            self.assertEqual((answer.status, answer.code), (503, "NO_SPACE"), answer)
            self.assertIn("Retry-After", answer.headers)
            self.assertEqual(self.present(client), accepted)

            ballast.unlink()
            deadline = time.monotonic() + LIVE_SECONDS_MAX
            for number in range(1000, 1005):
                body = fill_batch(number, 10)
                while client.request("POST", "/v1/batch", body, key=key).status == 503:
                    self.assertLess(time.monotonic(), deadline, "it does not recover")
                    time.sleep(0.05)
                accepted.append(number)
            self.assertEqual(self.present(client), accepted)
            server.kill()
            server.start()
            self.assertEqual(self.present(server.client()), accepted)

    @staticmethod
    def present(client):
        items = client.items("/api/v1/users/filler-3/events")
        return sorted(int(item["messageId"].split("-")[0]) for item in items)
