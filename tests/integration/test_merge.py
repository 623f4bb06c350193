"""Visitors who become users: what was theirs becomes the user's, exactly once."""
import threading
import time

from case import START, ServerCase
from instants import write_instant
from server import LIVE_SECONDS_MAX, Server

MINUTE = 60_000
SEEN = {"event": "Seen", "op": "gte", "value": 1}


class Merge(ServerCase):
    """Each test has persons and segments of its own; the clock goes on from test to test."""
    now = START

    def setUp(self):
        super().setUp()
        self.name = self.id().rsplit(".", 1)[1].removeprefix("test_")[:40]

    def forward(self, by):
        Merge.now += by
        self.client.set_clock(Merge.now)
        return Merge.now

    def post(self, call, **message):
        answer = self.client.expect(200, "POST", f"/v1/{call}", message, key=self.key)
        self.position = answer.position
        return answer.json

    def get(self, path):
        return self.client.get(path, headers={"X-Sonnim-Min-Position": self.position})

    def visit(self, visitor, event="Seen", **message):
        self.post("track", anonymousId=visitor, event=event, **message)

    def identify(self, user, visitor, **message):
        return self.post("identify", userId=user, anonymousId=visitor, **message)

    def history(self, path):
        return [(item["segmentKey"], item["change"], item["cause"])
                for item in self.get(f"/api/v1/users/{path}/segments/history")["items"]]

    def total(self, segment):
        found = self.get(f"/api/v1/segments/{segment}/statistics")
        return found["size"], found["total_users"]

    def who(self, segment):
        return sorted(item.get("userId") or "?" + item["anonymousId"] for item in
                      self.get(f"/api/v1/segments/{segment}/members?limit=1000")["items"])

    def test_the_visitors_events_become_the_users(self):
        key, user, visitor = "events", "events-user", "events-visitor"
        self.make_segment(key, {"event": "Bought", "op": "gte", "value": 2})
        self.visit(visitor, "Bought", messageId="b1", timestamp=write_instant(Merge.now - MINUTE))
        self.post("track", userId=user, event="Bought", messageId="b2")
        size, total = self.total(key)
        self.assertEqual(size, 0)
        at = self.forward(MINUTE)
        self.identify(user, visitor)
        self.assertEqual(self.who(key), [user])
        self.assertEqual(self.total(key), (1, total - 1))
        items = self.get(f"/api/v1/users/{user}/events")["items"]
        self.assertEqual([item["messageId"] for item in items], ["b2", "b1"])
        row = self.get(f"/api/v1/users/{user}/segments/history")["items"][-1]
        self.assertEqual((row["change"], row["cause"], row["at"]),
                         ("entered", "merge", write_instant(at)))

    def test_the_visitor_leaves_with_cause_merge_and_is_nobody_any_more(self):
        key, user, visitor = "leaves", "leaves-user", "leaves-visitor"
        self.make_segment(key, {"event": "Left", "op": "gte", "value": 1})
        self.make_segment("leaves-all", {"event": "Never", "op": "eq", "value": 0})
        self.visit(visitor, "Left")
        self.assertEqual(self.who(key), ["?" + visitor])
        self.identify(user, visitor)
        self.assertEqual(self.who(key), [user])
        self.assertNotIn("?" + visitor, self.who("leaves-all"))
        rows = self.get(f"/api/v1/segments/{key}/history")["items"]
        told = [(row.get("anonymousId") or row["userId"], row["change"], row["cause"])
                for row in rows]  # those of one instant by partition
        self.assertEqual([row for row in told if row[0] == visitor],
                         [(visitor, "entered", "event"), (visitor, "exited", "merge")])
        self.assertEqual([row for row in told if row[0] == user], [(user, "entered", "merge")])
        rows = [row for row in self.get("/api/v1/segments/leaves-all/history?limit=1000")["items"]
                if row.get("anonymousId") == visitor]
        self.assertEqual([(row["change"], row["cause"]) for row in rows],
                         [("entered", "created"), ("exited", "merge")])

    def test_a_merged_visitor_answers_as_its_user(self):
        user, visitor = "answers-user", "answers-visitor"
        self.visit(visitor)
        self.assertNotIn("mergedInto",
                         self.get(f"/api/v1/users/anonymous_id:{visitor}/profile"))
        self.identify(user, visitor, traits={"tier": "gold"})
        found = self.get(f"/api/v1/users/anonymous_id:{visitor}/profile")
        self.assertEqual((found["id"], found["mergedInto"], found["attributes"]),
                         (user, user, {"tier": "gold"}))
        for what in ("segments", "segments/history", "events"):
            found = self.get(f"/api/v1/users/anonymous_id:{visitor}/{what}")
            self.assertEqual(found["mergedInto"], user)

    def test_traits_fill_gaps_only_and_a_null_is_a_gap(self):
        user, visitor = "traits-user", "traits-visitor"
        self.post("identify", userId=user, traits={"a": "user", "b": "user", "email": "u@x.kr"})
        self.post("identify", anonymousId=visitor,
                  traits={"a": "visitor", "b": "visitor", "c": "visitor", "d": "visitor",
                          "email": "v@x.kr", "phone": "010-1234-5678", "name": "방문자"})
        self.identify(user, visitor, traits={"b": None, "d": "call"})
        found = self.get(f"/api/v1/users/{user}/profile")
        self.assertEqual({name: found["attributes"][name] for name in "abcd"},
                         {"a": "user", "b": "visitor", "c": "visitor", "d": "call"})
        self.assertEqual((found["email"], found["phone"], found["attributes"]["name"]),
                         ("u@x.kr", "010-1234-5678", "방문자"))

    def test_personal_values_of_the_visitors_events_stay_readable(self):
        user, visitor = "sealed-user", "sealed-visitor"
        self.visit(visitor, properties={"email": "v@x.kr"}, context={"ip": "10.1.2.3"})
        self.identify(user, visitor)
        item = self.get(f"/api/v1/users/{user}/events")["items"][0]
        self.assertEqual((item["properties"]["email"], item["context"]["ip"]),
                         ("v@x.kr", "10.1.2.3"))

    def test_calls_after_the_link_belong_to_the_user_last_linked(self):
        visitor = "moves-visitor"
        self.visit(visitor, "Moved", messageId="first")
        self.forward(1)
        self.identify("moves-1", visitor)
        self.visit(visitor, "Moved", messageId="second")
        self.identify("moves-2", visitor)
        self.visit(visitor, "Moved", messageId="third")
        one = self.get("/api/v1/users/moves-1/events")["items"]
        two = self.get("/api/v1/users/moves-2/events")["items"]
        self.assertEqual([item["messageId"] for item in one], ["second", "first"])
        self.assertEqual([item["messageId"] for item in two], ["third"])
        found = self.get(f"/api/v1/users/anonymous_id:{visitor}/profile")
        self.assertEqual((found["id"], found["mergedInto"]), ("moves-2", "moves-1"))

    def test_an_alias_merges_and_two_users_never_do(self):
        self.visit("alias-visitor", "Aliased")
        self.post("alias", userId="alias-user", previousId="alias-visitor")
        self.assertEqual(len(self.get("/api/v1/users/alias-user/events")["items"]), 1)
        answer = self.post("alias", userId="alias-other", previousId="alias-user")
        self.assertEqual(answer["rejected"][0]["code"], "ALREADY_IDENTIFIED")
        self.assertEqual(self.client.request("GET", "/api/v1/users/alias-other/profile").status,
                         404)

    def test_of_one_message_id_the_call_accepted_first_counts(self):
        key, user, visitor = "dedupe", "dedupe-user", "dedupe-visitor"
        self.make_segment(key, {"event": "Paid", "aggregate": "sum", "property": "v", "op": "eq",
                                "value": 7})
        self.visit(visitor, "Paid", messageId="same", properties={"v": 2})
        self.forward(1)
        self.post("track", userId=user, event="Paid", messageId="same", properties={"v": 100})
        self.post("track", userId=user, event="Paid", messageId="other", properties={"v": 5})
        self.forward(1)
        self.visit(visitor, "Paid", messageId="other", properties={"v": 100})
        self.assertEqual(self.who(key), [])
        self.identify(user, visitor)
        self.assertEqual(self.who(key), [user])
        items = self.get(f"/api/v1/users/{user}/events")["items"]
        self.assertEqual(sorted(item["properties"]["v"] for item in items), [2, 5])
        self.post("track", userId=user, event="Paid", messageId="same", properties={"v": 1})
        self.assertEqual(self.who(key), [user])

    def test_windows_go_on_by_the_events_own_times(self):
        key, user, visitor = "windows", "windows-user", "windows-visitor"
        self.make_segment(key, {"event": "Came", "within": "10m", "op": "gte", "value": 2})
        first = Merge.now
        self.visit(visitor, "Came")
        self.forward(4 * MINUTE)
        self.post("track", userId=user, event="Came")
        self.identify(user, visitor)
        self.assertEqual(self.who(key), [user])
        self.client.set_clock(first + 10 * MINUTE - 1)
        self.assertEqual(self.who(key), [user])
        self.forward(6 * MINUTE)
        self.assertEqual(self.who(key), [])
        row = self.get(f"/api/v1/users/{user}/segments/history")["items"][-1]
        self.assertEqual((row["change"], row["cause"], row["at"]),
                         ("exited", "expiry", write_instant(first + 10 * MINUTE)))

    def test_an_event_of_the_future_begins_after_the_merge(self):
        key, user, visitor = "future", "future-user", "future-visitor"
        self.make_segment(key, {"event": "Soon", "op": "gte", "value": 1})
        self.visit(visitor, "Soon", messageId="soon",
                   timestamp=write_instant(Merge.now + 2 * MINUTE))
        self.identify(user, visitor)
        self.assertEqual(self.who(key), [])
        at = self.forward(2 * MINUTE)
        row = self.get(f"/api/v1/users/{user}/segments/history")["items"][-1]
        self.assertEqual((row["change"], row["cause"], row["messageId"], row["at"]),
                         ("entered", "event", "soon", write_instant(at)))

    def test_a_batch_merges_in_its_own_order(self):
        user, visitor = "batch-user", "batch-visitor"
        answer = self.client.expect(200, "POST", "/v1/batch", {"batch": [
            {"type": "track", "anonymousId": visitor, "event": "One", "messageId": "1"},
            {"type": "identify", "anonymousId": visitor, "userId": user, "traits": {"x": 1}},
            {"type": "track", "anonymousId": visitor, "event": "Two", "messageId": "2"}]},
            key=self.key)
        self.position = answer.position
        items = self.get(f"/api/v1/users/{user}/events")["items"]
        self.assertEqual(sorted(item["event"] for item in items), ["One", "Two"])

    def test_many_events_go_over_in_parts(self):
        key, user, visitor = "parts", "parts-user", "parts-visitor"
        self.make_segment(key, {"event": "Bulk", "op": "eq", "value": 400})
        for begin in range(0, 400, 100):
            self.client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": "track", "anonymousId": visitor, "event": "Bulk",
                 "properties": {"filler": f"{i} " + "x y" * 20, "list": [i] * 900}}
                for i in range(begin, begin + 100)]}, key=self.key)
        self.identify(user, visitor)
        self.assertEqual(self.who(key), [user])


