"""The life of segments, users and positions through the API."""
import time
from datetime import datetime

from case import START, ServerCase
from instants import write_instant

LEAF = {"event": "Seen", "op": "gte", "value": 1}
MINUTE = {"event": "Seen", "within": "60s", "op": "gte", "value": 1}


class Segments(ServerCase):
    def test_a_segment_answers_what_its_author_wrote(self):
        expression = {"and": [{"trait": "tier", "op": "in", "value": ["b", "a", "b"]},
                              {"and": [MINUTE]}]}
        made = self.make_segment("written", expression, live=False)
        self.assertEqual((made["state"], made["type"], made["version"]),
                         ("Preparing", "INDEPENDENT", 1))
        found = self.client.wait_live("written")
        self.assertEqual((found["expression"], found["id"], found["liveVersion"]),
                         (expression, made["id"], 1))
        self.assertIn("within", found["text"])
        self.assertEqual(self.client.get(f"/api/v1/segments/{made['id']}"), found)

    def test_an_expression_may_be_written_as_text(self):
        self.make_segment("as-text", 'count("주문 완료" where "지역" = "제주") within 7d >= 2 '
                                     'or TRAIT(tier) in ["a","b"]')
        found = self.client.get("/api/v1/segments/as-text")
        self.assertEqual(found["expression"], {"or": [
            {"event": "주문 완료", "where": {"property": "지역", "op": "eq", "value": "제주"},
             "within": "7d", "op": "gte", "value": 2},
            {"trait": "tier", "op": "in", "value": ["a", "b"]}]})
        self.assertEqual(found["text"], 'count("주문 완료" where "지역" = "제주") within 7d >= 2 '
                                        'or trait(tier) in ["a", "b"]')
        answer = self.client.expect(200, "PUT", "/api/v1/segments/as-text",
                                    {"expression": found["expression"]})
        self.assertEqual((answer.json["version"], answer.json["expression"]),
                         (1, found["expression"]))

    def test_a_mistake_in_a_text_has_its_line_and_column(self):
        answer = self.client.request("POST", "/api/v1/segments", {
            "name": "x", "expression": "trait(tier) = \"a\"\n  andd count(A) > 1"})
        error = self.refused(answer, 400, "VALIDATION_ERROR", "expression")
        self.assertEqual(error["details"]["reason"],
                         "line 2, column 3: expected and, or or the end, not andd: "
                         "did you mean and?")

    def test_an_equal_canonical_form_makes_no_version(self):
        self.make_segment("equal", {"and": [LEAF, MINUTE]})
        answer = self.client.expect(200, "PUT", "/api/v1/segments/equal", {"expression": {"and": [
            {"and": [{**MINUTE, "within": "1m", "aggregate": "count"}]}, LEAF, LEAF]}})
        self.assertEqual(answer.json["version"], 1)
        self.server.kill()
        self.server.start()
        self.client.close()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.assertEqual(self.client.get("/api/v1/segments/equal")["expression"],
                         answer.json["expression"])  # as it was written last
        answer = self.client.expect(200, "PUT", "/api/v1/segments/equal", {"expression": LEAF})
        self.assertEqual(answer.json["version"], 2)

    def test_if_match_guards_against_lost_edits(self):
        self.make_segment("guarded", LEAF)
        tag = self.client.expect(200, "GET", "/api/v1/segments/guarded").headers["ETag"]
        path, body = "/api/v1/segments/guarded", {"expression": MINUTE}
        answer = self.client.expect(200, "PUT", path, body, headers={"If-Match": tag})
        self.assertNotEqual(answer.headers["ETag"], tag)
        self.refused(self.client.request("PUT", path, {"expression": LEAF},
                                         headers={"If-Match": tag}), 412, "PRECONDITION_FAILED")
        self.refused(self.client.request("PUT", path, body, headers={"If-Match": "x"}), 400)
        self.client.expect(200, "PUT", path, {"name": "Renamed"}, headers={"If-Match": "*"})
        found = self.client.wait_live("guarded")
        self.assertEqual((found["expression"], found["name"]), (MINUTE, "Renamed"))

    def test_keys_are_unique_and_ids_stay(self):
        made = self.make_segment("unique", LEAF)
        answer = self.client.request("POST", "/api/v1/segments",
                                     {"key": "unique", "name": "x", "expression": LEAF})
        self.refused(answer, 409, "CONFLICT")
        for key in ("", "-a", "a b", "a/b", made["id"], "a" * 129):
            answer = self.client.request("POST", "/api/v1/segments",
                                         {"key": key, "name": "x", "expression": LEAF})
            self.refused(answer, 400, "VALIDATION_ERROR", "key")

    def test_what_is_referred_to_can_be_neither_disabled_nor_deleted(self):
        self.make_segment("ground", LEAF)
        self.make_segment("storey", {"not": {"segment": "ground"}})
        for method, path, body in [("DELETE", "/api/v1/segments/ground", None),
                                   ("PATCH", "/api/v1/segments/ground/status", {"active": False})]:
            error = self.refused(self.client.request(method, path, body), 409, "CONFLICT")
            self.assertIn("storey", error["message"])
        self.client.expect(204, "DELETE", "/api/v1/segments/storey")
        self.client.expect(204, "DELETE", "/api/v1/segments/ground")
        self.refused(self.client.request("GET", "/api/v1/segments/ground"), 404, "NOT_FOUND")

    def test_a_deleted_segment_is_left_by_all_and_its_key_is_free(self):
        self.make_segment("passing", LEAF)
        self.track("p1")
        self.assertEqual(self.members("passing"), ["p1"])
        self.client.expect(204, "DELETE", "/api/v1/segments/passing")
        deadline = time.monotonic() + 300
        while self.user("p1", "segments")["items"] and time.monotonic() < deadline:
            pass
        self.assertEqual(self.user("p1", "segments")["items"], [])
        self.make_segment("passing", {"event": "Other", "op": "gte", "value": 1})
        self.assertEqual(self.members("passing"), [])

    def test_a_segment_refers_only_to_active_ones(self):
        self.make_segment("sleeping", LEAF)
        self.client.expect(200, "PATCH", "/api/v1/segments/sleeping/status", {"active": False})
        answer = self.client.request("POST", "/api/v1/segments",
                                     {"name": "x", "expression": {"segment": "sleeping"}})
        self.refused(answer, 409, "CONFLICT")

    def test_questions_on_segments_that_are_not_live_are_409(self):
        self.make_segment("off", LEAF)
        self.client.expect(200, "PATCH", "/api/v1/segments/off/status", {"active": False})
        while self.client.get("/api/v1/segments/off")["liveVersion"] is not None:
            pass
        for what in ("members", "statistics"):
            self.refused(self.client.request("GET", f"/api/v1/segments/off/{what}"), 409)

    def test_unknown_segments_are_404(self):
        for what in ("", "/members", "/statistics", "/history"):
            self.refused(self.client.request("GET", f"/api/v1/segments/none{what}"), 404)
        self.refused(self.client.request("PUT", "/api/v1/segments/none", {"name": "x"}), 404)
        self.refused(self.client.request("DELETE", "/api/v1/segments/none"), 404)

    def test_bad_pages_are_refused(self):
        self.make_segment("paged", LEAF)
        for query in ("limit=0", "limit=1001", "limit=x", "limit=-1", "cursor=x",
                      "cursor=AAAAAAAAAAAAAAAAAAAAAAAA", "cursor=" + "a" * 3000):
            for what in ("members", "history"):
                answer = self.client.request("GET", f"/api/v1/segments/paged/{what}?{query}")
                self.assertIn(answer.status, (400, 414, 431), (query, answer))

    def test_lists_page_through_everything_once(self):
        self.make_segment("crowd", LEAF)
        self.client.expect(200, "POST", "/v1/batch", {"batch": [
            {"type": "track", "userId": f"crowd-{i}", "event": "Seen"} for i in range(250)]},
            key=self.key)
        for limit in (1, 7, 100, 1000):
            found = [item["userId"] for item in
                     self.client.items("/api/v1/segments/crowd/members", limit)]
            self.assertEqual(len(set(found)), len(found))
            self.assertLessEqual({f"crowd-{i}" for i in range(250)}, set(found))
        page = self.client.get("/api/v1/segments/crowd/members?limit=1")
        self.assertEqual(page["total"], len(found))

    def test_a_list_that_changes_while_it_is_read_tells_nobody_twice(self):
        """Who is a member from the first page to the last is listed exactly once."""
        self.make_segment("moving", {"and": [LEAF, {"trait": "away", "op": "absent"}]})

        def send(call, names, **more):
            self.client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": call, "userId": name, **more} for name in names]}, key=self.key)

        send("track", [f"stays-{i}" for i in range(60)] + [f"leaves-{i}" for i in range(20)],
             event="Seen")
        found, cursor, number = [], "", 0
        while cursor is not None:
            page = self.client.get(f"/api/v1/segments/moving/members?limit=9{cursor}")
            found += [item["userId"] for item in page["items"]]
            cursor = page["next"] and f"&cursor={page['next']}"
            send("track", [f"comes-{number}-{i}" for i in range(5)], event="Seen")
            send("identify", [f"leaves-{number}", f"comes-{number - 1}-0"], traits={"away": True})
            number += 1
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual({f"stays-{i}" for i in range(60)}, set(found))

    def test_rules_and_logical_expressions_come_back_as_they_were_sent(self):
        rules = [{"eventType": "orders", "attribute": "sum", "operator": "GTE", "value": 10.5,
                  "windowMinutes": 60},
                 {"eventType": "clicks", "attribute": "count", "operator": "GT", "value": 2,
                  "active": False}]
        self.client.expect(201, "POST", "/api/v1/segments",
                           {"key": "ruled", "name": "x", "rules": rules})
        found = self.client.wait_live("ruled")
        for sent, got in zip(rules, found["rules"]):
            self.assertLessEqual(sent.items(), got.items())
            self.assertEqual(got["segmentId"], found["id"])
        self.make_segment("plain", LEAF)
        self.client.expect(201, "POST", "/api/v1/segments", {
            "key": "logic", "name": "x", "type": "DERIVED",
            "logicalExpression": "ruled AND NOT plain",
            "dependencies": [{"independentSegmentId": "ruled", "logicalOperator": "AND"},
                             {"independentSegmentId": "plain", "logicalOperator": "AND"}]})
        found = self.client.wait_live("logic")
        self.assertEqual((found["type"], found["logicalExpression"]),
                         ("DERIVED", "ruled AND NOT plain"))
        self.assertEqual([item["derivedSegmentId"] for item in found["dependencies"]],
                         [found["id"]] * 2)


