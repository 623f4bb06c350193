"""Audiences in figures: sizes, revenue and breakdowns as counted by hand."""
from audience import DAY, AudienceCase, ShopCase
from case import START


class Figures(ShopCase):
    def check(self, body, expected):
        found = self.calculate({**body, "sample": 100})
        self.assertEqual(sorted(row["userId"] for row in found["sample"]), sorted(expected))
        self.assertEqual((found["audience_size"], found["total_users"]), (len(expected), 50))
        self.assertEqual(found["ratio"], len(expected) / 50)
        revenue, average = self.shop.revenue(expected, self.now)
        self.assertAlmostEqual(found["expected_revenue"], revenue, places=6)
        if average is None:
            self.assertIsNone(found["average_order_value"])
        else:
            self.assertAlmostEqual(found["average_order_value"], average, places=6)
        return found

    def test_flat_filters_are_answered_as_counted_by_hand(self):
        for body, expected in (
                ({"membership": "VIP"}, self.holds(tiers=["VIP"])),
                ({"membership": ["VIP", "GOLD"]}, self.holds(tiers=["VIP", "GOLD"])),
                ({"region": ["제주"]}, self.holds(region=["제주"])),
                ({"recency": 5}, self.holds(recency=5)),
                ({"region": ["제주", "부산"], "membership": "VIP", "recency": 30},
                 self.holds(["VIP"], ["제주", "부산"], 30)),
                ({"filters": {"region": ["제주"]}, "membership": "GOLD"},
                 self.holds(["GOLD"], ["제주"])),
                ({"membership": "PLATINUM"}, set())):
            with self.subTest(body=body):
                self.check(body, expected)

    def test_an_expression_and_filters_must_both_hold(self):
        expected = {n for n in self.holds(tiers=["VIP"])
                    if len(self.shop.events(n, self.now, "Order Completed", 30 * DAY)) >= 2}
        text = 'count("Order Completed") within 30d >= 2'
        found = self.check({"expression": text, "membership": "VIP"}, expected)
        self.assertEqual(found["text"], f'{text} and trait(membership_tier) in ["VIP"]')
        self.assertEqual(found["filters"], {"membership": "VIP"})
        written = {"event": "Order Completed", "within": "30d", "op": "gte", "value": 2}
        same = self.calculate({"expression": written, "filters": {"membership": "VIP"}})
        self.assertEqual(same["audience_id"], found["audience_id"])
        self.assertEqual(self.calculate({"expression": written})["expression"], written)

    def test_breakdowns_add_up_to_the_size(self):
        body = {"recency": 30, "breakdowns": [
            "membership", {"trait": "membership_tier"}, "region",
            {"event": "Order Completed", "property": "region", "within": "10d"}]}
        found = self.calculate(body)
        members = self.holds(recency=30)
        self.assertEqual(found["audience_size"], len(members))
        for part in found["breakdowns"]:
            self.assertEqual(sum(g["size"] for g in part["groups"]) + part["others"],
                             found["audience_size"], part)
        sizes = {g["value"]: g["size"] for g in found["breakdowns"][0]["groups"]}
        expected = {}
        for name in members:
            tier = self.shop.users[name]["tier"]
            expected[tier] = expected.get(tier, 0) + 1
        self.assertEqual(sizes, expected)
        newest = {}
        for name in members:
            seen = [e for e in self.shop.events(name, self.now, "Order Completed", 10 * DAY)
                    if "region" in e[2]]
            value = seen[-1][2]["region"] if seen else None
            newest[value] = newest.get(value, 0) + 1
        found_newest = {g["value"]: g["size"] for g in found["breakdowns"][3]["groups"]}
        self.assertEqual(found_newest, newest)
        self.assertEqual(found["breakdowns"][2]["dimension"],
                         {"event": "*", "property": "region", "within": "365d"})

    def test_a_past_instant_is_answered_as_it_was(self):
        past = START + 30 * DAY + 1000
        found = self.calculate({"expression": 'count("Order Completed") within 10d >= 1',
                                "as_of": past, "sample": 100})
        expected = self.shop.who(
            lambda n: self.shop.events(n, past, "Order Completed", 10 * DAY))
        self.assertEqual(sorted(row["userId"] for row in found["sample"]), sorted(expected))
        self.assertEqual(found["as_of"], "2026-01-31T00:00:01Z")
        revenue, average = self.shop.revenue(expected, past)
        self.assertAlmostEqual(found["expected_revenue"], revenue, places=6)
        self.assertAlmostEqual(found["average_order_value"], average, places=6)
        self.assertTrue(found["exact"])

    def random_question(self, draw, depth=0):
        if depth < 2 and draw.random() < 0.45:
            if draw.random() < 0.3:
                return {"not": self.random_question(draw, depth + 1)}
            return {draw.choice(("and", "or")): [self.random_question(draw, depth + 1)
                                                 for _ in range(2)]}
        if draw.random() < 0.2:
            return {"trait": "membership_tier", "op": draw.choice(("eq", "neq")),
                    "value": draw.choice(("VIP", "GOLD"))}
        if draw.random() < 0.15:
            return {"sequence": [{"event": "Product Viewed"}, {"event": "Order Completed"}],
                    "within": draw.choice(("5d", "20d"))}
        leaf = {"event": draw.choice(("Order Completed", "Product Viewed", "*")),
                "op": draw.choice(("gte", "lt")), "value": draw.randrange(1, 4)}
        if draw.random() < 0.7:
            leaf["within"] = draw.choice(("3d", "10d", "30d"))
        if draw.random() < 0.4:
            leaf["where"] = {"property": "region", "op": draw.choice(("eq", "neq")),
                             "value": draw.choice(("제주", "부산"))}
        if draw.random() < 0.3:
            leaf.update(aggregate="sum", property="revenue", value=draw.randrange(0, 5000))
        elif draw.random() < 0.2:
            leaf.update(aggregate="last", property="region", op="eq", value="제주")
        return leaf

    def test_any_question_is_answered_as_its_segment(self):
        for i in range(30):
            expression = self.random_question(self.shop.draw)
            with self.subTest(expression=expression):
                found = self.calculate({"expression": expression, "sample": 100,
                                        "breakdowns": ["membership", "region"]})
                self.make_segment(f"random-{i}", expression)
                names = sorted(row["userId"] for row in found["sample"])
                self.assertEqual(names, self.members(f"random-{i}"))
                self.assertEqual(found["audience_size"], len(names))
                self.assertTrue(found["exact"])
                for part in found["breakdowns"]:
                    self.assertEqual(sum(g["size"] for g in part["groups"]), len(names))
                revenue, _ = self.shop.revenue(names, self.now)
                self.assertAlmostEqual(found["expected_revenue"], revenue, places=6)

    def test_the_future_is_not_answered(self):
        body = {"membership": "VIP", "as_of": "2030-01-01T00:00:00Z"}
        self.refused(self.client.request("POST", "/api/v1/audience/calculate", body), 400,
                     "VALIDATION_ERROR", "as_of")

