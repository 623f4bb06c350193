"""Audiences: what is calculated is what a count by hand finds, saved ones keep their promise, and
who watches is told."""
import json
import socket
import threading
import time

from audience import DAY, AudienceCase, ShopCase
from case import START
from program import Node
from server import Server


class Calculate(ShopCase):
    def test_the_size_is_that_of_a_segment(self):
        expression = {"or": [{"event": "Booking Created", "within": "20d", "op": "gte", "value": 1},
                             {"event": "Order Completed", "aggregate": "sum", "property": "revenue",
                              "within": "30d", "op": "gte", "value": 3000}]}
        self.make_segment("twin", expression)
        found = self.calculate({"expression": expression, "sample": 100})
        self.assertEqual(sorted(row["userId"] for row in found["sample"]), self.members("twin"))
        of_segment = self.calculate({"expression": {"segment": "twin"}})
        self.assertEqual(of_segment["audience_size"], found["audience_size"])

    def test_overlaps_obey_inclusion_and_exclusion(self):
        bodies = [{"membership": ["VIP", "GOLD"]}, {"region": ["제주"]},
                  {"expression": 'count("Order Completed") within 20d >= 1'}, {"recency": 10}]
        sets = [self.holds(["VIP", "GOLD"]), self.holds(region=["제주"]),
                self.shop.who(lambda n: self.shop.events(n, self.now, "Order Completed", 20 * DAY)),
                self.holds(recency=10)]
        first = self.calculate(bodies[0])["audience_id"]
        found = self.overlap([first, *bodies[1:]], sets)
        self.assertEqual(found["audiences"][0]["audience_id"], first)

    def test_live_ones_snapshots_and_questions_are_compared_with_each_other(self):
        then = self.now - 20 * DAY
        bought = self.shop.who(
            lambda n: self.shop.events(n, then, "Order Completed", 15 * DAY))
        past = self.save(name="그때 산 사람", kind="snapshot", as_of=then,
                         expression='count("Order Completed") within 15d >= 1')
        snapshot = self.save(name="VIP now", kind="snapshot",
                             filters={"membership": ["VIP"]})
        live = self.save(name="제주", filters={"region": ["제주"]})
        self.wait_saved_live(live["id"])
        found = self.overlap(
            [past["id"], {"audience_id": live["id"]}, {"membership": "GOLD"}, snapshot["id"],
             {"expression": 'count("Order Completed") within 15d >= 1'}],
            [bought, self.holds(region=["제주"]), self.holds(["GOLD"]), self.holds(["VIP"]),
             self.shop.who(lambda n: self.shop.events(n, self.now, "Order Completed", 15 * DAY))])
        self.assertEqual([(a["kind"], a["name"]) for a in found["audiences"]], [
            ("snapshot", "그때 산 사람"), ("live", "제주"), ("calculated", None),
            ("snapshot", "VIP now"), ("calculated", None)])
        self.assertEqual(found["audiences"][0]["audience_id"], past["id"])
        self.overlap([past["id"], snapshot["id"]], [bought, self.holds(["VIP"])])
        self.overlap([past["id"], past["id"]], [bought, bought])
        at_once = self.overlap(
            [past["id"], {"expression": 'count("Product Viewed") within 9d >= 1'}],
            [bought, self.shop.who(
                lambda n: self.shop.events(n, then, "Product Viewed", 9 * DAY))], as_of=then)
        self.assertEqual(at_once["as_of"], past["as_of"])

    def test_how_it_was_found_is_explained(self):
        found = self.calculate({"region": ["제주"], "membership": "VIP", "explain": True,
                                "breakdowns": ["membership", {"event": "Product Viewed",
                                                              "property": "region",
                                                              "within": "20d"}]},
                               **{"Cache-Control": "no-cache"})
        parts = {}
        for step in found["steps"]:
            self.assertIn(step["way"], ("column", "segment", "scan", "person"))
            self.assertGreaterEqual(step["took_ms"], 0)
            self.assertEqual("passed" in step, step["part"] == "condition")
            parts.setdefault(step["part"], []).append(step)
        self.assertEqual(len(parts["condition"]), 2)
        by_trait, by_event = parts["breakdown"]
        self.assertEqual((by_trait["text"], by_event["text"]),
                         ("trait(membership_tier)", 'last(region of "Product Viewed") within 20d'))
        self.assertEqual((by_trait["persons"], by_trait["rows"]), (found["audience_size"], 0))
        self.assertEqual((by_event["way"], by_event["persons"]),
                         ("scan", found["audience_size"]))
        self.assertGreaterEqual(by_event["rows"], sum(
            len(self.shop.events(n, self.now, "Product Viewed", 20 * DAY))
            for n in self.holds(["VIP"], region=["제주"])))
        self.assertIn('sum($amount of "Order Completed") within 365d',
                      [step["text"] for step in parts["revenue"]])
        for step in parts["revenue"]:
            self.assertEqual(step["persons"], found["audience_size"], step)
        self.assertNotIn("steps", self.calculate({"region": ["제주"], "membership": "VIP"}))

    def test_many_who_ask_the_same_get_the_same(self):
        body = {"expression": 'count("Product Viewed") within 33d >= 1'}
        found = []

        def ask():
            client = self.server.client()
            found.append(client.expect(200, "POST", "/api/v1/audience/calculate", body).json)
            client.close()

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = self.shop.who(
            lambda n: self.shop.events(n, self.now, "Product Viewed", 33 * DAY))
        self.assertEqual({f["audience_size"] for f in found}, {len(expected)})
        self.assertEqual(len({f["audience_id"] for f in found}), 1)
        self.assertEqual(len(found), 12)

    def test_bad_input_is_named(self):
        post = ("POST", "/api/v1/audience/calculate")
        order = {"event": "Order Completed", "op": "gte", "value": 1}
        for body, field in (
                ({}, "expression"),
                ({"expression": {**order, "value": "three"}}, "expression.value"),
                ({"expression": {**order, "within": "30s"}}, "expression.within"),
                ({"expression": {**order, "within": "1096d"}}, "expression.within"),
                ({"expression": "count("}, "expression"),
                ({"expression": {"segment": "nobody-made-it"}}, "expression.segment"),
                ({"regoin": ["제주"]}, "regoin"),
                ({"filters": {"membershp": "VIP"}}, "filters.membershp"),
                ({"filters": {"membership": "VIP"}, "membership": "GOLD"}, "membership"),
                ({"filters": ["VIP"]}, "filters"),
                ({"recency": "thirty"}, "recency"),
                ({"recency": 0}, "recency"),
                ({"membership": {"days": 3}}, "membership"),
                ({"membership": "VIP", "as_of": "yesterday"}, "as_of"),
                ({"membership": "VIP", "sample": 101}, "sample"),
                ({"membership": "VIP", "explain": "yes"}, "explain"),
                ({"membership": "VIP", "breakdowns": "region"}, "breakdowns"),
                ({"membership": "VIP", "breakdowns": ["region"] * 9}, "breakdowns"),
                ({"membership": "VIP", "breakdowns": ["recency"]}, "breakdowns[0]"),
                ({"membership": "VIP", "breakdowns": ["region", {"event": "Seen"}]},
                 "breakdowns[1].property"),
                ({"membership": "VIP", "breakdowns": [{"property": "x", "within": "1s"}]},
                 "breakdowns[0].within"),
                ({"membership": "VIP", "breakdowns": [{"trait": "x", "property": "y"}]},
                 "breakdowns[0].trait")):
            with self.subTest(body=body):
                self.refused(self.client.request(*post, body), 400, "VALIDATION_ERROR", field)
        error = self.refused(self.client.request(*post, {"regoin": ["제주"]}), 400)
        self.assertIn('"region"', error["message"])
        overlap = ("POST", "/api/v1/audience/overlap")
        for body, field in (
                ({}, "audiences"), ({"audiences": [{"recency": 3}]}, "audiences"),
                ({"audiences": [{"recency": 3}] * 6}, "audiences"),
                ({"audiences": [{"recency": 3}, {"recency": "x"}]}, "audiences[1].recency"),
                ({"audiences": [{"recency": 3}, 4]}, "audiences[1]")):
            with self.subTest(body=body):
                self.refused(self.client.request(*overlap, body), 400, "VALIDATION_ERROR", field)
        self.refused(self.client.request(*overlap, {"audiences": [{"recency": 3}, "nobody"]}), 404,
                     "NOT_FOUND", "audiences[1]")

    def test_names_that_were_never_seen_are_warned_of(self):
        found = self.calculate({"expression": 'count("Order Complete") >= 1'})
        self.assertEqual(found["warnings"][0]["nearest"], "Order Completed")
        self.assertEqual(found["warnings"][0]["field"], "expression.event")
        again = self.calculate({"expression": 'count("Order Complete") >= 1'})
        self.assertEqual((again["warnings"], again["cached"]), (found["warnings"], True))

    def test_breakdowns_by_what_was_never_seen_are_warned_of(self):
        wish = {"recency": 30, "breakdowns": [
            "membershp", "membership", "nothing of the kind", {"trait": "membership_teir"},
            {"event": "Order Complete", "property": "region"},
            {"event": "Product Viewed", "property": "regoin"}, {"property": "region"}]}
        found = self.calculate(wish)
        self.assertEqual([(one["field"], one["nearest"]) for one in found["warnings"]],
                         [("breakdowns[0]", "membership"), ("breakdowns[2]", None),
                          ("breakdowns[3]", "membership_tier"),
                          ("breakdowns[4].event", "Order Completed"),
                          ("breakdowns[5].property", "region")])
        self.assertEqual(len(found["breakdowns"]), 7)
        self.assertEqual(self.calculate(wish)["warnings"], found["warnings"])

    def test_scopes_are_needed(self):
        reader, _ = self.client_with("audience.read")
        reader.expect(200, "POST", "/api/v1/audience/calculate", {"recency": 3})
        self.refused(reader.request("POST", "/api/v1/audiences", {"name": "x", "recency": 3}), 403)
        other, _ = self.client_with("segment.read")
        self.refused(other.request("POST", "/api/v1/audience/calculate", {"recency": 3}), 403)


