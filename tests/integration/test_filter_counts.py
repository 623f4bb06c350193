"""Each filter over the simulated traffic of a shop and a travel agency: as many users as are
counted here, one by one, in what was sent."""
import collections
import datetime
import json
import os
import subprocess
import time

from case import START, ServerCase
from server import SONNIM

DAY = 86_400_000
HOUR = 3_600_000
# (days after START, shape): an hour of each, with visitors of their own. Asked 60 days after.
RUNS = ((0, "shop"), (20, "travel"), (45, "shop"), (50, "travel"))
NOW = START + 60 * DAY
FACTS = {"Order Completed": ("order_id", "Order Updated", "Order Cancelled"),
         "Booking Created": ("booking_id", "Booking Updated", "Booking Cancelled")}


def text_of(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def ms_of(text):
    if len(text) == 10:
        text += "T00:00:00Z"
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Person:
    def __init__(self):
        self.traits = {}
        self.events = []  # (time, name, properties, session), in their order; corrected

    def within(self, days, *names):
        """Events of these names (none: any) in the window."""
        return [event for event in self.events
                if (not names or event[1] in names) and NOW < event[0] + days * DAY]

    def some(self, days, name, test):
        return any(test(event[2]) for event in self.within(days, *([name] if name else [])))

    def amounts(self, days, name):
        return [event[2][key] for event in self.within(days, name)
                for key in ("revenue", "amount") if key in event[2]]


def persons_of(messages):
    """Who there is, with the events that became of what was sent (docs/language.md)."""
    links = {m["anonymousId"]: m["userId"] for m in messages
             if m["type"] == "identify" and "userId" in m and "anonymousId" in m}
    persons, seen = collections.defaultdict(Person), set()
    for number, m in enumerate(messages):
        if m["messageId"] in seen:
            continue
        seen.add(m["messageId"])
        person = persons[m.get("userId") or links.get(m["anonymousId"], m["anonymousId"])]
        if m["type"] == "identify":
            person.traits.update(m["traits"])
        else:
            name = "$page" if m["type"] == "page" else m["event"]
            person.events.append((ms_of(m["timestamp"]), name, dict(m["properties"]),
                                  m.get("context", {}).get("sessionId"), number))
    for person in persons.values():
        person.events.sort(key=lambda event: (event[0], event[4]))
        correct(person)
    return dict(persons)


def correct(person):
    for original, (key, updated, cancelled) in FACTS.items():
        facts = {event[2][key]: event for event in person.events if event[1] == original}
        for event in list(person.events):
            fact = facts.get(event[2].get(key))
            if fact is None or fact not in person.events:
                continue
            if event[1] == updated:
                fact[2].update(event[2])
            elif event[1] == cancelled:
                person.events.remove(fact)


def trait(name, *values):
    def holds(person):
        have = person.traits.get(name)
        return any(value in values for value in (have if isinstance(have, list) else [have]))
    return holds


def any_of(name, key, *values, days=365):
    """Whether an event has one of the values (or, of a set, an item that is one)."""
    def test(properties):
        have = properties.get(key)
        return any(value in values for value in (have if isinstance(have, list) else [have]))
    return lambda person: person.some(days, name, test)


def between(name, key, low, high):
    return lambda person: person.some(
        365, name, lambda p: isinstance(p.get(key), (int, float)) and low <= p[key] <= high)


def has_cart(person):
    told = [event[2]["has_cart"] for event in person.within(30) if "has_cart" in event[2]]
    return told[-1] if told else bool(person.within(30, "Product Added"))


def abandoned(days):
    def holds(person):
        names = [(event[1], NOW < event[0] + days * DAY) for event in person.events]
        added = [at for at, (name, _) in enumerate(names) if name == "Product Added"]
        bought = any(name in FACTS and young and added and added[0] < at
                     for at, (name, young) in enumerate(names))
        return any(names[at][1] for at in added) and not bought
    return holds


def purchases(count, at_most=None):
    def holds(person):
        counts = [len(person.within(365, name)) for name in FACTS]
        return max(counts) >= count and (at_most is None or max(counts) <= at_most)
    return holds


def spent(low, high):
    def holds(person):
        sums = [sum(person.amounts(365, name)) for name in FACTS]
        return max(sums) >= low and max(sums) <= high
    return holds


def average(low):
    def holds(person):
        lists = [person.amounts(365, name) for name in FACTS]
        return any(sum(amounts) >= low * len(amounts) for amounts in lists if amounts)
    return holds


def searched(word):
    return lambda person: person.some(365, "Products Searched", lambda p: word in p["query"])


def signed_up(low, high):
    return lambda person: ("created_at" in person.traits
                           and low <= ms_of(person.traits["created_at"]) < high)


# Each filter, what it is given, and who that is.
CASES = (
    ("membership", "VIP", trait("membership_tier", "VIP")),
    ("membership", ["골드", "SILVER"], trait("membership_tier", "GOLD", "SILVER")),
    ("device_type", "mobile", trait("device_type", "mobile")),
    ("gender", "여성", trait("gender", "F")),
    ("age_band", ["20s", "30대"], trait("age_band", "20s", "30s")),
    ("active_regions", ["제주", "부산"], trait("active_regions", "제주", "부산")),
    ("language", "en", trait("language", "en")),
    ("acquisition_channel", ["social", "email"], trait("acquisition_channel", "social", "email")),
    ("marketing_consent", "push", trait("marketing_consent", "push")),
    ("signup_period", 400, signed_up(NOW - 400 * DAY + 1, NOW + 1)),
    ("signup_period", {"from": "2024-06-01", "to": "2025-06-01"},
     signed_up(ms_of("2024-06-01"), ms_of("2025-06-01"))),
    ("recency", 30, lambda person: person.within(30)),
    ("region", ["제주"], any_of(None, "region", "제주")),
    ("region", {"value": ["제주", "서울"], "days": 12},
     any_of(None, "region", "제주", "서울", days=12)),
    ("accommodation_type", "풀빌라", any_of(None, "accommodation_type", "poolvilla")),
    ("search_keyword", "온천", searched("온천")),
    ("viewed_category", ["fashion", "hanok"], lambda person: any(
        any_of(name, "category", "fashion", "hanok")(person)
        for name in ("Product Viewed", "Product List Viewed"))),
    ("view_count", 5, lambda person: len(person.within(30, "Product Viewed")) >= 5),
    ("session_count", {"min": 1, "max": 2},
     lambda person: 1 <= len({e[3] for e in person.within(30) if e[3] is not None}) <= 2),
    ("has_cart", True, has_cart),
    ("has_cart", False, lambda person: not has_cart(person)),
    ("cart_abandoned", 14, abandoned(14)),
    ("cart_abandoned", 90, abandoned(90)),
    ("wishlist", True, lambda person: person.within(365, "Product Added to Wishlist")),
    ("coupon_used", True, lambda person: any(
        person.some(365, name, lambda p: "coupon" in p) for name in FACTS)),
    ("price_range", {"min": 100_000, "max": 200_000},
     between("Product Viewed", "price", 100_000, 200_000)),
    ("booking_frequency", 2, purchases(2)),
    ("booking_frequency", {"min": 1, "max": 1}, purchases(1, 1)),
    ("last_booking", 30, lambda person: person.within(30, *FACTS)),
    ("total_spent", {"min": 300_000, "max": 1_500_000}, spent(300_000, 1_500_000)),
    ("average_order_value", 400_000, average(400_000)),
    ("lead_time_days", {"max": 14}, between("Booking Created", "lead_time_days", -1e9, 14)),
    ("days_of_week", ["토", "sun"], any_of("Booking Created", "days_of_week", "sat", "sun")),
    ("stay_nights", 2, between("Booking Created", "nights", 2, 1e9)),
    ("property_type", ["hotel", "hanok"],
     any_of("Booking Created", "property_type", "hotel", "hanok")),
    ("pet_friendly", True, any_of("Booking Created", "pet_friendly", True)),
    ("kids_friendly", False,
     lambda person: not any_of("Booking Created", "kids_friendly", True)(person)),
    ("themes", ["온천", "조식"], any_of("Booking Created", "themes", "온천", "조식")),
)


class FilterCounts(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        messages = []
        for days, shape in RUNS:
            flags = ("--shape", shape, "--users", "120", "--rate", "1", "--flat", "--seed",
                     "1" if shape == "shop" else "2", "--start",
                     text_of(START + days * DAY), "--duration", "1h", "--speed", "0")
            run = subprocess.run([SONNIM, "simulate", "--dry-run", *flags], capture_output=True,
                                 timeout=300, check=True)
            messages += [json.loads(line) for line in run.stdout.splitlines()]
            subprocess.run([SONNIM, "simulate", *flags, "--move-clock"], capture_output=True,
                           timeout=300, check=True, env={
                               **os.environ, "SONNIM_URL": f"http://{cls.server.address}",
                               "SONNIM_TOKEN": cls.server.token})
        client = cls.server.client()
        client.set_clock(NOW)
        corrections = list(cls.corrections(messages))
        client.expect(200, "POST", "/v1/batch", {"batch": corrections}, key=cls.key)
        client.close()
        cls.persons = persons_of(messages + corrections)

    @staticmethod
    def corrections(messages):
        """Some orders and bookings are cancelled, others changed."""
        made = [m for m in messages if m.get("event") in FACTS]
        for number, m in enumerate(made):
            key, updated, cancelled = FACTS[m["event"]]
            base = {"type": "track", "userId": m["userId"], "messageId": f"correction-{number}",
                    "timestamp": text_of(NOW - 1000)}
            properties = {key: m["properties"][key]}
            if number % 5 == 0:
                yield {**base, "event": cancelled, "properties": properties}
            elif number % 5 == 1:
                amount = "revenue" if "revenue" in m["properties"] else "amount"
                yield {**base, "event": updated, "properties": {
                    **properties, amount: 2_000_000, "nights": 5, "days_of_week": ["mon"],
                    "pet_friendly": True}}

    def size(self, filters):
        return self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                  {"filters": filters}).json["audience_size"]

    def test_each_filter_finds_as_many_as_were_counted_one_by_one(self):
        names = {row["name"] for row in self.client.items("/api/v1/audience/filters")}
        self.assertEqual(names, {name for name, _, _ in CASES})
        for name, given, holds in CASES:
            with self.subTest(filter=name, given=given):
                expected = sum(bool(holds(person)) for person in self.persons.values())
                self.assertEqual(self.size({name: given}), expected)
                # Each one lets some through and others not.
                self.assertTrue(0 < expected < len(self.persons), expected)

    def values(self, name):
        return {value["value"]: value["count"]
                for value in self.client.get(f"/api/v1/audience/filters/{name}")["values"]}

    def test_values_are_listed_with_how_many_have_them(self):
        filters = {row["name"]: row for row in self.client.items("/api/v1/audience/filters")}
        for row in filters.values():
            counts = [value["count"] for value in row["values"]]
            with self.subTest(filter=row["name"]):
                if row["type"] in ("choice", "text"):
                    self.assertGreater(sum(counts), 0)
                else:
                    self.assertEqual(counts, [])
        for name, key in (("membership", "membership_tier"), ("active_regions", "active_regions"),
                          ("marketing_consent", "marketing_consent")):
            for value, count in self.values(name).items():
                self.assertEqual(count, sum(
                    bool(trait(key, value)(person)) for person in self.persons.values()), value)
        # Of events each one's newest.
        newest = collections.Counter()
        for person in self.persons.values():
            told = [event[2]["region"] for event in person.within(365) if "region" in event[2]]
            newest.update(told[-1:])
        self.assertEqual(self.values("region"), dict(newest))

    def ways(self, name, given):
        answer = self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                    {"filters": {name: given}, "explain": True},
                                    {"Cache-Control": "no-cache"})
        return {step["way"] for step in answer.json["steps"] if step["part"] == "condition"}

    def test_filters_that_are_columns_are_answered_from_columns(self):
        columns = {row["name"] for row in self.client.items("/api/v1/audience/filters")
                   if row["evaluation"] == "column"}
        left = [(name, given) for name, given, _ in CASES if name in columns]
        self.assertEqual({name for name, _ in left}, columns)
        deadline = time.monotonic() + 300  # they are built in leisure
        while left and time.monotonic() < deadline:
            left = [case for case in left if self.ways(*case) != {"column"}]
            time.sleep(0.05)
        self.assertEqual(left, [])

    def test_all_of_several_must_hold(self):
        several = {"region": ["제주"], "membership": ["VIP", "GOLD", "SILVER"], "recency": 30}
        tests = [any_of(None, "region", "제주"),
                 trait("membership_tier", "VIP", "GOLD", "SILVER"),
                 lambda person: person.within(30)]
        expected = sum(all(test(person) for test in tests) for person in self.persons.values())
        self.assertEqual(self.size(several), expected)
        self.assertGreater(expected, 0)
