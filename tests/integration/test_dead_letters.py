"""What was rejected is kept with its source, can be looked at, sent again, and goes in the end."""
import collections
import http.client
import json
import os
import random
import threading
import time
import urllib.parse

from case import START, ServerCase
from instants import write_instant
from server import contents


class LetterCase(ServerCase):
    def make(self):
        return self.client.expect(201, "POST", "/api/v1/sources", {"name": "가게"}).json

    def path(self, source, *rest, **query):
        path = "/".join((f"/api/v1/sources/{source['id']}/dead-letters", *rest))
        return f"{path}?{urllib.parse.urlencode(query)}" if query else path

    def letters(self, source, **query):
        return self.client.get(self.path(source, **query))["items"]

    def send(self, source, body, path="/v1/batch"):
        answer = self.client.request("POST", path, body, key=source["writeKey"])
        self.assertEqual(answer.status, 200, answer)
        return answer

    def replay(self, source, letter=None, **wish):
        place = (letter["id"], "replay") if letter else ("replay",)
        return self.client.expect(200, "POST", self.path(source, *place),
                                  None if letter else wish)

    def unknown(self, name, **members):
        """Rejected by the events API until the type is registered."""
        return {"eventType": name, "userId": members.pop("userId", "guest"), **members}

    def register(self, name):
        self.client.expect(201, "POST", "/api/v1/event-types", {"name": name})

    def events_after(self, user, answer):
        return self.client.get(f"/api/v1/users/{user}/events",
                               headers={"X-Sonnim-Min-Position": answer.position})["items"]


