"""Previews answer what the definition will, once it is live, and hold up nobody."""
import json
import os
import random
import select
import socket
import threading
import time

from case import START, ServerCase
from server import ANSWER_SECONDS_MAX, Client, Server

HOUR = 3_600_000
EVENTS = ("A", "B")


def random_expression(draw, segments=(), depth=0):
    kind = draw.random()
    if depth < 2 and kind < 0.4:
        if kind < 0.1:
            return {"not": random_expression(draw, segments, depth + 1)}
        return {draw.choice(("and", "or")): [random_expression(draw, segments, depth + 1)
                                             for _ in range(2)]}
    if segments and kind > 0.85:
        return {"segment": draw.choice(segments)}
    if kind > 0.75:
        return {"trait": "tier", "op": draw.choice(("eq", "neq")), "value": draw.choice("ab")}
    leaf = {"event": draw.choice(EVENTS + ("*",)), "op": draw.choice(("gte", "lt", "eq")),
            "value": draw.randrange(1, 4)}
    if draw.random() < 0.7:
        leaf["within"] = draw.choice(("10m", "30m", "1h"))
    if draw.random() < 0.3:
        leaf.update(aggregate="sum", property="x", value=draw.randrange(1, 20))
    elif draw.random() < 0.3:
        leaf["where"] = {"property": "x", "op": "gt", "value": 4}
    elif draw.random() < 0.2:
        leaf.update(aggregate="distinct", property="x")
    return leaf


def names(rows):
    return sorted(row["userId"] for row in rows)