def streams(client, partitions):
    pages = []
    for partition in range(partitions):
        after = 0
        while after is not None:
            answer = client.expect(
                200, "GET", f"/api/v1/changes?partition={partition}&after={after}&limit=1000")
            pages.append(answer.json["items"])
            after = answer.json["next"]
    return pages


class MergeOverCrashes(ServerCase):
    """kill -9 at any moment between what ingest appended and what it caused."""
    clock = "wall"
    flags = ("--partitions", "5", "--threads", "2")
    rounds = 20

    def test_every_merge_arrives_exactly_once(self):
        self.make_segment("twice", {"event": "Seen", "op": "eq", "value": 2})
        self.make_segment("alone", {"event": "Seen", "op": "eq", "value": 1})
        begun, pairs, stop = [], [], threading.Event()

        def send(part, acknowledged):
            client, number = self.server.client(), 0
            try:
                while not stop.is_set():
                    name = f"{part}-{number}"
                    number += 1
                    client.expect(200, "POST", "/v1/batch", {"batch": [
                        {"type": "track", "anonymousId": "v" + name, "event": "Seen"},
                        {"type": "track", "userId": "u" + name, "event": "Seen"}]}, key=self.key)
                    begun.append(name)
                    client.expect(200, "POST", "/v1/identify",
                                  {"userId": "u" + name, "anonymousId": "v" + name}, key=self.key)
                    acknowledged.append("u" + name)
            except Exception:  # noqa: BLE001 - the server was killed
                pass
            finally:
                client.close()

        for number in range(self.rounds):
            stop.clear()
            threads = [threading.Thread(target=send, args=(f"{number}-{i}", pairs))
                       for i in range(3)]
            for thread in threads:
                thread.start()
            wanted, deadline = len(pairs) + 1 + number, time.monotonic() + LIVE_SECONDS_MAX
            while len(pairs) < wanted and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(0.001 * number)
            self.server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            self.server.start()
        self.assertGreater(len(pairs), 100)
        client = self.server.client()
        self.addCleanup(client.close)
        # Written again, so that its position lies behind all that the restarts have caused.
        answer = client.expect(200, "POST", "/v1/track", {"userId": "last", "event": "Other"},
                               key=self.key)
        client.get("/api/v1/segments/twice/statistics",
                   headers={"X-Sonnim-Min-Position": answer.position})
        twice = {item.get("userId") for item in client.items("/api/v1/segments/twice/members")}
        self.assertEqual([user for user in pairs if user not in twice], [])
        # A link without an answer may be there or not; what is linked is merged, too.
        for name in begun:
            found = client.request("GET", f"/api/v1/users/anonymous_id:v{name}/profile")
            if found.status == 200 and "mergedInto" in found.json:
                self.assertIn("u" + name, twice)
        live = streams(client, 5)
        self.server.kill()
        self.server.start()
        client = self.server.client()
        self.addCleanup(client.close)
        self.assertEqual(streams(client, 5), live)
