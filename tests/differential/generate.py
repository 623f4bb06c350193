"""Random definitions and messages, drawn from few names and values, so that they meet."""
import collections
import datetime

from coverage import AGGREGATE_OPS, BOUNDS, SPANS, VALUE_OPS

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
EPOCH = datetime.datetime(1970, 1, 1)

EVENTS = ["Order Completed", "Order Completed", "Order Refunded", "Product Viewed", "제주 방문",
          "Link Clicked", "$page", "$screen"]
CORRECTIONS = ["Order Updated", "Order Updated", "Order Cancelled", "Booking Created",
               "Booking Updated", "Booking Cancelled"]
TYPES = ["clicks", "installs", "orders", "addToCart"]
REGIONS = ["제주", "부산", "Seoul", "seoul", "Jeju-do", "제", ""]
TAGS = ["vip", "new", "제주", "vip-gold", "x"]
AMOUNTS = [1, 5, 10, 10.5, 0.1, 0.2, 0.3, 99.99, 1000, -5, -10, -0.1, 0, 1e-7, 5e-7, 0.0000015,
           2**53 + 1, 9.2e12, 9.2e12 + 1, -9.3e12, 1e300]
TIERS = ["VIP", "gold", "basic", 5, True]
WINDOWS = ["60s", "90s", "5m", "10m", "30m", "1h", "12h", "24h", "1d", "2d", "7d", "1w", "9d",
           "30d", "365d", "52w", "1095d"]