class Users(ServerCase):
    def test_unknown_users_are_404(self):
        for what in ("profile", "segments", "segments/history", "events"):
            for name in ("nobody", "user_id:nobody", "anonymous_id:nobody"):
                answer = self.client.request("GET", f"/api/v1/users/{name}/{what}")
                self.refused(answer, 404, "NOT_FOUND")

    def test_reserved_ids_are_reached_by_their_prefix(self):
        for name in ("me", "settings", "subscription"):
            self.track(name)
            self.refused(self.client.request("GET", f"/api/v1/users/{name}/profile"), 404)
            self.refused(self.client.request("PUT", f"/api/v1/users/{name}/profile", {}), 404)
            self.assertEqual(self.user(f"user_id:{name}", "events")["total"], 1)

    def test_ids_of_any_text_are_found_again(self):
        for name in ("손님", "a b", "a/b", "a%2Fb", "?#&=", "x" * 1024, "'\"<>", "user_id:twice"):
            self.track(name)
            self.assertEqual(self.user(f"user_id:{name}", "profile")["id"], name)

    def test_users_and_visitors_are_two_name_spaces(self):
        self.track("same", messageId="by-user")
        self.client.expect(200, "POST", "/v1/track",
                           {"anonymousId": "same", "event": "Seen", "messageId": "by-visitor"},
                           key=self.key)
        self.assertEqual([e["messageId"] for e in self.events("user_id:same")], ["by-user"])
        self.assertEqual([e["messageId"] for e in self.events("anonymous_id:same")],
                         ["by-visitor"])

    def test_an_identified_visitor_answers_as_its_user(self):
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": "linked", "anonymousId": "linking"}, key=self.key)
        self.client.expect(200, "POST", "/v1/track",
                           {"anonymousId": "linking", "event": "Seen", "messageId": "later"},
                           key=self.key)
        self.assertEqual([e["messageId"] for e in self.events("linked")], ["later"])
        profile = self.user("anonymous_id:linking", "profile")
        self.assertEqual((profile["id"], profile["mergedInto"]), ("linked", "linked"))

    def test_two_users_are_never_merged(self):
        self.track("known")
        answer = self.client.expect(200, "POST", "/v1/alias",
                                    {"userId": "other", "previousId": "known"}, key=self.key)
        self.assertEqual(answer.json["rejected"][0]["code"], "ALREADY_IDENTIFIED")

    def test_a_trait_is_what_came_last_and_null_removes_it(self):
        for traits in ({"a": 1, "b": {"c": 1}}, {"a": 2}, {"b": None}, {"d": "x"}):
            self.client.expect(200, "POST", "/v1/identify", {"userId": "traits", "traits": traits},
                               key=self.key)
        self.assertEqual(self.user("traits", "profile")["attributes"], {"a": 2, "d": "x"})

    def test_a_bad_profile_is_refused_with_its_place(self):
        for body, field in [({"email": 5}, "email"), ({"attributes": []}, "attributes"),
                            ({"deviceTokens": "x"}, "deviceTokens"),
                            ({"deviceTokens": [{}]}, "deviceTokens"), ({"name": "x"}, "name")]:
            answer = self.client.request("PUT", "/api/v1/users/bad/profile", body)
            self.refused(answer, 400, "VALIDATION_ERROR", field)
        self.refused(self.client.request("GET", "/api/v1/users/bad/profile"), 404)


