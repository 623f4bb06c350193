"""What collection and the events API take, and what they reject singly."""
import json

from case import START, ServerCase
from instants import write_instant

OLDEST = START - 1096 * 86_400_000


class Messages(ServerCase):
    def batch(self, *messages, **more):
        """(index, code) of the rejected ones."""
        answer = self.client.expect(200, "POST", "/v1/batch", {"batch": messages, **more},
                                    key=self.key)
        self.assertIs(answer.json["success"], True)
        return [(item["index"], item["code"]) for item in answer.json.get("rejected", [])]

    def test_each_bad_message_is_rejected_singly(self):
        good = {"type": "track", "userId": "singly", "event": "Seen"}
        bad = [
            (5, "INVALID_MESSAGE"),
            ([], "INVALID_MESSAGE"),
            (None, "INVALID_MESSAGE"),
            ({**good, "type": "trak"}, "UNKNOWN_TYPE"),
            ({"userId": "singly", "event": "Seen"}, "UNKNOWN_TYPE"),
            ({"type": "track", "event": "Seen"}, "MISSING_ID"),
            ({"type": "track", "event": "Seen", "userId": "", "anonymousId": ""}, "MISSING_ID"),
            ({"type": "track", "userId": "singly"}, "MISSING_EVENT_NAME"),
            ({**good, "event": ""}, "MISSING_EVENT_NAME"),
            ({**good, "event": 5}, "MISSING_EVENT_NAME"),
            ({**good, "userId": {}}, "INVALID_ID"),
            ({**good, "userId": True}, "INVALID_ID"),
            ({**good, "userId": "a" * 1025}, "INVALID_ID"),
            ({**good, "messageId": []}, "INVALID_MESSAGE_ID"),
            ({**good, "messageId": "a" * 257}, "INVALID_MESSAGE_ID"),
            ({**good, "timestamp": "yesterday"}, "INVALID_TIMESTAMP"),
            ({**good, "timestamp": 1767225600000}, "INVALID_TIMESTAMP"),
            ({**good, "timestamp": "2026-02-30T00:00:00Z"}, "INVALID_TIMESTAMP"),
            ({**good, "timestamp": "2000-01-01T00:00:00Z"}, "TOO_OLD"),
            ({**good, "properties": []}, "INVALID_FIELD"),
            ({**good, "properties": "x"}, "INVALID_FIELD"),
            ({**good, "context": 5}, "INVALID_FIELD"),
            ({"type": "identify", "userId": "singly", "traits": []}, "INVALID_FIELD"),
            ({"type": "page", "userId": "singly", "name": 5}, "INVALID_FIELD"),
            ({"type": "group", "userId": "singly"}, "MISSING_ID"),
            ({"type": "alias", "userId": "singly"}, "MISSING_ID"),
            ({"type": "alias", "previousId": "x"}, "MISSING_ID"),
            ({**good, "properties": {"a": "x" * 33_000}}, "EVENT_TOO_LARGE"),
        ]
        batch = [good]
        for message, _ in bad:
            batch += [message, good]
        expected = [(2 * i + 1, code) for i, (_, code) in enumerate(bad)]
        self.assertEqual(self.batch(*batch), expected)
        self.assertEqual(len(self.events("singly")), len(bad) + 1)

    def test_a_number_that_is_no_finite_double_rejects_its_message_alone(self):
        good = '{"type":"track","userId":"huge","event":"Seen","properties":{"a":1e308}}'
        for number in ("1e309", "-1e999", "1" + "0" * 400):
            body = f'{{"batch":[{good},{good.replace("1e308", number)},{good}]}}'
            answer = self.client.expect(200, "POST", "/v1/batch", body.encode(), key=self.key)
            self.assertEqual([(item["index"], item["code"]) for item in answer.json["rejected"]],
                             [(1, "INVALID_NUMBER")])
        self.assertEqual(len(self.events("huge")), 6)

    def test_NaN_and_Infinity_are_no_JSON(self):
        for number in ("NaN", "Infinity", "-Infinity", "nan"):
            body = f'{{"userId":"nan","event":"Seen","properties":{{"a":{number}}}}}'
            self.refused(self.client.request("POST", "/v1/track", body.encode(), key=self.key), 400)
        self.assertEqual(self.client.request("GET", "/api/v1/users/nan/events").status, 404)

    def test_a_body_that_is_no_JSON_is_refused(self):
        for body in (b"", b"{", b'{"batch":[}', b"<xml/>", b'{"batch":[{"type":"track"}', b"\x00",
                     b'{"userId":"\xff","event":"Seen"}', b'{"userId":"a\nb","event":"Seen"}'):
            for path in ("/v1/batch", "/v1/track"):
                with self.subTest(body=body, path=path):
                    self.refused(self.client.request("POST", path, body, key=self.key), 400)

    def test_a_batch_needs_its_messages(self):
        for body in ({"batch": 5}, {"batch": {}}, [], 5):
            with self.subTest(body=body):
                answer = self.client.request("POST", "/v1/batch", body, key=self.key)
                self.refused(answer, 400)

    def test_an_empty_batch_is_taken(self):
        self.assertEqual(self.batch(), [])

    def test_deep_nesting_is_rejected_without_harm(self):
        deep = b'{"a":' * 80 + b"1" + b"}" * 80
        body = b'{"batch":[{"type":"track","userId":"deep","event":"Seen","properties":' + deep + \
            b'},{"type":"track","userId":"deep","event":"Seen"}]}'
        answer = self.client.expect(200, "POST", "/v1/batch", body, key=self.key)
        self.assertEqual([item["code"] for item in answer.json["rejected"]], ["TOO_DEEP"])
        bottomless = b'{"userId":"deep","event":"Seen","properties":' + b"[" * 1_000_000
        self.refused(self.client.request("POST", "/v1/track", bottomless, key=self.key), 400)
        self.assertEqual(len(self.events("deep")), 1)

    def test_a_string_of_1_MB_rejects_its_message_alone(self):
        good = {"type": "track", "userId": "long", "event": "Seen"}
        long = "a" * 2**20
        self.assertEqual(self.batch({**good, "properties": {"a": long}}, good,
                                    {**good, "event": long}, {**good, "userId": long}),
                         [(0, "EVENT_TOO_LARGE"), (2, "EVENT_TOO_LARGE"), (3, "EVENT_TOO_LARGE")])

    def test_an_event_may_have_32_KB(self):
        message = {"type": "track", "userId": "big", "event": "Seen", "properties": {"a": ""}}
        room = 32 * 1024 - len(json.dumps(message, separators=(",", ":")))
        message["properties"]["a"] = "x" * room
        answer = self.client.expect(
            200, "POST", "/v1/batch",
            json.dumps({"batch": [message]}, separators=(",", ":")).encode(), key=self.key)
        self.assertNotIn("rejected", answer.json)
        message["properties"]["a"] += "x"
        self.assertEqual(self.batch(message), [(0, "EVENT_TOO_LARGE")])

    def test_a_message_id_counts_once(self):
        for _ in range(3):
            self.track("once", messageId="m", properties={"n": 1})
        self.assertEqual(self.batch(*[{"type": "track", "userId": "once", "event": "Seen",
                                       "messageId": "n"}] * 3), [])
        self.assertEqual(sorted(event["messageId"] for event in self.events("once")), ["m", "n"])

    def test_a_call_without_message_id_is_never_a_duplicate(self):
        for _ in range(3):
            self.track("each")
        self.assertEqual(len(self.events("each")), 3)

    def test_ids_may_be_numbers(self):
        self.assertEqual(self.batch({"type": "track", "userId": 4711, "event": "Seen"}), [])
        self.assertEqual(len(self.events("4711")), 1)

    def test_an_event_keeps_what_it_says(self):
        properties = {"제주": "손님", "n": 1.5, "i": 2**53, "t": True, "none": None,
                      "list": ["a", 1, {"b": []}], "o": {"p": {"q": "r"}},
                      "quote": "\"\\\u0000\u2028"}
        self.track("content", properties=properties, messageId="c",
                   context={"app": {"name": "shop"}})
        event = self.events("content")[0]
        self.assertEqual(event["properties"], properties)
        self.assertEqual(event["context"]["app"], {"name": "shop"})
        self.assertEqual((event["type"], event["event"], event["messageId"]),
                         ("track", "Seen", "c"))

    def test_the_oldest_event_that_is_taken_is_1096_days_old(self):
        self.track("old", timestamp=write_instant(OLDEST + 86_400_000))
        self.assertEqual(self.batch({"type": "track", "userId": "old", "event": "Seen",
                                     "timestamp": write_instant(OLDEST + 86_399_999)}),
                         [(0, "TOO_OLD")])
        self.assertEqual(len(self.events("old")), 1)

    def test_an_event_more_than_5_minutes_ahead_happens_now(self):
        self.track("ahead", timestamp=write_instant(START + 300_001))
        event = self.events("ahead")[0]
        self.assertEqual((event["time"], event["fromFuture"]), (write_instant(START), True))

    def test_aliases_of_event_types_find_the_same_events(self):
        self.make_segment("both-names", {"event": "orders", "op": "gte", "value": 2})
        self.client.expect(200, "POST", "/api/v1/events",
                           [{"userId": "both", "eventType": "orders"}])
        self.track("both", event="Order Completed")
        self.assertEqual(self.members("both-names"), ["both"])


