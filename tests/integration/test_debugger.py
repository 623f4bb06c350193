"""Who connects a source sees its newest events with what became of them."""
from case import ServerCase
from program import Node


class Debugger(ServerCase):
    def make(self):
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "가게"}).json
        self.look(source)  # from now on everything is noted
        return source

    def look(self, source, client=None, limit=100):
        return (client or self.client).get(
            f"/api/v1/sources/{source['id']}/debug?limit={limit}")["items"]

    def send(self, source, body, path="/v1/batch"):
        return self.client.request("POST", path, body, key=source["writeKey"])

    def test_events_are_shown_newest_first_with_their_verdict(self):
        source = self.make()
        event = {"type": "track", "userId": "u", "event": "예약", "properties": {"n": 1.5}}
        self.send(source, {"batch": [event, {"type": "x"}]})
        self.send(source, {"userId": "u", "event": "Seen"}, "/v1/track")
        found = self.look(source)
        self.assertEqual([(item["number"], item["verdict"], item["code"], item["place"])
                          for item in found],
                         [(3, "accepted", None, ""), (2, "rejected", "UNKNOWN_TYPE", "batch[1]"),
                          (1, "accepted", None, "batch[0]")])
        self.assertEqual(found[2]["event"], event)
        self.assertEqual(self.look(source, limit=1), found[:1])

    def test_refused_requests_are_among_them(self):
        source = self.make()
        self.client.expect(200, "PUT", f"/api/v1/sources/{source['id']}",
                           {"rateLimit": {"eventsPerSecond": 1}, "allowedOrigins": []})
        track = {"userId": "u", "event": "Seen"}
        self.client.request("POST", "/v1/track", track, {"Origin": "https://x.example"},
                            key=source["writeKey"])
        self.send(source, track, "/v1/track")
        self.send(source, track, "/v1/track")
        self.send(source, b"{")
        self.assertEqual([(item["verdict"], item["code"], item["event"] is None)
                          for item in self.look(source)],
                         [("refused", "INVALID_BODY", True), ("refused", "RATE_LIMITED", True),
                          ("accepted", None, False), ("refused", "ORIGIN", True)])

    def test_personal_values_are_masked_for_who_may_not_see_them(self):
        source = self.make()
        event = {"type": "identify", "userId": "u", "name": "홍길동", "traits": {
            "email": "kim@example.com", "tier": "VIP", "note": "n" * 65, "kim@example.com": 1},
            "context": {"ip": "10.0.0.1", "locale": "ko", "device": {"id": "d-1", "type": "ios"}},
            "properties": {"cc": ["lee@example.com", "제주"], "phone": 1012345678}}
        self.send(source, {"batch": [event, {**event, "type": "x"}]})
        other, _ = self.client_with("source.write")
        masked = {"userId": "u", "name": "***", "traits": {
            "email": "***", "tier": "VIP", "note": "***", "***": 1},
            "context": {"ip": "***", "locale": "ko", "device": {"id": "***", "type": "ios"}},
            "properties": {"cc": ["***", "제주"], "phone": "***"}}
        self.assertEqual([item["event"] for item in self.look(source, other)],
                         [{**masked, "type": "x"}, {**masked, "type": "identify"}])
        self.assertEqual(self.look(source)[1]["event"], event)
        reader, _ = self.client_with("segment.read")
        self.refused(reader.request("GET", f"/api/v1/sources/{source['id']}/debug"), 403)

    def test_only_the_newest_are_kept_and_of_a_request_the_last(self):
        source = self.make()
        for begin in range(0, 300, 50):
            self.send(source, {"batch": [{"type": "track", "userId": "u", "event": f"e{begin + i}"}
                                         for i in range(50)]})
        found = self.look(source)
        self.assertEqual(len(found), 100)
        self.assertEqual([item["event"]["event"] for item in found[:21]],
                         [f"e{i}" for i in range(299, 279, -1)] + ["e249"])

    def test_what_is_too_large_or_too_deep_is_noted_without_its_text(self):
        source = self.make()
        deep = b"[" * 70 + b"]" * 70
        self.send(source, b'{"batch":[{"type":"track","userId":"u","event":"e","properties":{"a":'
                  + deep + b'}},{"type":"track","userId":"u","event":"e","properties":{"a":"'
                  + b"x" * 9000 + b'"}}]}')
        large, deep = self.look(source)
        self.assertEqual((large["verdict"], large["event"], deep["code"], deep["event"]),
                         ("accepted", None, "TOO_DEEP", None))
        self.assertGreater(large["bytes"], 9000)

    def test_without_anybody_looking_the_first_look_finds_something(self):
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "가게"}).json
        for _ in range(5):
            self.send(source, {"userId": "u", "event": "Seen"}, "/v1/track")
        self.assertTrue(self.look(source))

    def test_a_socket_tells_the_newest_and_then_each_that_comes(self):
        source = self.make()
        self.send(source, {"userId": "u", "event": "첫째"}, "/v1/track")
        node = Node("socket.mjs", f"ws://{self.server.address}/ws/sources/{source['id']}/debug",
                    f"sonnim.bearer.{self.server.token}")
        self.addCleanup(node.__exit__)
        node.next()
        first = node.next()
        self.assertEqual([event["event"]["event"] for event in first["events"]], ["첫째"])
        self.assertIn("as_of", first)
        for i in range(3):
            self.send(source, {"userId": "u", "event": f"e{i}"}, "/v1/track")
        told = []
        while len(told) < 3:
            told += [event["event"]["event"] for event in node.next()["events"]]
        self.assertEqual(told, ["e0", "e1", "e2"])

    def test_unknown_sources_and_bad_questions_are_refused(self):
        self.refused(self.client.request("GET", "/api/v1/sources/nobody/debug"), 404)
        self.refused(self.client.request("GET", "/api/v1/sources/api/debug?limit=0"), 400,
                     "VALIDATION_ERROR", "limit")
        self.client.get("/api/v1/sources/api/debug")