class Look(LetterCase):
    def test_a_rejected_event_is_kept_as_it_came_with_reason_and_place(self):
        source = self.make()
        raw = '{ "type":"track",  "userId":"u", "properties": {"메모":"\\ud55c글 }]\\"" , "n":1.50}}'
        body = '{"sentAt":"2026-01-01T00:00:00Z","batch":[{"type":"track","userId":"u","event":' \
               '"]"},' + raw + ' , 7,{"type":"x"}]}'
        self.send(source, body.encode())
        found = self.client.get(self.path(source))
        self.assertEqual((found["total"], found["next"]), (3, None))
        self.assertEqual(sorted((item["code"], item["place"], item["event"])
                                for item in found["items"]),
                         [("INVALID_MESSAGE", "batch[2]", "7"),
                          ("MISSING_EVENT_NAME", "batch[1].event", raw),
                          ("UNKNOWN_TYPE", "batch[3].type", '{"type":"x"}')])
        letter = next(item for item in found["items"] if item["code"] == "MISSING_EVENT_NAME")
        self.assertEqual((letter["bytes"], letter["cut"], letter["replays"]),
                         (len(raw.encode()), False, 0))
        self.assertEqual(letter["at"][:10], write_instant(START)[:10])
        self.assertEqual(self.client.get(self.path(source, letter["id"])), letter)

    def test_single_calls_and_the_events_API_have_theirs(self):
        source = self.make()
        self.send(source, {"userId": "u"}, "/v1/track")
        self.assertEqual([(item["place"], json.loads(item["event"]))
                          for item in self.letters(source)], [("event", {"userId": "u"})])
        api = {"id": "api"}
        for body, path in ((self.unknown("lonely"), "/single"), ([self.unknown("listed")], ""),
                           ({"events": [{"eventType": "clicks", "userId": "u"},
                                        self.unknown("held")]}, "")):
            self.client.request("POST", f"/api/v1/events{path}", body)
        self.assertEqual([item["place"] for item in self.letters(api, code="UNKNOWN_EVENT_TYPE")],
                         ["events[1].eventType", "events[0].eventType", "eventType"])

    def test_what_a_refused_request_brings_is_no_letter(self):
        source = self.make()
        self.client.expect(200, "PUT", f"/api/v1/sources/{source['id']}",
                           {"rateLimit": {"eventsPerSecond": 1}})
        self.send(source, {"batch": [{"type": "x"}]})
        self.assertEqual(self.client.request("POST", "/v1/batch", {"batch": [{"type": "x"}]},
                                             key=source["writeKey"]).status, 429)
        self.assertEqual(len(self.letters(source)), 1)

    def test_they_are_found_by_code_time_and_text_page_by_page(self):
        source = self.make()
        begin = START + 86_400_000
        for minute in range(5):
            self.client.set_clock(begin + 60_000 * minute)
            self.send(source, {"batch": [{"type": "x", "말": f"바다 {minute}"}, minute]})
        everything = self.letters(source)
        self.assertEqual(len(everything), 10)
        self.assertEqual(everything, sorted(everything, key=lambda item: -int(item["id"])))
        self.assertEqual(self.client.items(self.path(source), limit=3), everything)
        self.assertEqual(len(self.letters(source, code="UNKNOWN_TYPE")), 5)
        between = {"from": write_instant(begin + 60_000), "to": write_instant(begin + 180_000)}
        self.assertEqual([item["event"] for item in self.letters(
            source, code="INVALID_MESSAGE", **between)], ["2", "1"])
        found = self.client.get(self.path(source, text="바다 3"))
        self.assertEqual((len(found["items"]), found["total"]), (1, None))
        self.assertEqual(self.client.items(self.path(source, text="바다"), limit=2),
                         self.letters(source, text="바다"))

    def test_personal_values_are_for_who_may_see_them(self):
        source = self.make()
        self.send(source, {"batch": [{"type": "x", "email": "kim@example.com"}]})
        other, _ = self.client_with("source.write")
        item = other.get(self.path(source))["items"][0]
        self.assertIsNone(item["event"])
        self.assertIsNone(other.get(self.path(source, item["id"]))["event"])
        self.refused(other.request("GET", self.path(source, text="kim")), 403, "FORBIDDEN", "text")
        reader, _ = self.client_with("segment.read")
        self.refused(reader.request("GET", self.path(source)), 403)

    def test_nothing_of_them_lies_readable_on_the_disk(self):
        source = self.make()
        self.track("known")
        self.send(source, {"batch": [{"type": "x", "userId": user, "secret": "비밀-말-7741"}
                                     for user in ("known", "unknown")]})
        self.assertEqual(len(self.letters(source, text="비밀-말-7741")), 2)
        for file, content in contents(self.server.data):
            self.assertNotIn("비밀-말-7741".encode(), content, file)

    def test_they_survive_a_restart_and_go_with_their_source(self):
        source = self.make()
        self.send(source, {"batch": [{"type": "x"}]})
        before = self.letters(source)
        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.assertEqual(self.letters(source), before)
        self.client.expect(204, "DELETE", f"/api/v1/sources/{source['id']}")
        self.refused(self.client.request("GET", self.path(source)), 404)

    def test_a_long_one_is_cut_off(self):
        source = self.make()
        self.send(source, {"batch": [{"type": "track", "userId": "u", "event": "가" * 40_000}]})
        letter = self.letters(source)[0]
        self.assertEqual((letter["code"], letter["cut"]), ("EVENT_TOO_LARGE", True))
        self.assertGreater(letter["bytes"], 120_000)
        self.assertEqual(self.replay(source, letter).json,
                         {"replayed": 0, "rejected": 1, "complete": True})
        self.assertEqual(self.letters(source), [letter])

    def test_bad_questions_are_refused_with_the_field(self):
        source = self.make()
        for query, field in (({"from": "x"}, "from"), ({"to": "x"}, "to"), ({"limit": 0}, "limit"),
                             ({"cursor": "x"}, "cursor"), ({"text": "x" * 257}, "text"),
                             ({"from": write_instant(START), "to": write_instant(START)}, "from")):
            with self.subTest(query=query):
                self.refused(self.client.request("GET", self.path(source, **query)), 400,
                             "VALIDATION_ERROR", field)
        for wish, field in (({"code": 5}, "code"), ({"x": 1}, "x"), ({"from": "x"}, "from"),
                            ({"to": 5}, "to"), ({"text": ""}, None)):
            with self.subTest(wish=wish):
                answer = self.client.request("POST", self.path(source, "replay"), wish)
                if field:
                    self.refused(answer, 400, "VALIDATION_ERROR", field)
        for letter in ("0", "x", "99999999", "1e3"):
            self.refused(self.client.request("GET", self.path(source, letter)), 404)
            self.refused(self.client.request("DELETE", self.path(source, letter)), 404)
            self.refused(self.client.request("POST", self.path(source, letter, "replay")), 404)