class PlatformEvents(ServerCase):
    def test_a_single_bad_event_is_an_error(self):
        good = {"userId": "p", "eventType": "clicks", "timestamp": START, "attributes": {"a": 1}}
        self.client.expect(200, "POST", "/api/v1/events/single", good)
        for change, code in [({"eventType": "unknown"}, "UNKNOWN_EVENT_TYPE"),
                             ({"eventType": None}, "UNKNOWN_EVENT_TYPE"),
                             ({"userId": ""}, "MISSING_ID"),
                             ({"timestamp": "soon"}, "INVALID_TIMESTAMP"),
                             ({"timestamp": 0}, "TOO_OLD"),
                             ({"attributes": []}, "INVALID_FIELD")]:
            with self.subTest(change=change):
                answer = self.client.request("POST", "/api/v1/events/single", {**good, **change})
                self.refused(answer, 400, code)
        self.assertEqual(len(self.events("p")), 1)

    def test_a_batch_may_be_an_array_or_an_object(self):
        event = {"userId": "q", "eventType": "addToCart", "sessionId": "s", "deviceId": "d"}
        self.client.expect(200, "POST", "/api/v1/events", [event, event])
        answer = self.client.expect(200, "POST", "/api/v1/events",
                                    {"events": [event, {"eventType": "clicks"}]})
        self.assertEqual([item["index"] for item in answer.json["rejected"]], [1])
        self.assertEqual([event["event"] for event in self.events("q")], ["Product Added"] * 3)

    def test_api_without_v1_is_the_same(self):
        self.client.expect(200, "POST", "/api/events", [{"userId": "r", "eventType": "clicks"}])
        self.assertEqual(self.client.get("/api/users/r/events")["total"], 1)
