"""Questions about all persons at one instant, ad hoc and never asked before: the size, who, what
they are worth, how they divide; now, and at past instants; against the oracle."""
import copy
import json
from fractions import Fraction

from evaluate import EventLeaf, compile_expression, in_order
from facts import seen
from generate import Definitions, write_instant
from values import (DAY, MISSING, SEALED, SUM_MAX, find, millionths, parse_duration,
                    parse_instant, property_of)

TRAITS = ["tier", "score", "tags", "group_id", "prefs.color", "birthday_at", "$identified"]
PROPERTIES = ["region", "tags", "revenue", "cart.value", "check_in", "gift"]
SETS_MAX = 5


def value_of(value):
    """What a group is known by: a set whatever its order, nothing for what has no value."""
    if isinstance(value, list):
        return ("set", *sorted(set(value)))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return None if value is MISSING or value is SEALED else (type(value).__name__, value)


def by_value(pairs):
    sizes = {}
    for value, size in pairs:
        sizes[value] = sizes.get(value, 0) + size
    return sizes


class Past:
    """A person at a past instant: with today's traits, and what had been accepted then."""

    def __init__(self, person, now):
        self.id = person.id
        self.traits = person.traits
        self.identified = person.identified
        self.events = [event for event in person.events if event.received <= now]