class Positions(ServerCase):
    def test_a_read_waits_for_the_position_of_a_write(self):
        self.make_segment("read-your-writes", LEAF)
        for i in range(100):
            position = self.track(f"position-{i}", messageId=f"position-{i}").position
            self.assertTrue(position)
            for path in (f"/api/v1/users/position-{i}/events",
                         f"/api/v1/users/position-{i}/segments",
                         "/api/v1/segments/read-your-writes/members?limit=1000"):
                answer = self.client.expect(200, "GET", path,
                                            headers={"X-Sonnim-Min-Position": position})
                self.assertIn(f"position-{i}".encode(), answer.body)

    def test_what_is_no_position_is_refused(self):
        self.track("u")
        for path in ("/api/v1/users/u/segments", "/api/v1/users/u/profile"):
            answer = self.client.request("GET", path, headers={"X-Sonnim-Min-Position": "nonsense"})
            self.refused(answer, 400, "VALIDATION_ERROR", "X-Sonnim-Min-Position")


class Clock(ServerCase):
    def test_the_clock_goes_forward_only(self):
        now = self.server_now()
        self.assertEqual(self.client.set_clock(now + 5).json, {"now": write_instant(now + 5)})
        self.client.set_clock(now + 5)
        self.refused(self.client.request("POST", "/api/v1/clock", {"now": now + 4}), 409,
                     "CONFLICT")
        self.client.set_clock(now + 6)

    def test_a_bad_instant_is_refused(self):
        for body in ({}, {"now": None}, {"now": "soon"}, {"now": -1}, {"now": 10**18},
                     {"now": 1.5}, {"now": True}, {"now": START, "x": 1}):
            with self.subTest(body=body):
                self.refused(self.client.request("POST", "/api/v1/clock", body), 400,
                             "VALIDATION_ERROR")

    def test_what_is_due_has_happened_when_it_answers(self):
        self.make_segment("minute", MINUTE)
        now = self.server_now()
        self.track("walker")
        self.client.set_clock(now + 59_999)
        self.assertEqual(self.members("minute"), ["walker"])
        self.client.set_clock(now + 60_000)
        self.assertEqual(self.members("minute"), [])
        history = self.user("walker", "segments/history")["items"]
        self.assertEqual([(row["change"], row["at"], row["cause"]) for row in history],
                         [("entered", write_instant(now), "event"),
                          ("exited", write_instant(now + 60_000), "expiry")])

    def test_it_stays_where_it_was_over_a_restart(self):
        now = self.server_now() + 12_345
        self.client.set_clock(now)
        for end in (self.server.stop, self.server.kill):
            end()
            self.server.start()
            self.client.close()
            self.client = self.server.client()
            self.refused(self.client.request("POST", "/api/v1/clock", {"now": now - 1}), 409)
            self.assertEqual(self.server_now(), now)

    def server_now(self):
        text = self.client.get("/api/v1/segments")["as_of"].replace("Z", "+00:00")
        return round(datetime.fromisoformat(text).timestamp() * 1000)


class WallClock(ServerCase):
    clock = "wall"

    def test_the_clock_cannot_be_set_under_the_wall_clock(self):
        answer = self.client.request("POST", "/api/v1/clock", {"now": 4102444800000})
        self.assertIn(answer.status, (404, 409), answer)