class Replay(LetterCase):
    api = {"id": "api"}

    def test_one_is_replayed_when_its_type_is_known_and_is_none_any_more(self):
        self.client.request("POST", "/api/v1/events/single", self.unknown(
            "replayed", userId="r1", messageId="m-1", attributes={"지역": "제주"}))
        letter = self.letters(self.api, text="r1")[0]
        self.assertEqual(self.replay(self.api, letter).json,
                         {"replayed": 0, "rejected": 1, "complete": True})
        self.assertEqual(self.letters(self.api, text="r1")[0]["replays"], 1)
        self.register("replayed")
        answer = self.replay(self.api, letter)
        self.assertEqual(answer.json, {"replayed": 1, "rejected": 0, "complete": True})
        events = self.events_after("r1", answer)
        self.assertEqual([(event["event"], event["messageId"], event["properties"])
                          for event in events], [("replayed", "m-1", {"지역": "제주"})])
        self.refused(self.client.request("GET", self.path(self.api, letter["id"])), 404)

    def test_each_counts_once_whatever_its_message_id(self):
        """Also when the same was sent again by its sender, and when two replays meet."""
        one, none = self.unknown("once", userId="r2", messageId="m"), self.unknown(
            "once", userId="r2")
        for event in (one, one, none):
            self.client.request("POST", "/api/v1/events", [event])
        self.register("once")
        self.client.expect(200, "POST", "/api/v1/events", [one])
        answer = self.replay(self.api, text='"r2"')
        self.assertEqual(answer.json["replayed"], 3)
        events = self.events_after("r2", answer)
        self.assertEqual(len(events), 2)
        self.assertIn("m", [event["messageId"] for event in events])
        self.assertTrue(all(event["messageId"] for event in events))

    def test_an_event_keeps_the_time_that_it_had_when_it_came(self):
        source = self.make()
        came = START + 5 * 86_400_000
        self.client.set_clock(came)
        event = {"type": "alias", "userId": "r3", "previousId": "taken"}
        self.track("taken")
        self.track("r3")
        self.send(source, {"sentAt": write_instant(came - 50_000), "batch": [event]})
        for body in (self.unknown("timed", userId="r4"),
                     self.unknown("timed", userId="r4", timestamp=came - 7_000)):
            self.client.request("POST", "/api/v1/events", [body])
        self.assertEqual([item["code"] for item in self.letters(source)], ["ALREADY_IDENTIFIED"])
        self.client.set_clock(came + 3 * 86_400_000)
        self.register("timed")
        answer = self.replay(self.api, code="UNKNOWN_EVENT_TYPE", text='"r4"')
        self.assertEqual(sorted(event["timestamp"] for event in self.events_after("r4", answer)),
                         [write_instant(came - 7_000), write_instant(came)])
        self.assertEqual(self.replay(source).json["rejected"], 1)
        self.assertEqual(self.letters(source)[0]["place"], "batch[0].previousId")

    def test_many_are_replayed_by_filter(self):
        events = [self.unknown("many", userId=f"many-{i % 7}", attributes={"i": i})
                  for i in range(450)]
        self.client.request("POST", "/api/v1/events", events)
        self.client.request("POST", "/api/v1/events", [self.unknown("few", userId="many-0")])
        self.register("many")
        self.register("few")
        answer = self.replay(self.api, text='"many"')
        self.assertEqual(answer.json, {"replayed": 450, "rejected": 0, "complete": True})
        self.events_after("many-0", answer)
        seen = sum(len(self.client.items(f"/api/v1/users/many-{i}/events")) for i in range(7))
        self.assertEqual(seen, 450)
        self.assertEqual(len(self.letters(self.api, text='"few"')), 1)

    def test_they_are_deleted_one_by_one_and_by_filter(self):
        source = self.make()
        self.send(source, {"batch": [1, {"type": "x"}, 2, {"type": "y"}]})
        letter = self.letters(source, code="UNKNOWN_TYPE")[0]
        self.client.expect(204, "DELETE", self.path(source, letter["id"]))
        self.refused(self.client.request("DELETE", self.path(source, letter["id"])), 404)
        gone = self.client.expect(200, "DELETE", self.path(source, code="INVALID_MESSAGE"))
        self.assertEqual(gone.json, {"deleted": 2, "complete": True})
        self.assertEqual(len(self.letters(source)), 1)


