"""Explanations say what the evaluation does: at each instant that they name it flips."""
import calendar
import re
import time
import urllib.parse

from case import START, ServerCase

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


def instant(text):
    """Epoch milliseconds of an instant as the API writes it."""
    whole, fraction = re.fullmatch(r"([^.Z]*)(?:\.(\d{3}))?Z", text).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(fraction or 0)


def text_of(ms):
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03}Z"


def shape(name):
    return "shape-" + name.replace(" ", "-")


class Explain(ServerCase):
    now = START

    def setUp(self):
        super().setUp()
        self.name = self.id().rsplit(".", 1)[1][5:40]

    def at(self, ms):
        type(self).now = ms
        self.client.set_clock(ms)

    def ahead(self, ms):
        self.at(self.now + ms)

    def seen(self, user, event="Seen", time_ms=None, **properties):
        self.last = self.track(user, event=event, properties=properties,
                               timestamp=text_of(self.now if time_ms is None else time_ms),
                               messageId=f"m{time.monotonic_ns()}")

    def identify(self, user, **traits):
        self.last = self.client.expect(200, "POST", "/v1/identify",
                                       {"userId": user, "traits": traits}, key=self.key)

    def explain(self, user, segment, **headers):
        path = f"/api/v1/users/{urllib.parse.quote(user, safe='')}/explain?segment={segment}"
        return self.client.get(path, headers={"X-Sonnim-Min-Position": self.last.position,
                                              **headers})

    def is_member(self, user, segment):
        return segment in [row["segmentKey"] for row in self.user(user, "segments")["items"]]

    def assert_flips(self, user, segment, times=1):
        """The named instant is that of the flip, to the millisecond; so many times."""
        for _ in range(times):
            told = self.explain(user, segment)
            self.assertEqual(told["member"], self.is_member(user, segment))
            self.assertEqual(told["member"], told["tree"]["holds"])
            self.assertIsNotNone(told["next"], told)
            self.assertTrue(told["next"]["exact"])
            at = instant(told["next"]["at"])
            self.assertGreater(at, self.now)
            self.at(at - 1)
            self.assertEqual(self.is_member(user, segment), told["member"])
            self.at(at)
            self.assertEqual(self.is_member(user, segment), not told["member"])
            self.assertEqual(told["next"]["holds"], not told["member"])
        return told

    def test_a_count_names_the_event_that_leaves_and_when(self):
        user, key = self.name, self.name
        self.make_segment(key, {"event": "Order", "within": "10m", "op": "gte", "value": 2})
        first = self.now
        self.seen(user, "Order")
        told = self.explain(user, key)
        self.assertFalse(told["member"])
        self.assertIsNone(told["next"])
        self.assertEqual(told["tree"]["value"], 1)
        self.assertEqual(told["tree"]["changedBy"], {"event": "Order", "count": 1})
        self.ahead(MINUTE)
        self.seen(user, "Order")
        told = self.explain(user, key)
        self.assertEqual(told["tree"]["value"], 2)
        self.assertEqual(told["tree"]["text"], "count(Order) within 10m >= 2")
        self.assertEqual(instant(told["next"]["at"]), first + 10 * MINUTE)
        self.assertEqual(told["next"]["cause"], "expiry")
        self.assertEqual(told["next"]["event"], "Order")
        self.assertEqual(instant(told["next"]["eventTime"]), first)
        self.assertIn("최근 10분 동안 ‘Order’ 이벤트가 2회로 기준(2회 이상)을 충족하므로",
                      told["sentence"]["ko"])
        self.assertIn('In the last 10 minutes "Order" happened 2 times (needs at least 2: met)',
                      told["sentence"]["en"])
        self.assert_flips(user, key)

    def test_counts_of_every_shape_flip_when_it_is_said(self):
        shapes = {
            "none": {"event": "E", "within": "1h", "op": "eq", "value": 0},
            "few": {"event": "E", "within": "1h", "op": "lt", "value": 2},
            "some": {"event": "E", "within": "1h", "op": "in", "value": [1, 3]},
            "until": {"event": "E", "within": "2h", "until": "1h", "op": "gte", "value": 1},
            "any": {"event": "*", "within": "1h", "op": "gt", "value": 2},
            "sum": {"event": "E", "aggregate": "sum", "property": "amount", "within": "1h",
                    "op": "gte", "value": 30.5},
            "avg": {"event": "E", "aggregate": "avg", "property": "amount", "within": "1h",
                    "op": "lt", "value": 20},
            "min": {"event": "E", "aggregate": "min", "property": "amount", "within": "1h",
                    "op": "gt", "value": 10},
            "max": {"event": "E", "aggregate": "max", "property": "amount", "within": "1h",
                    "op": "exists"},
            "first": {"event": "E", "aggregate": "first", "property": "due", "within": "1h",
                      "op": "within_next", "value": "20m"},
            "last": {"event": "E", "aggregate": "last", "property": "amount", "within": "1h",
                     "op": "eq", "value": 25},
            "distinct": {"event": "E", "aggregate": "distinct", "property": "amount",
                         "within": "1h", "op": "eq", "value": 2},
            "since last": {"event": "E", "aggregate": "days_since_last", "op": "gte", "value": 2},
            "since first": {"event": "E", "aggregate": "days_since_first", "op": "lt", "value": 3},
            "sequence": {"sequence": [{"event": "E", "where":
                                       {"property": "amount", "op": "lt", "value": 10}},
                                      {"event": "E", "where":
                                       {"property": "amount", "op": "gt", "value": 22}}],
                         "within": "1h", "ended_within": "2h"},
            "where": {"event": "E", "within": "1h", "op": "gte", "value": 1,
                      "where": {"property": "amount", "op": "gt", "value": 10}},
            "fresh": {"event": "E", "op": "gte", "value": 1,
                      "where": {"property": "due", "op": "within_next", "value": "30m"}},
        }
        for name, expression in shapes.items():
            self.make_segment(shape(name), expression)
        user = self.name
        begin = self.now
        for step, amount in enumerate((5, 20, 25)):
            self.at(begin + step * 7 * MINUTE + step)
            self.seen(user, "E", amount=amount, due=text_of(begin + 50 * MINUTE))
        after = self.now
        for name in shapes:
            with self.subTest(name=name):
                told = self.explain(user, shape(name))
                self.assertEqual(told["member"], self.is_member(user, shape(name)))
        flips = {name: self.explain(user, shape(name))["next"] for name in shapes}
        self.assertTrue(all(flip["exact"] for flip in flips.values()), flips)
        # In the order in which they are to come, each as it was said at the begin.
        for at, name in sorted((instant(flip["at"]), name) for name, flip in flips.items()):
            with self.subTest(name=name):
                self.assertGreater(at, after)
                if at - 1 > self.now:
                    self.at(at - 1)
                if self.now < at:
                    before = self.is_member(user, shape(name))
                    self.assertEqual(before, not flips[name]["holds"])
                    self.at(at)
                self.assertEqual(self.is_member(user, shape(name)), flips[name]["holds"])

    def test_a_trait_that_is_relative_to_now_flips_twice(self):
        user, key = self.name, self.name
        self.make_segment(key, {"trait": "visit", "op": "within_next", "value": "1h"})
        self.identify(user, visit=text_of(self.now + 3 * HOUR))
        told = self.explain(user, key)
        self.assertEqual(told["tree"]["value"], text_of(self.now + 3 * HOUR))
        self.assert_flips(user, key, times=2)

    def test_trees_and_derived_segments_flip_when_a_leaf_makes_them(self):
        user, base, key = self.name, "explained-base", self.name
        self.make_segment(base, {"event": "A", "within": "1h", "op": "gte", "value": 1})
        self.make_segment(key, {"or": [
            {"and": [{"not": {"segment": base}}, {"trait": "vip", "op": "eq", "value": True}]},
            {"event": "B", "within": "30m", "op": "gte", "value": 2}]})
        self.identify(user, vip=True)
        self.seen(user, "A")
        self.seen(user, "B")
        self.ahead(5 * MINUTE)
        self.seen(user, "B")
        # Out when the first B leaves, in when A leaves, then for good.
        told = self.assert_flips(user, key, times=2)
        self.assertEqual(told["next"]["event"], "A")
        told = self.explain(user, key)
        self.assertIsNone(told["next"])
        self.assertTrue(told["member"])
        kinds = [node["kind"] for node in told["tree"]["operands"]]
        self.assertEqual(sorted(kinds), ["and", "event"])
        inner = next(node for node in told["tree"]["operands"] if node["kind"] == "and")
        negation = next(node for node in inner["operands"] if node["kind"] == "not")
        leaf = negation["operands"][0]
        self.assertEqual((leaf["kind"], leaf["segmentKey"]), ("segment", base))
        self.assertFalse(leaf["holds"])
        self.assertEqual(leaf["operands"][0]["kind"], "event")
        self.assertIn(f"‘{base}’ 세그먼트에 속해 있지 않아 제외 기준(소속)에 해당하지 않",
                      told["sentence"]["ko"])

    def test_an_event_of_the_future_begins_when_it_is_said(self):
        user, key = self.name, self.name
        self.make_segment(key, {"event": "Later", "within": "1h", "op": "gte", "value": 1})
        self.seen(user, "Later", time_ms=self.now + 2 * MINUTE)
        told = self.explain(user, key)
        self.assertEqual(told["next"]["cause"], "event")
        self.assertEqual(instant(told["next"]["at"]), self.now + 2 * MINUTE)
        self.assert_flips(user, key, times=2)

    def test_what_is_wrong_is_refused_by_name(self):
        user, key = self.name, self.name
        self.make_segment(key, {"event": "A", "op": "gte", "value": 1})
        self.seen(user, "A")
        ask = self.client.request
        path = f"/api/v1/users/{user}/explain"
        self.refused(ask("GET", path), 400, "VALIDATION_ERROR", "segment")
        self.refused(ask("GET", path + "?segment=nothing"), 404, "NOT_FOUND")
        self.refused(ask("GET", "/api/v1/users/nobody/explain?segment=" + key), 404, "NOT_FOUND")
        self.client.expect(200, "PATCH", f"/api/v1/segments/{key}/status", {"active": False})
        self.refused(ask("GET", f"{path}?segment={key}"), 409, "CONFLICT")

    def test_personal_values_are_not_shown(self):
        user, key = self.name, self.name
        self.make_segment(key, {"trait": "email", "op": "exists"})
        self.identify(user, email="someone@example.com")
        told = self.explain(user, key)
        self.assertTrue(told["member"])
        self.assertIsNone(told["tree"]["value"])
        self.assertNotIn("someone", str(told))