class Overview(AudienceCase):
    def test_what_is_there_is_told_before_anything_is_asked(self):
        self.client.set_clock(START + 40 * DAY)
        batch = [{"type": "identify", "userId": f"o{i}", "traits": {}} for i in range(5)]
        position = self.client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                      key=self.key).position
        self.user("o0", "profile")
        self.assertTrue(position)
        found = self.client.get("/api/v1/audience/overview", headers={"Cache-Control": "no-cache"})
        self.assertEqual((found["total_users"], found["active_users"], found["active_days"]),
                         (5, 0, 30))
        self.track("o1")
        self.user("o1", "profile")
        kept = self.client.get("/api/v1/audience/overview")
        self.assertEqual(kept, found)
        anew = self.client.get("/api/v1/audience/overview", headers={"Cache-Control": "no-cache"})
        self.assertEqual(anew["active_users"], 1)
        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.assertEqual(self.client.get("/api/v1/audience/overview")["active_users"], 1)
        phases = self.client.get("/health/ready")["phases"]
        self.assertEqual([p["name"] for p in phases],
                         ["schema checked", "statistics read", "hot data loaded", "rules loaded",
                          "indexes built", "replayed", "ready"])
        self.assertTrue(all(p["done"] for p in phases))


class Kept(AudienceCase):
    flags = ("--partitions", "3", "--audience-cache-change", "50")
    body = {"expression": 'count("Order Completed") >= 1'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        client.expect(200, "POST", "/v1/batch", {"batch": [
            {"type": "track", "userId": f"k{i}", "event": "Order Completed"}
            for i in range(10)]}, key=cls.key)
        client.close()

    def test_an_answer_is_given_again_until_enough_has_changed(self):
        first = self.calculate(self.body)
        self.assertEqual((first["audience_size"], first["cached"]), (10, False))
        self.client.set_clock(START + 1000)
        again = self.calculate(self.body)
        self.assertEqual((again["cached"], again["as_of"]), (True, first["as_of"]))
        anew = self.calculate(self.body, **{"Cache-Control": "no-cache"})
        self.assertFalse(anew["cached"])
        self.assertGreater(anew["as_of"], first["as_of"])
        self.track("k10", event="Order Completed")
        self.assertEqual(self.calculate(self.body)["audience_size"], 10)  # one change in ten
        position = self.track("k11", event="Order Completed").position
        mine = self.calculate(self.body, **{"X-Sonnim-Min-Position": position})
        self.assertEqual((mine["audience_size"], mine["cached"]), (12, False))
        for i in range(12, 30):
            position = self.track(f"k{i}", event="Order Completed").position
        mine = self.calculate(self.body, **{"X-Sonnim-Min-Position": position})
        for i in range(30, 90):
            position = self.track(f"k{i}", event="Order Completed").position
        self.user("k89", "profile")
        after = self.calculate(self.body)
        self.assertFalse(after["cached"])
        self.assertGreater(after["audience_size"], mine["audience_size"])


class Saved(AudienceCase):
    def ways(self, expression):
        found = self.calculate({"expression": expression, "explain": True},
                               **{"Cache-Control": "no-cache"})
        return {step["way"] for step in found["steps"] if step["part"] == "condition"}

    def wait_for_ways(self, expression, ways):
        deadline = time.monotonic() + 300
        while self.ways(expression) != ways:
            self.assertLess(time.monotonic(), deadline, self.ways(expression))
            time.sleep(0.02)

    def test_what_a_saved_one_looks_at_is_kept_as_columns_until_it_is_deleted(self):
        self.orders("c1", "c2", "c3")
        expression, other = (f'count("Ordered") within 77d >= {n}' for n in (1, 3))
        self.assertNotIn("column", self.ways(expression))
        for kind in ("live", "snapshot"):
            saved = self.save(name="kept", kind=kind, expression=expression)["id"]
            self.wait_for_ways(expression, {"column"})
            self.wait_for_ways(other, {"column"})
            self.client.expect(200, "PUT", f"/api/v1/audiences/{saved}", {"name": "still"})
            self.assertEqual(self.ways(other), {"column"})
            self.client.expect(204, "DELETE", f"/api/v1/audiences/{saved}")
            deadline = time.monotonic() + 300
            while "column" in self.ways(other):
                self.assertLess(time.monotonic(), deadline)

    def orders(self, *names):
        for name in names:
            position = self.track(name, event="Ordered").position
        return position

    def test_a_live_audience_is_a_segment_and_stays_one(self):
        self.orders("a", "b")
        made = self.save(name="주문한 사람", expression='count("Ordered") >= 1')
        self.assertEqual((made["kind"], made["version"], made["name"]), ("live", 1, "주문한 사람"))
        segment = self.wait_saved_live(made["id"])
        self.assertEqual(self.members(segment), ["a", "b"])
        position = self.orders("c")
        now = self.client.get(f"/api/v1/audiences/{made['id']}",
                              headers={"X-Sonnim-Min-Position": position})
        self.assertEqual((now["audience_size"], now["figures"]["audience_size"]), (3, 2))
        self.assertEqual(now["segment"]["state"], "Live")

        path = f"/api/v1/audiences/{made['id']}"
        changed = self.client.expect(200, "PUT", path, {
            "name": "둘 이상", "expression": 'count("Ordered") >= 2'}).json
        self.assertEqual((changed["version"], changed["figures"]["audience_size"]), (2, 0))
        self.client.wait_live(segment, version=2)
        self.assertEqual(self.members(segment), [])
        self.assertEqual(self.client.get(f"/api/v1/segments/{segment}")["name"], "둘 이상")
        for method, body in (("DELETE", None), ("PUT", {"name": "mine"})):
            error = self.refused(self.client.request(method, f"/api/v1/segments/{segment}", body),
                                 409, "CONFLICT")
            self.assertIn(made["id"], error["message"])
        self.client.expect(204, "DELETE", path)
        self.refused(self.client.request("GET", f"/api/v1/segments/{segment}"), 404)
        self.refused(self.client.request("GET", path), 404)

    def test_a_live_audience_that_others_refer_to_is_not_deleted(self):
        made = self.save(name="Referred", filters={"recency": 3})
        segment = self.wait_saved_live(made["id"])
        self.make_segment("refers", {"not": {"segment": segment}})
        self.refused(self.client.request("DELETE", f"/api/v1/audiences/{made['id']}"), 409)
        self.assertEqual(self.saved(made["id"])["segment"]["state"], "Live")

    def test_a_snapshot_keeps_its_members_until_it_is_refreshed(self):
        self.track("s1", event="Visited")
        made = self.save(name="Visited by then", kind="snapshot",
                         expression='count("Visited") >= 1')
        self.assertEqual((made["audience_size"], made["segment"]), (1, None))
        position = self.track("s2", event="Visited").position
        path = f"/api/v1/audiences/{made['id']}"
        later = self.client.get(path, headers={"X-Sonnim-Min-Position": position})
        self.assertEqual((later["audience_size"], later["as_of"]), (1, made["as_of"]))
        fresh = self.client.expect(200, "POST", f"{path}/refresh", None,
                                   headers={"X-Sonnim-Min-Position": position}).json
        self.assertEqual((fresh["audience_size"], fresh["version"]), (2, 1))

    def test_what_was_calculated_is_saved_by_its_id(self):
        found = self.calculate({"expression": 'count("Visited") >= 1', "recency": 9})
        made = self.save(name="From a question", audience_id=found["audience_id"])
        self.assertEqual((made["text"], made["filters"]), (found["text"], {"recency": 9}))
        self.refused(self.client.request("POST", "/api/v1/audiences", {
            "name": "x", "audience_id": "00000000-0000-8000-8000-000000000000"}), 404,
            "NOT_FOUND", "audience_id")

    def test_versions_are_kept_and_matched(self):
        made = self.save(name="One", kind="snapshot", filters={"recency": 7})
        path = f"/api/v1/audiences/{made['id']}"
        second = self.client.expect(200, "PUT", path, {"name": "Two"}, headers={"If-Match": '"1"'})
        self.assertEqual((second.json["version"], second.headers["ETag"]), (2, '"2"'))
        self.refused(self.client.request("PUT", path, {"name": "Three"},
                                         headers={"If-Match": '"1"'}), 412)
        same = self.client.expect(200, "PUT", path, {"expression": "days_since_last(*) < 7"})
        self.assertEqual(same.json["version"], 2)  # an equal definition
        third = self.client.expect(200, "PUT", path, {"filters": {"recency": 8}})
        self.assertEqual(third.json["version"], 3)
        versions = self.client.get(f"{path}/versions")["items"]
        self.assertEqual([(v["version"], v["name"], v["definition"]) for v in versions], [
            (3, "Two", {"filters": {"recency": 8}}), (2, "Two", {"filters": {"recency": 7}}),
            (1, "One", {"filters": {"recency": 7}})])

    def test_all_are_listed_page_by_page(self):
        made = [self.save(name=f"Listed {i}", kind="snapshot", filters={"recency": 7})["id"]
                for i in range(5)]
        found = [item["id"] for item in self.client.items("/api/v1/audiences", limit=2)]
        self.assertEqual(found[-5:], made)
        self.assertEqual(len(found), len(set(found)))

    def test_bad_input_is_named(self):
        for body, field in (
                ({"filters": {"recency": 3}}, "name"), ({"name": "x"}, "expression"),
                ({"name": "x", "kind": "frozen", "filters": {"recency": 3}}, "kind"),
                ({"name": "x", "recency": 3}, "recency"),
                ({"name": "x", "filters": {"recency": 3}, "as_of": "2026-01-01T00:00:00Z"},
                 "as_of"),
                ({"name": "x", "audience_id": "y", "filters": {"recency": 3}}, "filters")):
            with self.subTest(body=body):
                self.refused(self.client.request("POST", "/api/v1/audiences", body), 400,
                             "VALIDATION_ERROR", field)
        made = self.save(name="Kind", kind="snapshot", filters={"recency": 3})
        self.refused(self.client.request("PUT", f"/api/v1/audiences/{made['id']}",
                                         {"kind": "live"}), 400, "VALIDATION_ERROR", "kind")

    def test_who_is_gone_is_in_no_snapshot_any_more(self):
        self.client.expect(200, "POST", "/v1/track",
                           {"anonymousId": "visitor", "event": "Came"}, key=self.key)
        position = self.track("guest", event="Came").position
        made = self.client.expect(201, "POST", "/api/v1/audiences", {
            "name": "came", "kind": "snapshot", "expression": 'count("Came") >= 1'},
            headers={"X-Sonnim-Min-Position": position}).json
        everybody = {"expression": 'count("Came") >= 1'}
        self.overlap([made["id"], everybody], [{"visitor", "guest"}] * 2)
        position = self.client.expect(200, "POST", "/v1/identify", {
            "userId": "guest", "anonymousId": "visitor"}, key=self.key).position
        self.client.get("/api/v1/users/guest/profile",
                        headers={"X-Sonnim-Min-Position": position})
        self.overlap([made["id"], everybody], [{"guest"}] * 2)

    def test_equal_members_are_compared_from_what_is_kept_until_they_are_refreshed(self):
        path = "/api/v1/audience/overlap"
        made = self.save(name="kept", kind="snapshot", expression='count("Once Seen") >= 1')
        asked = {"audiences": [made["id"], {"recency": 7}]}
        self.assertFalse(self.client.expect(200, "POST", path, asked).json["cached"])
        self.assertTrue(self.client.expect(200, "POST", path, asked).json["cached"])
        position = self.track("once", event="Once Seen").position
        self.client.expect(200, "POST", f"/api/v1/audiences/{made['id']}/refresh", None,
                           headers={"X-Sonnim-Min-Position": position})
        again = self.client.expect(200, "POST", path, asked).json
        self.assertEqual((again["cached"], again["audiences"][0]["size"]), (False, 1))


class Watched(AudienceCase):
    flags = ("--partitions", "3", "--audience-live", "100ms", "--audience-live-idle", "200ms")

    def until(self, node, audience, size, told):
        """The message in which it has that size, behind one that told another."""
        while True:
            message = node.next()
            self.assertEqual(message["audience_id"], audience)
            self.assertEqual(message["delta"], message["new_size"] - told)
            told = message["new_size"]
            if told == size:
                return message

    def test_a_calculated_audience_is_told_of_data_and_of_time(self):
        self.client.set_clock(START + DAY)
        found = self.calculate({"expression": 'count("Clicked") within 60s >= 1'})
        node = self.watch(f"?audience_id={found['audience_id']}")
        self.assertEqual(node.next()["new_size"], 0)
        self.track("w1", event="Clicked")
        self.until(node, found["audience_id"], 1, 0)
        self.track("w2", event="Clicked")
        self.until(node, found["audience_id"], 2, 1)
        self.client.set_clock(START + DAY + 60_000)
        message = self.until(node, found["audience_id"], 0, 2)
        self.assertEqual(message["as_of"], "2026-01-02T00:01:00Z")

    def test_a_saved_audience_is_told_by_its_segment(self):
        made = self.save(name="Watched", expression='count("Bought") >= 1')
        self.wait_saved_live(made["id"])
        node = self.watch()
        node.send(subscribe=made["id"])
        first = node.next()
        self.assertEqual(set(first), {"audience_id", "new_size", "delta", "as_of"})
        self.assertEqual((first["audience_id"], first["new_size"]), (made["id"], 0))
        self.track("b1", event="Bought")
        self.until(node, made["id"], 1, 0)

    def test_a_snapshot_is_told_once_and_the_unknown_is_refused(self):
        self.track("n1", event="Noted")
        made = self.save(name="Still", kind="snapshot", expression='count("Noted") >= 1')
        node = self.watch()
        node.send(subscribe="00000000-0000-8000-8000-000000000000")
        self.assertEqual(node.next()["error"]["code"], "NOT_FOUND")
        node.send(subscribe="nobody")
        self.assertEqual(node.next()["error"]["code"], "NOT_FOUND")
        node.send(hello="there")
        self.assertEqual(node.next()["error"]["code"], "VALIDATION_ERROR")
        node.send(subscribe=made["id"])
        self.assertEqual(node.next()["new_size"], 1)
        node.send(unsubscribe=made["id"])
        node.send(subscribe=made["id"])
        self.assertEqual(node.next()["new_size"], 1)  # the snapshot of a new subscription
        refused = Node("socket.mjs", f"ws://{self.server.address}/ws/audiences?audience_id=nobody",
                       f"sonnim.bearer.{self.server.token}")
        self.addCleanup(refused.__exit__)
        self.assertEqual(refused.next(), {"refused": 404})

    def test_many_who_watch_the_same_cost_as_one(self):
        found = self.calculate({"expression": 'count("Shared") >= 1'})
        nodes = [self.watch(f"?audience_id={found['audience_id']}") for _ in range(5)]
        for node in nodes:
            self.assertEqual(node.next()["new_size"], 0)
        self.assertEqual((self.metric("sonnim_audience_watched"),
                          self.metric("sonnim_audience_watchers")), (1, 5))
        self.track("m1", event="Shared")
        for node in nodes:
            self.until(node, found["audience_id"], 1, 0)


class Left(AudienceCase):
    def position_ahead(self):
        """One that this server comes to later: of another one, which has written more."""
        position = int(self.track("left").position, 16)
        with Server("--partitions", "3") as other:
            key, client = other.make_key(), other.client()
            while True:
                ahead = client.expect(200, "POST", "/v1/track", {
                    "userId": "left", "event": "Seen", "properties": {"x": "x" * 9000}},
                    key=key).position
                if int(ahead, 16) > position:
                    client.close()
                    return ahead

    def ask_and_leave(self, position):
        """A question that waits for that position, and nobody is there for its answer."""
        host, port = self.server.address.rsplit(":", 1)
        body = json.dumps({"expression": 'count("Seen") within 41d >= 1'}).encode()
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                b"POST /api/v1/audience/calculate HTTP/1.1\r\nHost: x\r\nCache-Control: no-cache"
                b"\r\nX-Sonnim-Min-Position: " + position.encode()
                + b"\r\nAuthorization: Bearer " + self.server.token.encode()
                + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
            self.wait_running(1)

    def wait_running(self, count):
        deadline = time.monotonic() + 300
        while self.metric("sonnim_audience_running") != count:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def test_a_question_is_stopped_when_who_asked_it_has_left(self):
        before = self.metric("sonnim_audience_cancelled_total")
        deadline = time.monotonic() + 300
        # Until the server has heard of it before the question could be answered.
        while self.metric("sonnim_audience_cancelled_total") == before:
            self.assertLess(time.monotonic(), deadline)
            ahead = self.position_ahead()
            self.ask_and_leave(ahead)
            while int(self.track("left").position, 16) < int(ahead, 16):
                pass
            self.wait_running(0)
        self.assertEqual(self.calculate({"expression": 'count("Seen") within 41d >= 1'})
                         ["audience_size"], 1)


class Restarted(AudienceCase):
    def test_saved_audiences_survive_and_equal_questions_have_equal_ids(self):
        server = Server("--partitions", "3")
        self.addCleanup(server.__exit__, Exception, None, None)
        server.start()
        client = server.client()
        client.set_clock(START)
        key = server.make_key()
        client.expect(200, "POST", "/v1/track", {"userId": "r", "event": "E"}, key=key)
        body = {"expression": 'count("E") >= 1'}
        asked = client.expect(200, "POST", "/api/v1/audience/calculate", body).json
        made = [client.expect(201, "POST", "/api/v1/audiences",
                              {"name": kind, "kind": kind, **body}).json
                for kind in ("live", "snapshot")]
        client.wait_live(made[0]["segment"]["id"])
        client.close()
        server.stop()
        server.start()
        client = server.client()
        for each in made:
            found = client.get(f"/api/v1/audiences/{each['id']}")
            self.assertEqual((found["name"], found["audience_size"]), (each["name"], 1))
        self.assertEqual(client.request("POST", "/api/v1/audiences", {
            "name": "gone", "audience_id": asked["audience_id"]}).status, 404)
        again = client.expect(200, "POST", "/api/v1/audience/calculate", body).json
        self.assertEqual((again["audience_id"], again["cached"]), (asked["audience_id"], False))
        client.close()
        server.stop()
