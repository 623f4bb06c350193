"""Random definitions and messages, drawn from few names and values, so that they meet."""
import datetime

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
EPOCH = datetime.datetime(1970, 1, 1)

EVENTS = ["Order Completed", "Order Completed", "Order Refunded", "Product Viewed", "제주 방문",
          "Link Clicked", "$page", "$screen"]
TYPES = ["clicks", "installs", "orders", "addToCart"]
REGIONS = ["제주", "부산", "Seoul", "seoul", "Jeju-do", "제", ""]
TAGS = ["vip", "new", "제주", "vip-gold", "x"]
AMOUNTS = [1, 5, 10, 10.5, 0.1, 0.2, 0.3, 99.99, 1000, -5, -10, -0.1, 0, 1e-7, 5e-7, 0.0000015,
           2**53 + 1, 9.2e12, 9.2e12 + 1, -9.3e12, 1e300]
TIERS = ["VIP", "gold", "basic", 5, True]
WINDOWS = ["60s", "90s", "5m", "10m", "30m", "1h", "12h", "24h", "1d", "2d", "7d", "1w", "9d",
           "30d", "365d", "52w", "1095d"]
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


class Definitions:
    def __init__(self, random, longest):
        self.random = random
        self.windows = [text for text in WINDOWS if self.length(text) <= longest]

    @staticmethod
    def length(text):
        return int(text[:-1]) * UNITS[text[-1]]

    def window(self):
        return self.random.choice(self.windows)

    def expression(self, now, live, depth=0):
        """`live`: keys that may be referred to."""
        random = self.random
        chance = random.random()
        if depth < 3 and chance < 0.35 - 0.08 * depth:
            kind = random.choice(["and", "or", "not"])
            if kind == "not":
                return {"not": self.expression(now, live, depth + 1)}
            return {kind: [self.expression(now, live, depth + 1)
                           for _ in range(random.choice([1, 2, 2, 3]))]}
        if live and chance > 0.9:
            return {"segment": random.choice(live)}
        if chance > 0.78:
            return self.trait(now)
        return self.event(now)

    def event(self, now):
        random = self.random
        leaf = {"event": random.choice(EVENTS + ["*", "orders"])}
        if random.random() < 0.45:
            leaf["where"] = self.where(now)
        if random.random() < 0.4:
            leaf["aggregate"] = "sum"
            leaf["property"] = random.choice(["revenue", "revenue", "$amount", "cart.value"])
        elif random.random() < 0.5:
            leaf["aggregate"] = "count"
        self._span(leaf, now)
        leaf["op"] = random.choice(["gte", "gte", "gt", "eq", "neq", "lt", "lte", "in", "not_in"])
        values = ([1, 2, 3, 0, 4] if leaf.get("aggregate") != "sum" else
                  [0, 0.3, 10, 10.5, 20, 99.99, -5, 0.000002, 1000, 0.1, 5])
        if leaf["op"] in ("in", "not_in"):
            leaf["value"] = [random.choice(values) for _ in range(random.randint(1, 3))]
        else:
            leaf["value"] = random.choice(values)
        return leaf

    def _span(self, leaf, now):
        random = self.random
        chance = random.random()
        if chance < 0.7:
            leaf["within"] = self.window()
            if chance < 0.12:
                shorter = [w for w in self.windows if self.length(w) < self.length(leaf["within"])]
                if shorter:
                    leaf["until"] = random.choice(shorter)
        elif chance < 0.78:
            leaf["until"] = self.window()
        elif chance < 0.88:
            begin = now + random.randint(-3 * DAY, 2 * DAY)
            leaf["between"] = [write_instant(random, begin),
                               write_instant(random, begin + random.randint(1, 5 * DAY))]

    def where(self, now, depth=0):
        random = self.random
        if depth < 2 and random.random() < 0.3:
            kind = random.choice(["and", "or", "not"])
            if kind == "not":
                return {"not": self.where(now, depth + 1)}
            return {kind: [self.where(now, depth + 1) for _ in range(random.choice([1, 2, 3]))]}
        kind = random.choice(["region", "region", "tags", "revenue", "cart", "context", "time",
                              "odd"])
        name = {"cart": "cart.value", "context": "context.app.version", "time": "check_in",
                "odd": random.choice(["gift", "a.b", "name", "missing", "$amount"])}.get(kind, kind)
        return dict({"property": name}, **self.test(kind, now))

    def trait(self, now):
        random = self.random
        kind = random.choice(["tier", "tier", "tags", "time", "score", "group", "identified",
                              "email", "prefs"])
        name = {"time": "birthday_at", "group": "group_id", "identified": "$identified",
                "prefs": "prefs.color"}.get(kind, kind)
        if kind == "identified":
            return {"trait": name, "op": random.choice(["eq", "neq"]),
                    "value": random.choice([True, False])}
        if kind == "email":
            return {"trait": name, "op": random.choice(["exists", "absent"])}
        return dict({"trait": name}, **self.test(kind, now))

    def test(self, kind, now):
        random = self.random
        strings = {"tags": TAGS, "tier": ["VIP", "gold", "basic"], "group": ["g1", "g2"],
                   "prefs": ["red", "blue"]}.get(kind, REGIONS[:-1])
        if kind == "time":
            op = random.choice(["within_last", "within_next", "before", "after", "exists"])
            if op in ("within_last", "within_next"):
                return {"op": op, "value": self.window()}
            if op == "exists":
                return {"op": op}
            return {"op": op, "value": write_instant(random, now + random.randint(-DAY, DAY))}
        if kind in ("revenue", "cart", "score"):
            op = random.choice(["gt", "gte", "lt", "lte", "eq", "in", "neq"])
            pick = [0, 5, 10, 10.5, 0.1, -5, 1000]
        else:
            op = random.choice(["eq", "neq", "in", "not_in", "contains", "starts_with",
                                "ends_with", "exists", "absent", "eq", "in"])
            pick = strings
        if op in ("exists", "absent"):
            return {"op": op}
        if op in ("in", "not_in"):
            return {"op": op, "value": [random.choice(pick + [5, True])
                                        for _ in range(random.randint(1, 4))]}
        if op in ("eq", "neq") and random.random() < 0.1:
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