class Preview(ServerCase):
    users = [f"u{i}" for i in range(40)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        seed = int(os.environ.get("SONNIM_TEST_SEED") or random.randrange(1 << 31))
        print(f"preview: SONNIM_TEST_SEED={seed}", flush=True)
        cls.draw = random.Random(seed)
        client = cls.server.client()
        for step in range(12):
            client.set_clock(START + (step + 1) * HOUR // 10)
            batch = [{"type": "track", "userId": cls.draw.choice(cls.users),
                      "event": cls.draw.choice(EVENTS),
                      "properties": {"x": cls.draw.randrange(10)}} for _ in range(20)]
            batch += [{"type": "identify", "userId": cls.draw.choice(cls.users),
                       "traits": {"tier": cls.draw.choice("ab")}}]
            answer = client.expect(200, "POST", "/v1/batch", {"batch": batch}, key=cls.key)
        cls.position = answer.position
        client.close()

    def preview(self, body, segment=None, **headers):
        path = f"/api/v1/segments/{segment}/preview" if segment else "/api/v1/segments/preview"
        return self.client.expect(200, "POST", path, body, headers={
            "X-Sonnim-Min-Position": self.position, **headers}).json

    def test_a_preview_is_what_the_segment_then_is(self):
        for i in range(40):
            expression = random_expression(self.draw)
            with self.subTest(expression=expression):
                told = self.preview({"expression": expression, "sample": 100})
                key = f"then-{i}"
                self.make_segment(key, expression)
                self.assertEqual(names(told["sample"]), self.members(key))
                self.assertEqual(told["size"], len(told["sample"]))
                self.assertEqual(told["total_users"],
                                 self.client.get(f"/api/v1/segments/{key}/statistics")[
                                     "total_users"])
                self.assertIsNone(told["difference"])
                self.client.expect(204, "DELETE", f"/api/v1/segments/{key}")

    def test_the_difference_is_who_enters_and_leaves_with_the_edit(self):
        base = "edited-base"
        self.make_segment(base, {"event": "A", "op": "gte", "value": 1})
        for i in range(30):
            key = f"edited-{i}"
            self.make_segment(key, random_expression(self.draw, (base,)))
            before = set(self.members(key))
            expression = random_expression(self.draw, (base,))
            with self.subTest(expression=expression):
                told = self.preview({"expression": expression, "sample": 100}, key)
                difference = told["difference"]
                self.assertEqual((difference["liveVersion"], difference["size"]),
                                 (1, len(before)))
                self.client.expect(200, "PUT", f"/api/v1/segments/{key}",
                                   {"expression": expression})
                self.client.wait_live(key)
                after = set(self.members(key))
                self.assertEqual(names(told["sample"]), sorted(after))
                self.assertEqual(names(difference["sampleEntering"]), sorted(after - before))
                self.assertEqual(names(difference["sampleLeaving"]), sorted(before - after))
                self.assertEqual(difference["entering"], len(after - before))
                self.assertEqual(difference["leaving"], len(before - after))

    def test_nothing_of_a_preview_stays(self):
        before = self.client.get("/api/v1/changes?limit=1")["total"]
        listed = self.client.get("/api/v1/segments?limit=1")["total"]
        self.preview({"expression": {"event": "B", "op": "lt", "value": 5}, "sample": 0})
        self.assertEqual(self.client.get("/api/v1/changes?limit=1")["total"], before)
        self.assertEqual(self.client.get("/api/v1/segments?limit=1")["total"], listed)

    def test_what_is_wrong_is_refused_by_name(self):
        ask = self.client.request
        path = "/api/v1/segments/preview"
        leaf = {"event": "A", "op": "gte", "value": 1}
        self.refused(ask("POST", path, {}), 400, "VALIDATION_ERROR")
        self.refused(ask("POST", path, {"expression": leaf, "name": "x"}), 400,
                     "VALIDATION_ERROR", "name")
        self.refused(ask("POST", path, {"expression": leaf, "sample": 101}), 400,
                     "VALIDATION_ERROR", "sample")
        self.refused(ask("POST", path, {"expression": {"segment": "none"}}), 400,
                     "VALIDATION_ERROR", "expression.segment")
        self.refused(ask("POST", "/api/v1/segments/none/preview", {"expression": leaf}), 404)
        self.make_segment("off", leaf)
        self.make_segment("self", {"segment": "off"})
        self.refused(ask("POST", "/api/v1/segments/off/preview",
                         {"expression": {"segment": "self"}}), 400, "VALIDATION_ERROR")

    def test_a_segment_without_a_body_is_previewed_in_its_newest_version(self):
        self.make_segment("newest", {"event": "A", "op": "gte", "value": 1})
        told = self.preview(None, "newest")
        self.assertEqual((told["difference"]["entering"], told["difference"]["leaving"]), (0, 0))
        self.client.expect(200, "PATCH", "/api/v1/segments/newest/status", {"active": False})
        told = self.preview(None, "newest")
        self.assertIsNone(told["difference"])
        self.assertGreater(told["size"], 0)

    def waiting(self):
        """Requests that are not answered yet."""
        metrics = self.client.request("GET", "/metrics").body.decode()
        return int(next(line.split()[1] for line in metrics.splitlines()
                        if line.startswith("sonnim_http_suspended ")))

    def test_more_than_a_few_at_a_time_are_refused_and_a_client_that_leaves_makes_room(self):
        with Server("--partitions", "1") as other:
            key = other.make_key()
            client = other.client()
            batch = [{"type": "track", "userId": "x", "event": "A"}] * 2000
            for _ in range(10):
                ahead = client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                      key=key).position
            client.close()
        path, body = "/api/v1/segments/preview", {
            "expression": {"event": "A", "op": "gte", "value": 1}}
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            held = [self.held(ahead, json.dumps(body)) for _ in range(4)]
            while self.waiting() < 5 and not self.answered(held):  # those and the question itself
                pass
            answer = self.client.request("POST", path, body)
            over = self.answered(held)
            for connection in held:
                connection.close()
            if not over:
                break
            self.assertLess(time.monotonic(), deadline)  # they waited no longer than 5 seconds
        self.refused(answer, 429, "RATE_LIMITED")
        while self.client.request("POST", path, body).status != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def held(self, ahead, body):
        """A preview that waits for a position that does not come so soon."""
        host, port = self.server.address.split(":")
        connection = socket.create_connection((host, int(port)))
        connection.sendall((
            f"POST /api/v1/segments/preview HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {self.server.token}\r\nX-Sonnim-Min-Position: {ahead}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        return connection

    @staticmethod
    def answered(held):
        """Whether one of them has an answer."""
        return bool(select.select(held, (), (), 0)[0])


class PreviewUnderLoad(ServerCase):
    """Two events of a batch are of one instant: whoever sees one of them sees both."""
    clock = "wall"
    flags = ("--partitions", "4", "--threads", "2")

    def test_every_person_is_seen_at_one_instant(self):
        half = {"and": [{"event": "A", "op": "gte", "value": 1},
                        {"event": "B", "op": "eq", "value": 0}]}
        pair = {"and": [{"event": "A", "op": "gte", "value": 1},
                        {"event": "B", "op": "gte", "value": 1}]}
        self.make_segment("pair", pair)
        stop, failures = threading.Event(), []

        def send(number):
            client = Client(self.server.address)
            try:
                for i in range(100000):
                    if stop.is_set():
                        return
                    client.expect(200, "POST", "/v1/batch", {"batch": [
                        {"type": "track", "userId": f"s{number}-{i * 20 + n}", "event": event}
                        for n in range(20) for event in EVENTS]}, key=self.key)
            except Exception as error:  # told by the test's own thread
                failures.append(error)
            finally:
                client.close()

        def switch():
            client = self.server.client()
            try:
                for i in range(100000):
                    if stop.is_set():
                        return
                    client.expect(200, "PATCH", "/api/v1/segments/other/status",
                                  {"active": i % 2 == 0})
                    time.sleep(0.05)
            except Exception as error:
                failures.append(error)
            finally:
                client.close()

        self.make_segment("other", half)
        threads = [threading.Thread(target=send, args=(n,)) for n in range(2)]
        threads.append(threading.Thread(target=switch))
        for thread in threads:
            thread.start()
        try:
            last, deadline = 0, time.monotonic() + 20
            while last < 4000 and (time.monotonic() < deadline or last == 0) and not failures:
                told = self.client.expect(200, "POST", "/api/v1/segments/preview",
                                          {"expression": half}).json
                self.assertEqual(told["size"], 0, told)
                # The live version, kept up event by event, is exactly what the preview finds.
                told = self.client.expect(200, "POST", "/api/v1/segments/pair/preview",
                                          {"expression": {"not": half}}).json
                self.assertEqual(told["size"], told["total_users"])
                self.assertEqual(told["difference"]["size"], told["total_users"])
                self.assertEqual(told["difference"]["entering"], 0)
                self.assertGreaterEqual(told["size"], last)
                last = told["size"]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(last, 0)