class Corrected(AudienceCase):
    """A booking that is amended or cancelled: audiences, revenue and segments at once, and again
    after a restart without checkpoints."""

    flags = ("--partitions", "3", "--audience-order-event", "Booking Created",
             "--audience-refund-event", "", "--checkpoint-interval", "1d")
    EXPRESSION = 'sum(amount of "Booking Created" where region = "제주") within 90d >= 300000'

    def book(self, user, name, booking, **properties):
        return self.track(user, event=f"Booking {name}",
                          properties={"booking_id": booking, **properties}).position

    def look(self, segment, position):
        """Size, revenue, average of the audience, and members of the segment."""
        found = self.calculate({"expression": self.EXPRESSION},
                               **{"X-Sonnim-Min-Position": position, "Cache-Control": "no-cache"})
        members = self.client.items(f"/api/v1/segments/{segment}/members")
        return (found["audience_size"], found["expected_revenue"], found["average_order_value"],
                sorted(member["userId"] for member in members))

    def test_what_is_corrected_moves_audience_revenue_and_segment(self):
        self.client.expect(201, "POST", "/api/v1/segments",
                           {"key": "jeju", "name": "jeju", "expression": self.EXPRESSION})
        self.client.wait_live("jeju")
        self.book("김", "Created", "b1", region="제주", amount=200000)
        self.book("김", "Created", "b2", region="제주", amount=150000)
        self.book("이", "Created", "b3", region="제주", amount=400000)
        position = self.book("이", "Created", "b4", region="부산", amount=50000)
        self.assertEqual(self.look("jeju", position), (2, 800000, 200000, ["김", "이"]))
        position = self.book("이", "Updated", "b3", amount=250000)
        self.assertEqual(self.look("jeju", position), (1, 350000, 175000, ["김"]))
        position = self.book("이", "Updated", "b3", amount=300000.5)
        self.assertEqual(self.look("jeju", position), (2, 700000.5, 175000.125, ["김", "이"]))
        position = self.book("김", "Cancelled", "b2")
        after = (1, 350000.5, 175000.25, ["이"])
        self.assertEqual(self.look("jeju", position), after)
        everybody = self.calculate({"expression": 'count("Booking Created") >= 1'})
        self.assertEqual((everybody["audience_size"], everybody["expected_revenue"],
                          everybody["average_order_value"]), (2, 550000.5, 550000.5 / 3))
        self.server.kill()
        self.server.start()
        self.client.close()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.assertEqual(self.look("jeju", position), after)