class Killed(LetterCase):
    """kill -9 amidst replays."""
    api = {"id": "api"}
    count = 800  # new ones before each kill

    def reject(self, kill):
        """More letters, of a type that is registered only then."""
        self.client.request("POST", "/api/v1/events", [
            self.unknown(f"killed-{kill}", userId=f"k-{i % 5}", attributes={"i": i},
                         **({"messageId": f"k-{i}"} if i % 2 else {}))
            for i in range(kill * self.count, (kill + 1) * self.count)])
        self.assertGreaterEqual(len(self.client.items(self.path(self.api))), self.count)
        self.register(f"killed-{kill}")

    def start_replay(self, outcomes):
        """On a connection of its own; what it answers goes to `outcomes`, nothing if it ended."""
        client = self.server.client()

        def run():
            try:
                outcomes.append(client.request("POST", self.path(self.api, "replay"), {}))
            except (http.client.HTTPException, OSError):
                pass
            client.close()
        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def counted(self):
        """By number: how often it is an event."""
        found = collections.Counter()
        for user in range(5):
            for event in self.client.items(f"/api/v1/users/k-{user}/events"):
                if event["event"].startswith("killed"):
                    found[event["properties"]["i"]] += 1
        return found

    def test_every_letter_counts_once_however_often_two_replays_are_killed(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns()))
        print(f"     SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        for user in range(5):
            self.track(f"k-{user}")
        amidst, outcomes = 0, []
        kills = int(os.environ.get("SONNIM_TEST_KILLS", "6"))
        for kill in range(kills):
            self.reject(kill)
            answered = len(outcomes)
            threads = [self.start_replay(outcomes) for _ in range(2)]
            time.sleep(chance.random() * 0.03)
            self.client.close()
            self.server.kill()
            for thread in threads:
                thread.join()
            self.server.start()
            self.client = self.server.client()
            self.addCleanup(self.client.close)
            left = [json.loads(item["event"])["attributes"]["i"]
                    for item in self.client.items(self.path(self.api))]
            counted = self.counted()
            everything = set(range((kill + 1) * self.count))
            amidst += len(outcomes) < answered + 2
            self.assertEqual(set(left) | set(counted), everything)
            self.assertEqual(set(counted.values()) - {1}, set())
        threads = [self.start_replay(outcomes) for _ in range(2)]
        for thread in threads:
            thread.join()
        self.assertEqual([answer.status for answer in outcomes[-2:]], [200, 200])
        for answer in outcomes[-2:]:
            self.events_after("k-0", answer)
        self.assertEqual(self.letters(self.api), [])
        self.assertEqual(self.counted(), {i: 1 for i in everything})
        print(f"     killed {amidst} times amidst two replays")


class Bounds(LetterCase):
    flags = ("--partitions", "3", "--dead-letter-count", "5", "--dead-letter-retention", "1d",
             "--retention-wait", "0s")

    def test_the_oldest_go_when_there_are_too_many(self):
        source = self.make()
        for i in range(8):
            self.send(source, {"batch": [i]})
            self.letters(source)
        self.assertEqual([item["event"] for item in self.letters(source)],
                         ["7", "6", "5", "4", "3"])

    def test_old_ones_are_reported_and_then_dropped(self):
        source = self.make()
        self.client.expect(200, "PUT", "/api/v1/schedules/retention",
                           {"kind": "retention", "cron": "37 2 * * *", "active": False})
        while any(job["finishedAt"] is None  # what was due before
                  for job in self.client.items("/api/v1/jobs?kind=retention")):
            time.sleep(0.01)
        self.send(source, {"batch": [1]})
        self.assertEqual(len(self.letters(source)), 1)
        self.client.set_clock(START + 2 * 86_400_000)
        self.send(source, {"batch": [2]})
        self.assertEqual(len(self.letters(source)), 2)
        self.assertEqual(self.kept()["next"], "report")
        self.run_retention()
        self.assertEqual(len(self.letters(source)), 2)
        self.assertEqual(self.kept()["next"], "drop")
        self.run_retention()
        self.assertEqual([item["event"] for item in self.letters(source)], ["2"])
        self.assertEqual(self.kept()["next"], "keep")

    def kept(self):
        return next(item for item in self.client.get("/api/v1/retention")["items"]
                    if item["name"] == "dead-letters")

    def run_retention(self):
        job = self.client.expect(200, "POST", "/api/v1/schedules/retention/run").json["id"]
        deadline = time.monotonic() + 300
        while self.client.get(f"/api/v1/jobs/{job}")["state"] != "done":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