DAYS = [0, 1, 1, 2, 3, 7, 8, 30, -1]
AGGREGATES = [(aggregate, op) for aggregate, ops in AGGREGATE_OPS.items() for op in ops]
PARTS = 4
UNITS = {"s": 1000, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


def write_instant(random, ms, style=None):
    """Epoch ms in one of the forms of rule 7."""
    style = random.randrange(7) if style is None else style
    shift = 9 * HOUR if style == 2 else -(5 * HOUR + 30 * MINUTE) if style == 3 else 0
    moment = EPOCH + datetime.timedelta(milliseconds=ms + shift)
    base = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond // 1000:03}"
    if style == 2:
        return base + fraction + "+09:00"
    if style == 3:
        return base + fraction + "-05:30"
    if style == 4:
        return base.replace("T", "t") + fraction + "999z"
    if style == 5:
        return base + fraction  # no offset: UTC
    if style == 6 and moment.microsecond == 0:
        return base + "Z"
    return base + fraction + "Z"

# What is compared by blind indexes, in forms that mean the same, and birthdays.
EMAILS = ["a@example.com", " A@Example.COM", "b@example.com"]
PHONES = ["010-1234-5678", "+82 (0)10 1234 5678", "0082101234.5678", "+1 212 555 0100"]
BIRTHDAYS = ["1996-02-29", "1986-05-03T23:00:00-09:00", "2016-06-30", "in May"]


class Definitions:
    def __init__(self, random, longest, part=0):
        self.random = random
        self.part = part  # of the options, which this run prefers
        self.addresses = random.random() < 0.5  # a follower, which has no keys, is not compared
        self.windows = [text for text in WINDOWS if self.length(text) <= longest]
        self.decks = collections.defaultdict(list)

    @staticmethod
    def length(text):
        return int(text[:-1]) * UNITS[text[-1]]

    def window(self):
        return self.random.choice(self.windows)

    def choose(self, what, options):
        """One of them, each once before any comes again; those of this run's part come first, so
        that runs one after the other share out what there is."""
        deck = self.decks[what]
        if not deck:
            own = [option for index, option in enumerate(options) if index % PARTS == self.part]
            others = [option for option in options if option not in own]
            self.random.shuffle(own)
            self.random.shuffle(others)
            deck += others + own
        return deck.pop()

    def expression(self, now, live, depth=0):
        """`live`: keys that may be referred to."""
        random = self.random
        chance = random.random()
        if depth < 3 and chance < 0.5 - 0.1 * depth:
            kind = self.choose("joint", ["and", "or", "not"])
            if kind == "not":
                return {"not": self.expression(now, live, depth + 1)}
            return {kind: [self.expression(now, live, depth + 1)
                           for _ in range(random.choice([1, 2, 2, 3]))]}
        if live and chance > 0.92:
            return {"segment": random.choice(live)}
        if chance > 0.82:
            return self.trait(now)
        if chance > 0.7:
            return self.sequence(now)
        return self.event(now)

    # ---- Events ----

    def event(self, now):
        random = self.random
        leaf = {"event": self.name()}
        aggregate, op = self.choose("aggregate", AGGREGATES)
        if random.random() < 0.35:
            leaf["where"] = self.where(now)
        elif random.random() < 0.15:
            leaf["where"] = self.relative_where(now)
        if aggregate != "count" or random.random() < 0.5:
            leaf["aggregate"] = aggregate
        if aggregate in ("first", "last"):
            leaf.update(self.edge(op, now))
        elif aggregate not in ("count", "days_since_first", "days_since_last"):
            numbers = ["revenue", "revenue", "$amount", "cart.value"]
            leaf["property"] = random.choice(
                numbers + ["region", "tags", "gift", "a.b", "check_in"] * (aggregate == "distinct"))
        self._span(leaf, now, self.choose(f"span of {aggregate}", SPANS))
        leaf.setdefault("op", op)
        if op not in ("exists", "absent") and aggregate not in ("first", "last"):
            leaf["value"] = self._number(aggregate, op)
        return leaf

    def name(self):
        return self.random.choice(EVENTS + ["*", "*", "orders", "Booking Created",
                                            self.random.choice(CORRECTIONS)])

    def _number(self, aggregate, op):
        random = self.random
        values = {"count": [1, 2, 3, 0, 4], "distinct": [1, 2, 3, 0, 4, 2.5],
                  "days_since_first": DAYS, "days_since_last": DAYS}.get(
            aggregate, [0, 0.3, 10, 10.5, 20, 99.99, -5, 0.000002, 1000, 0.1, 5, 1])
        if op in ("in", "not_in"):
            return [random.choice(values) for _ in range(random.randint(1, 3))]
        return random.choice(values)

    def edge(self, op, now):
        """Property, op and value of `first` and `last`."""
        kind, name = self.property_for(op)
        return dict({"property": name}, **self.test(kind, op, now))

    def _span(self, leaf, now, span):
        random = self.random
        if "within" in span:
            leaf["within"] = self.window()
        if span == "until":
            leaf["until"] = self.window()
        elif span == "within until":
            shorter = [w for w in self.windows if self.length(w) < self.length(leaf["within"])]
            if shorter:
                leaf["until"] = random.choice(shorter)
        elif span == "between":
            begin = now + random.randint(-3 * DAY, 2 * DAY)
            leaf["between"] = [write_instant(random, begin),
                               write_instant(random, begin + random.randint(1, 5 * DAY))]

    # ---- Sequences ----

    def sequence(self, now):
        random = self.random
        bounds = self.choose("bounds", BOUNDS)
        steps = []
        for _ in range(self.choose("steps", [2, 3, 4])):
            step = {"event": random.choice([random.choice(EVENTS[:5]), self.name()])}
            if random.random() < 0.3:
                step["where"] = self.where(now)
            elif random.random() < 0.1:
                step["where"] = self.relative_where(now)
            steps.append(step)
        leaf = {"sequence": steps}
        for bound in ("within", "ended_within"):
            if bound in bounds.split():
                leaf[bound] = self.window()
        return leaf

    # ---- Tests ----

    def where(self, now, depth=0):
        random = self.random
        if depth < 2 and random.random() < 0.3:
            kind = self.choose("joint of where", ["and", "or", "not"])
            if kind == "not":
                return {"not": self.where(now, depth + 1)}
            return {kind: [self.where(now, depth + 1) for _ in range(random.choice([1, 2, 3]))]}
        op = self.choose("where", VALUE_OPS)
        kind, name = self.property_for(op)
        return dict({"property": name}, **self.test(kind, op, now))

    def relative_where(self, now):
        op = self.choose("relative", ["within_last", "within_next"])
        return dict({"property": "check_in"}, **self.test("time", op, now))

    def property_for(self, op):
        """(kind, name) of a property that may pass such a test."""
        random = self.random
        if op in ("within_last", "within_next", "before", "after"):
            kinds = ["time", "time", "time", "time", "odd"]
        elif op in ("gt", "gte", "lt", "lte"):
            kinds = ["revenue", "revenue", "cart", "odd"]
        elif op in ("contains", "starts_with", "ends_with"):
            kinds = ["region", "region", "tags", "tags", "context", "odd"]
        else:
            kinds = ["region", "tags", "tags", "revenue", "cart", "context", "odd", "time"]
        kind = random.choice(kinds)
        names = {"cart": "cart.value", "context": "context.app.version", "time": "check_in",
                 "odd": random.choice(["gift", "a.b", "name", "missing", "$amount"])}
        return kind, names.get(kind, kind)

    def trait(self, now):
        random = self.random
        if random.random() < 0.1:
            return {"trait": "$identified", "op": random.choice(["eq", "neq"]),
                    "value": random.choice([True, False])}
        if random.random() < 0.05:
            return {"trait": "email", "op": random.choice(["exists", "absent"])}
        if self.addresses and random.random() < 0.15:
            return self.address()
        op = self.choose("trait", VALUE_OPS)
        if op in ("within_last", "within_next", "before", "after"):
            kind = "time"
        elif op in ("gt", "gte", "lt", "lte"):
            kind = "score"
        else:
            kind = random.choice(["tier", "tier", "tags", "tags", "group", "prefs"])
        name = {"time": "birthday_at", "group": "group_id", "prefs": "prefs.color"}.get(kind, kind)
        return dict({"trait": name}, **self.test(kind, op, now))

    def address(self):
        """What is compared by blind indexes, and the parts of a birthday."""
        random = self.random
        op = random.choice(["eq", "neq", "in", "not_in"])
        name, values = random.choice([("email", EMAILS), ("phone", PHONES),
                                      ("birthday.month", [2, 5, 6])])
        value = random.choice(values) if op in ("eq", "neq") else random.sample(values, 2)
        return {"trait": name, "op": op, "value": value}

    def test(self, kind, op, now):
        """op and value that fit values of that kind, mostly."""
        random = self.random
        if op in ("exists", "absent"):
            return {"op": op}
        if op in ("within_last", "within_next"):
            return {"op": op, "value": self.window()}
        if op in ("before", "after"):
            return {"op": op, "value": write_instant(random, now + random.randint(-DAY, DAY))}
        numbers = [0, 5, 10, 10.5, 0.1, -5, 1000]
        if op in ("gt", "gte", "lt", "lte"):
            return {"op": op, "value": random.choice(numbers)}
        pick = {"tags": TAGS, "tier": ["VIP", "gold", "basic"], "group": ["g1", "g2"],
                "prefs": ["red", "blue"], "revenue": numbers, "cart": numbers,
                "score": numbers}.get(kind, REGIONS[:-1])
        if op in ("contains", "starts_with", "ends_with"):
            return {"op": op, "value": random.choice(
                [text for text in pick if isinstance(text, str)] or TAGS)}
        if op in ("in", "not_in"):
            return {"op": op, "value": [random.choice(pick + [5, True])
                                        for _ in range(random.randint(1, 4))]}
        if random.random() < 0.1:
            return {"op": op, "value": random.choice([5, True, False, "5"])}
        return {"op": op, "value": random.choice(pick)}

    # ---- The REST form ----

    def rules(self):
        random = self.random
        rules = []
        for _ in range(random.choice([1, 1, 2, 3])):
            rule = {"eventType": random.choice(TYPES + ["Order Refunded", "제주 방문"]),
                    "attribute": random.choice(["count", "count", "sum"]),
                    "operator": random.choice(["GT", "LT", "EQ", "GTE", "LTE", "NEQ"]),
                    "value": random.choice([1, 2, 3, 10, 10.5])}
            if rule["attribute"] == "count":
                rule["value"] = random.choice([1, 2, 3])
            elif random.random() < 0.5:
                rule["property"] = "revenue"
            if random.random() < 0.8:
                rule["windowMinutes"] = random.choice([1, 5, 10, 60, 1440])
            if random.random() < 0.2:
                rule["where"] = {"property": "region", "op": "in", "value": ["제주", "부산"]}
            if random.random() < 0.15:
                rule["active"] = False
            rules.append(rule)
        rules[0].pop("active", None)
        return rules

    def logic(self, live):
        """(body, expression) of the derived form."""
        random = self.random
        keys = random.sample(live, min(len(live), random.choice([2, 2, 3])))
        if random.random() < 0.4:  # left to right
            dependencies = [{"independentSegmentId": key,
                             "logicalOperator": random.choice(["AND", "OR"])} for key in keys]
            expression = {"segment": keys[0]}
            for dependency in dependencies[1:]:
                expression = {dependency["logicalOperator"].lower():
                              [expression, {"segment": dependency["independentSegmentId"]}]}
            return {"dependencies": dependencies}, expression
        text, expression = keys[0], {"segment": keys[0]}
        for key in keys[1:]:
            joint = random.choice(["AND", "OR"])
            negated = random.random() < 0.4
            text = f"({text}) {joint} {'NOT ' if negated else ''}{key}"
            leaf = {"not": {"segment": key}} if negated else {"segment": key}
            expression = {joint.lower(): [expression, leaf]}
        return ({"logicalExpression": text,
                 "dependencies": [{"independentSegmentId": key, "logicalOperator": "AND"}
                                  for key in keys]}, expression)


def expression_of_rules(rules):
    """The meaning of the REST form: active rules joined by AND."""
    leaves = []
    for rule in rules:
        if rule.get("active") is False:
            continue
        leaf = {"event": rule["eventType"], "aggregate": rule["attribute"],
                "op": rule["operator"].lower(), "value": rule["value"]}
        if rule["attribute"] == "sum":
            leaf["property"] = rule.get("property", "$amount")
        if "where" in rule:
            leaf["where"] = rule["where"]
        if "windowMinutes" in rule:
            leaf["within"] = f"{rule['windowMinutes']}m"
        leaves.append(leaf)
    return {"and": leaves}
