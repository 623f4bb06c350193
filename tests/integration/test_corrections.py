"""Facts that are corrected by their key: leaves see the newest version only."""
from case import START, ServerCase
from instants import write_instant

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BIG = {"event": "Order Completed", "aggregate": "sum", "property": "revenue", "op": "gte",
       "value": 100}
ANY = {"event": "Order Completed", "op": "gte", "value": 1}
REGION = {"event": "Order Completed", "where": {"property": "region", "op": "eq",
                                                "value": "제주"}, "op": "gte", "value": 1}
UPDATED = {"event": "Order Updated", "op": "gte", "value": 1}


class Corrections(ServerCase):
    now = START

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        for key, expression in (("big", BIG), ("any", ANY), ("region", REGION),
                                ("updated", UPDATED)):
            client.expect(201, "POST", "/api/v1/segments",
                          {"key": key, "name": key, "expression": expression})
            client.wait_live(key)
        client.close()

    def forward(self, by):
        Corrections.now += by
        self.client.set_clock(Corrections.now)
        return Corrections.now

    def send(self, user, event, **message):
        answer = self.client.expect(200, "POST", "/v1/track",
                                    {"userId": user, "event": event, **message}, key=self.key)
        self.position = answer.position
        return answer

    def order(self, user, what, order_id, **properties):
        rest = {name: properties.pop(name) for name in ("timestamp", "messageId")
                if name in properties}
        self.send(user, f"Order {what}", properties={"order_id": order_id, **properties}, **rest)

    def segments(self, user):
        items = self.client.get(f"/api/v1/users/{user}/segments",
                                headers={"X-Sonnim-Min-Position": self.position})["items"]
        return sorted(item["segmentKey"] for item in items)

    def rows(self, user):
        items = self.client.get(f"/api/v1/users/{user}/segments/history")["items"]
        return [(row["segmentKey"], row["change"], row["cause"], row["at"],
                 row.get("messageId")) for row in items]

    def test_an_update_replaces_top_level_properties_and_null_removes(self):
        self.order("update", "Completed", "o1", revenue=150, region="제주")
        self.assertEqual(self.segments("update"), ["any", "big", "region"])
        at = self.forward(1)
        self.order("update", "Updated", "o1", revenue=50, messageId="correction")
        self.assertEqual(self.segments("update"), ["any", "region", "updated"])
        self.assertEqual(self.rows("update")[-2:],
                         [("big", "exited", "event", write_instant(at), "correction"),
                          ("updated", "entered", "event", write_instant(at), "correction")])
        self.order("update", "Updated", "o1", region=None, revenue=100)
        self.assertEqual(self.segments("update"), ["any", "big", "updated"])

    def test_a_cancelled_fact_is_gone_for_good(self):
        self.order("cancel", "Completed", "o2", revenue=150)
        self.order("cancel", "Cancelled", "o2")
        self.assertEqual(self.segments("cancel"), [])
        self.order("cancel", "Updated", "o2", revenue=500)
        self.assertEqual(self.segments("cancel"), ["updated"])

    def test_a_correction_before_its_original_waits(self):
        self.order("early", "Updated", 7, revenue=120)
        self.assertEqual(self.segments("early"), ["updated"])
        self.order("early", "Completed", "7", revenue=1)
        self.assertEqual(self.segments("early"), ["any", "big", "updated"])

    def test_keys_are_strings_or_numbers_and_a_number_is_its_shortest_text(self):
        keys = ((5, "5"), (5.0, "5"), (1.5, "1.5"), (1e21, "1e+21"))
        for number, (key, other) in enumerate(keys):
            user = f"key-{number}"
            self.order(user, "Completed", key, revenue=150)
            self.order(user, "Cancelled", other)
            self.assertEqual(self.segments(user), [], key)
        for number, key in enumerate(("", None, True, ["a"], {"a": 1})):
            user = f"no-key-{number}"
            self.order(user, "Completed", key, revenue=150)
            self.order(user, "Cancelled", key)
            self.assertEqual(self.segments(user), ["any", "big"], key)

    def test_facts_of_others_and_with_other_keys_stay(self):
        self.order("mine", "Completed", "o3", revenue=150)
        self.order("other", "Cancelled", "o3")
        self.order("mine", "Cancelled", "o4")
        self.send("mine", "Booking Cancelled", properties={"booking_id": "o3"})
        self.assertEqual(self.segments("mine"), ["any", "big"])

    def test_a_correction_takes_effect_at_the_later_of_acceptance_and_its_time(self):
        self.order("later", "Completed", "o5", revenue=150)
        begins = Corrections.now + 2 * MINUTE
        self.order("later", "Cancelled", "o5", timestamp=write_instant(begins), messageId="soon")
        self.assertEqual(self.segments("later"), ["any", "big"])
        self.forward(2 * MINUTE - 1)
        self.assertEqual(self.segments("later"), ["any", "big"])
        self.forward(1)
        self.assertEqual(self.segments("later"), [])
        self.assertEqual(self.rows("later")[-2],
                         ("big", "exited", "event", write_instant(begins), "soon"))

    def test_corrections_lie_over_the_original_in_their_order_even_those_before_it(self):
        now = Corrections.now
        self.order("order", "Completed", "o6", revenue=1, timestamp=write_instant(now - HOUR))
        self.order("order", "Updated", "o6", revenue=200,
                   timestamp=write_instant(now - 2 * HOUR))
        self.assertIn("big", self.segments("order"))
        self.order("order", "Updated", "o6", revenue=2, timestamp=write_instant(now - 3 * HOUR))
        self.assertIn("big", self.segments("order"))

    def test_an_original_that_turns_out_to_be_earlier_is_the_one_corrected(self):
        now = Corrections.now
        self.order("first", "Completed", "o7", revenue=60, timestamp=write_instant(now - HOUR))
        self.order("first", "Cancelled", "o7")
        self.assertEqual(self.segments("first"), [])
        self.order("first", "Completed", "o7", revenue=50,
                   timestamp=write_instant(now - 2 * HOUR))
        self.assertEqual(self.segments("first"), ["any"])

    def test_windows_follow_the_originals_time(self):
        self.client.expect(201, "POST", "/api/v1/segments", {
            "key": "recent", "name": "recent",
            "expression": {"event": "Order Completed", "aggregate": "sum", "property": "revenue",
                           "within": "1h", "op": "gte", "value": 10}})
        self.client.wait_live("recent")
        first = Corrections.now
        self.order("window", "Completed", "o8", revenue=1)
        self.forward(30 * MINUTE)
        self.order("window", "Updated", "o8", revenue=10)
        self.assertIn("recent", self.segments("window"))
        self.forward(30 * MINUTE)
        self.assertEqual([row for row in self.rows("window") if row[0] == "recent"][-1],
                         ("recent", "exited", "expiry", write_instant(first + HOUR), None))

    def test_a_merge_brings_a_visitors_correction_to_the_users_fact(self):
        self.order("merged", "Completed", "o9", revenue=150)
        self.client.expect(200, "POST", "/v1/track", {
            "anonymousId": "v-merged", "event": "Order Cancelled",
            "properties": {"order_id": "o9"}}, key=self.key)
        self.assertEqual(self.segments("merged"), ["any", "big"])
        answer = self.client.expect(200, "POST", "/v1/identify", {
            "userId": "merged", "anonymousId": "v-merged"}, key=self.key)
        self.position = answer.position
        self.assertEqual(self.segments("merged"), [])
        self.assertEqual({row[2] for row in self.rows("merged")[-2:]}, {"merge"})

    def test_other_types_of_facts_are_declared(self):
        wish = {"name": "Ticket", "original": "Ticket Bought", "cancelled": "Ticket Returned",
                "key": "ticket.number"}
        answer = self.client.expect(201, "POST", "/api/v1/fact-types", wish)
        self.assertEqual(answer.json, {**wish, "updated": None, "builtIn": False})
        listed = self.client.get("/api/v1/fact-types")["items"]
        self.assertEqual([item["name"] for item in listed], ["Order", "Booking", "Ticket"])
        self.make_segment("tickets", {"event": "Ticket Bought", "op": "gte", "value": 1})
        self.send("tickets", "Ticket Bought", properties={"ticket": {"number": 12}})
        self.assertEqual(self.segments("tickets"), ["tickets"])
        self.send("tickets", "Ticket Returned", properties={"ticket": {"number": "12"}})
        self.assertEqual(self.segments("tickets"), [])

    def test_a_type_of_facts_must_make_sense(self):
        good = {"name": "Stay", "original": "Stay Begun", "updated": "Stay Changed", "key": "stay"}
        for status, field, wrong in [
                (400, "name", {"name": ""}), (400, "key", {"key": None}),
                (400, "updated", {"updated": None}),
                (400, "original", {"updated": "Stay Begun"}),
                (400, "more", {"more": 1}),
                (409, "name", {"name": "Order"}),
                (409, "original", {"original": "Booking Updated"}),
                (409, "cancelled", {"cancelled": "Order Completed"})]:
            answer = self.client.request("POST", "/api/v1/fact-types", {**good, **wrong})
            self.refused(answer, status, field=field)

    def test_a_definition_made_later_sees_the_newest_version_too(self):
        self.order("backfill", "Completed", "o10", revenue=1)
        self.order("backfill", "Updated", "o10", revenue=777)
        self.client.expect(201, "POST", "/api/v1/segments", {
            "key": "exact", "name": "exact",
            "expression": {**BIG, "op": "eq", "value": 777}})
        self.client.wait_live("exact")
        self.assertIn("exact", self.segments("backfill"))


class CorrectionsOverRestarts(ServerCase):
    def test_a_restart_knows_what_was_corrected(self):
        self.make_segment("big", BIG)
        for number in range(30):
            user = f"u{number}"
            for event, revenue in (("Order Completed", 150), ("Order Updated", 50 + number)):
                self.client.expect(200, "POST", "/v1/track", {
                    "userId": user, "event": event, "messageId": f"{event} {number}",
                    "properties": {"order_id": 1, "revenue": revenue}}, key=self.key)
        expected = self.members("big")
        self.assertEqual(expected, [])
        for number in range(10):
            self.client.expect(200, "POST", "/v1/track", {
                "userId": f"u{number}", "event": "Order Updated",
                "properties": {"order_id": "1", "revenue": 100 + number}}, key=self.key)
        expected = self.members("big")
        self.assertEqual(len(expected), 10)
        for end in (self.server.stop, self.server.kill):
            end()
            self.server.start()
            self.client = self.server.client()
            self.addCleanup(self.client.close)
            self.assertEqual(self.members("big"), expected)