class Asked:
    def __init__(self, random, oracle, retention):
        self.random = random
        self.oracle = oracle
        self.retention = retention
        self.definitions = Definitions(random, retention - DAY, 0)
        self.asked = 0
        self.refused = 0

    # ---- What is asked ----

    def _expression(self, live):
        return self.definitions.expression(self.oracle.now, live)

    def _breakdown(self):
        random = self.random
        if random.random() < 0.5:
            return random.choice(TRAITS)
        dimension = {"event": self.definitions.name(), "property": random.choice(PROPERTIES)}
        if random.random() < 0.5:
            dimension["within"] = self.definitions.window()
        return dimension

    def _instant(self):
        """Now, mostly; else one that has been."""
        random, now = self.random, self.oracle.now
        if random.random() < 0.7:
            return None
        created = [person.created for person in self.oracle.persons.values()]
        received = [event.received for person in self.oracle.persons.values()
                    for event in person.events]
        return min(now, random.choice([now, now - 1, now - DAY, now - 3 * DAY,
                                       *random.choices(created + received + [now], k=3)]))

    # ---- What is right ----

    def _persons(self, at):
        if at is None:
            return list(self.oracle.persons.values())
        return [Past(person, at) for person in self.oracle.persons.values()
                if person.created <= at]

    def _leaves(self, expression):
        for kind in ("and", "or"):
            if kind in expression:
                for part in expression[kind]:
                    yield from self._leaves(part)
                return
        if "not" in expression:
            yield from self._leaves(expression["not"])
        elif "segment" in expression:
            yield from self._leaves(self.oracle.segments[expression["segment"]].expression)
        else:
            yield expression

    def _reaches_behind(self, expressions, breakdowns, at):
        """Whether some event may matter then that does not exist any more."""
        begins = []
        for leaf in (leaf for expression in expressions for leaf in self._leaves(expression)):
            if "sequence" in leaf:
                bounded = "within" in leaf and "ended_within" in leaf
                begins.append(at - parse_duration(leaf["within"])
                              - parse_duration(leaf["ended_within"]) + 1 if bounded else None)
            elif "between" in leaf:
                begins.append(parse_instant(leaf["between"][0]))
            elif "event" in leaf:
                begins.append(at - parse_duration(leaf["within"]) + 1 if "within" in leaf else None)
        for dimension in breakdowns:
            if not isinstance(dimension, str):
                begins.append(at - parse_duration(dimension["within"]) + 1
                              if "within" in dimension else None)
        return any(self._is_gone(begin, at) for begin in begins)

    def _is_gone(self, begin, at):
        """Whether events that existed then, from an instant on (None: any), are not all kept."""
        def kept_from(now):
            return (now - self.retention) // DAY * DAY + DAY

        return max(kept_from(at), kept_from(at) if begin is None else begin) \
            < kept_from(self.oracle.now)

    @staticmethod
    def _amounts(members, event_name, at):
        """How many such events there are in the year before, and their amounts."""
        count, amounts = 0, []
        for person in members:
            for event in seen(person.events, at):
                if event.name != event_name or not at - 365 * DAY <= event.time <= at:
                    continue
                count += 1
                amount = property_of(event, "$amount")
                if isinstance(amount, float) and abs(Fraction(amount)) <= SUM_MAX:
                    amounts.append(millionths(amount))
        return count, amounts

    def _group_of(self, person, dimension, at):
        if dimension == "$identified":
            return value_of(person.identified)
        if isinstance(dimension, str):
            return value_of(find(person.traits, dimension))
        leaf = EventLeaf({"op": "gte", "value": 0, **dimension})
        counted = [event for event in seen(person.events, at) if leaf._counts(event, at)]
        values = [property_of(event, dimension["property"]) for event in in_order(counted)]
        existing = [value for value in values if value is not MISSING]
        return value_of(existing[-1]) if existing else None

    # ---- Checks ----

    def check(self, client, live, id_of):
        """What differs, or None."""
        self.asked += 1
        if self.random.random() < 0.25:
            return self._check_overlap(client, live)
        return self._check_one(client, live, id_of)

    def _ask(self, client, path, body, at):
        if at is not None:
            body["as_of"] = write_instant(self.random, at, 0) if self.random.random() < 0.5 else at
        return client.request("POST", f"/api/v1/audience/{path}", body,
                              headers={"Cache-Control": "no-cache"})

    def _refusal(self, answer, expressions, breakdowns, at):
        """Whether the answer is a refusal, as it must be; None: it must be none."""
        if at is None or not self._reaches_behind(expressions, breakdowns, at):
            return None
        self.refused += 1
        return answer.status == 400 and "as_of" in answer.body.decode()

    def _check_one(self, client, live, id_of):
        random = self.random
        expression = {"segment": random.choice(live)} if random.random() < 0.15 \
            else self._expression(live)
        breakdowns = [self._breakdown() for _ in range(random.choice([0, 1, 3]))]
        at = self._instant()
        answer = self._ask(client, "calculate", {"expression": copy.deepcopy(expression),
                                                 "breakdowns": breakdowns, "sample": 100}, at)
        told = f"{json.dumps(expression, ensure_ascii=False)} by {breakdowns} at {at}, now " \
               f"{self.oracle.now}: {answer!r}"
        refused = self._refusal(answer, [expression], breakdowns, at)
        if refused is not None:
            return None if refused else f"not refused: {told}"
        if answer.status != 200:
            return told
        instant = self.oracle.now if at is None else at
        persons = self._persons(at)
        node = compile_expression(expression, self.oracle.resolve)
        members = [person for person in persons if node.holds(person, instant)]
        wrong = self._compare_figures(answer.json, expression, persons, members, at, breakdowns) \
            or self._compare_sample(answer.json, members, id_of) \
            or self._compare_groups(answer.json, breakdowns, members, instant)
        return wrong and f"{wrong}: {told}"

    def _compare_figures(self, found, expression, persons, members, at, breakdowns):
        instant = self.oracle.now if at is None else at
        orders, ordered = self._amounts(members, "Order Completed", instant)
        _, refunded = self._amounts(members, "Order Refunded", instant)
        revenue = sum(ordered) - sum(map(abs, refunded))
        traits = any("trait" in leaf for leaf in self._leaves(expression)) or \
            any(isinstance(dimension, str) for dimension in breakdowns)
        expected = {"audience_size": len(members), "total_users": len(persons),
                    "exact": at is None or not (traits or self._is_gone(at - 365 * DAY, at))}
        for name, value in expected.items():
            if found[name] != value:
                return f"{name}, expected {value}"
        if parse_instant(found["as_of"]) != instant:
            return f"as_of, expected {instant}"
        if at is not None and self._is_gone(at - 365 * DAY, at):
            return None  # of orders that are not kept any more
        if abs(found["expected_revenue"] - revenue / 10**6) > 1e-9 * max(1, abs(revenue)):
            return f"revenue, expected {revenue} millionths"
        value = found["average_order_value"]
        if (value is None) != (orders == 0) or \
                (orders and abs(value - revenue / 10**6 / orders) > 1e-9 * max(1, abs(revenue))):
            return f"average, expected that of {orders} orders"
        return None

    @staticmethod
    def _compare_sample(found, members, id_of):
        sample = [id_of(item) for item in found["sample"]]
        wanted = {person.id for person in members}
        if len(set(sample)) != len(sample) or not set(sample) <= wanted or \
                len(sample) != min(100, len(wanted)):
            return f"sample, members {sorted(wanted)}"
        return None

    def _compare_groups(self, found, breakdowns, members, instant):
        for dimension, told in zip(breakdowns, found.get("breakdowns", [])):
            sizes = by_value((value_of(MISSING if group["value"] is None else group["value"]),
                              group["size"]) for group in told["groups"])
            expected = by_value((self._group_of(person, dimension, instant), 1)
                                for person in members)
            if sizes != expected or told["others"] != 0:
                return f"groups of {dimension}, expected {expected}"
        return None

    def _check_overlap(self, client, live):
        expressions = [self._expression(live) for _ in range(self.random.randint(2, SETS_MAX))]
        at = self._instant()
        answer = self._ask(client, "overlap", {"audiences": [
            {"expression": expression} for expression in copy.deepcopy(expressions)]}, at)
        told = f"overlap of {json.dumps(expressions, ensure_ascii=False)} at {at}, now " \
               f"{self.oracle.now}: {answer!r}"
        refused = self._refusal(answer, expressions, [], at)
        if refused is not None:
            return None if refused else f"not refused: {told}"
        if answer.status != 200:
            return told
        instant = self.oracle.now if at is None else at
        nodes = [compile_expression(expression, self.oracle.resolve) for expression in expressions]
        regions = by_value((tuple(i for i, node in enumerate(nodes) if node.holds(person, instant)),
                            1) for person in self._persons(at))
        regions.pop((), None)
        found = {tuple(region["audiences"]): region["size"] for region in answer.json["regions"]
                 if region["size"] > 0}
        if found != regions:
            return f"regions {found}, expected {regions}: {told}"
        for i, audience in enumerate(answer.json["audiences"]):
            if audience["size"] != sum(size for sets, size in regions.items() if i in sets):
                return f"size of {i}: {told}"
        return None
