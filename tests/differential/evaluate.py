"""The meaning of definitions, by plain loops: contracts.md, Part 1, and nothing else.

compile_expression() turns a definition in its JSON form into a tree of nodes with
  holds(person, now)   the value at an instant, from the person's events and traits
  instants(person)     every instant at which time alone may change that value
  begins(person, now)  message ids of the events of the future that begin to exist at `now`
A person has `events` (of values.Event, in the order of their acceptance), `traits` (JSON) and
`identified`."""
from fractions import Fraction

from facts import corrects, seen, versions
from values import (COMPARE, DAY, MISSING, SEALED, SUM_MAX, Test, Where, address_of, find,
                    millionths, parse_duration, parse_instant, part_of_birthday, property_of)

ALIASES = {"clicks": "Link Clicked", "installs": "Application Installed",
           "orders": "Order Completed", "addToCart": "Product Added"}


def in_order(events):
    """Rule 13; what was received together stays as it was accepted."""
    return sorted(events, key=lambda event: (event.time, event.received))


def begins(events, now):
    """Message ids of those that reach their own time now, after they were received."""
    return [event.message_id for event in events if event.time == now and event.received < now]


# ---- Aggregates (rules 14, 15, 18, 19) ----

def identities(value):
    """What `distinct` tells apart: types, and each item of a set."""
    if value is SEALED:
        return set()
    return {(str, item) for item in value} if isinstance(value, list) else {(type(value), value)}


class Aggregate:
    """A number, or MISSING, of the events that count; compared with the values of a leaf."""

    def __init__(self, leaf):
        self.kind = leaf.get("aggregate", "count")
        self.property = leaf.get("property")
        self.op = leaf["op"]
        value = leaf.get("value", [])
        exact = millionths if self.kind in ("sum", "avg") else Fraction
        self.values = [exact(float(item)) for item in
                       (value if isinstance(value, list) else [value])]

    def _numbers(self, events):
        values = (property_of(event, self.property) for event in events)
        return [value for value in values if isinstance(value, float)]

    def of(self, events, now):
        kind = self.kind
        if kind == "count":
            return len(events)
        if kind.startswith("days_since"):
            times = [event.time for event in events]
            if not times:
                return MISSING
            return (now - (max if kind == "days_since_last" else min)(times)) // DAY
        if kind == "distinct":
            values = (property_of(event, self.property) for event in events)
            return len(set().union(*(identities(value) for value in values
                                     if value is not MISSING)))
        numbers = self._numbers(events)
        if kind in ("min", "max"):
            return Fraction((min if kind == "min" else max)(numbers)) if numbers else MISSING
        amounts = [millionths(number) for number in numbers if abs(Fraction(number)) <= SUM_MAX]
        if kind == "sum":
            return sum(amounts)
        return Fraction(sum(amounts), len(amounts)) if amounts else MISSING

    def passes(self, events, now):
        value, op = self.of(events, now), self.op
        if op in ("exists", "absent"):
            return (value is MISSING) == (op == "absent")
        if op in ("eq", "in"):
            return value is not MISSING and value in self.values
        if op in ("neq", "not_in"):
            return value is MISSING or value not in self.values
        return value is not MISSING and COMPARE[op](value, self.values[0])

    def instants(self, event):
        """When the days since this event become one of the values, or cease to be."""
        if not self.kind.startswith("days_since"):
            return
        for value in self.values:
            for days in (value, value + 1):
                if days > 0:
                    yield event.time + int(days) * DAY


class Edge:
    """`first` and `last`: a test of the value in the oldest or newest event that has one."""

    def __init__(self, leaf):
        self.index = 0 if leaf["aggregate"] == "first" else -1
        self.property = leaf["property"]
        self.test = Test(leaf["op"], leaf.get("value"))

    def passes(self, events, now):
        values = [property_of(event, self.property) for event in in_order(events)]
        existing = [value for value in values if value is not MISSING]
        return self.test.passes(existing[self.index] if existing else MISSING, now)

    def instants(self, event):
        yield from self.test.instants(property_of(event, self.property))


# ---- Leaves and what joins them (rules 1 to 5, 8, 12) ----

class What:
    """Events of a name that pass a `where`."""

    def __init__(self, leaf):
        self.name = ALIASES.get(leaf["event"], leaf["event"])
        self.where = Where(leaf["where"]) if "where" in leaf else None

    def names(self, event):
        return self.name in ("*", event.name)

    def concerns(self, event):
        """Whether it is one of them, or may change one."""
        return self.names(event) or corrects(event, self.name)

    def matches(self, event, now):
        return self.names(event) and event.exists(now) and \
            (self.where is None or self.where.passes(event, now))

    def instants(self, event):
        if self.names(event) and self.where is not None:
            yield from self.where.instants(event)


class EventLeaf:
    def __init__(self, leaf):
        self.what = What(leaf)
        self.within = parse_duration(leaf["within"]) if "within" in leaf else None
        self.until = parse_duration(leaf["until"]) if "until" in leaf else 0
        self.between = [parse_instant(text) for text in leaf["between"]] if "between" in leaf \
            else None
        edge = leaf.get("aggregate") in ("first", "last")
        self.aggregate = Edge(leaf) if edge else Aggregate(leaf)

    def _counts(self, event, now):
        if now < event.time + self.until:
            return False
        if self.within is not None and now >= event.time + self.within:
            return False
        if self.between is not None and not self.between[0] <= event.time < self.between[1]:
            return False
        return self.what.matches(event, now)

    def holds(self, person, now):
        return self.aggregate.passes([event for event in seen(person.events, now)
                                      if self._counts(event, now)], now)

    def instants(self, person):
        for event in filter(self.what.concerns, person.events):
            yield event.time
            yield event.gone
        for event in filter(self.what.names, versions(person.events)):
            if self.until:
                yield event.time + self.until
            if self.within is not None:
                yield event.time + self.within
            yield from self.what.instants(event)
            yield from self.aggregate.instants(event)

    def begins(self, person, now):
        return begins(filter(self.what.concerns, person.events), now)


class SequenceLeaf:
    """Rule 4: from every event that may be the first, each later step as early as it can be; then
    any event of the last step ends a chain."""

    def __init__(self, leaf):
        self.steps = [What(step) for step in leaf["sequence"]]
        self.within = parse_duration(leaf["within"]) if "within" in leaf else None
        self.ended_within = parse_duration(leaf["ended_within"]) if "ended_within" in leaf \
            else None

    def _concerns(self, event):
        return any(step.concerns(event) for step in self.steps)

    def holds(self, person, now):
        events = in_order(seen(person.events, now))
        matched = [[step.matches(event, now) for event in events] for step in self.steps]
        return any(self._ends(events, matched, first, now)
                   for first in range(len(events)) if matched[0][first])

    def _ends(self, events, matched, first, now):
        at = first
        for step in matched[1:-1]:
            at = next((i for i in range(at + 1, len(events)) if step[i]), None)
            if at is None:
                return False
        return any(matched[-1][last]
                   and (self.within is None
                        or events[last].time - events[first].time < self.within)
                   and (self.ended_within is None
                        or now < events[last].time + self.ended_within)
                   for last in range(at + 1, len(events)))

    def instants(self, person):
        for event in filter(self._concerns, person.events):
            yield event.time
            yield event.gone
            if self.ended_within is not None:
                yield event.time + self.ended_within
        for event in versions(person.events):
            for step in self.steps:
                yield from step.instants(event)

    def begins(self, person, now):
        return begins(filter(self._concerns, person.events), now)


class TraitLeaf:
    def __init__(self, leaf):
        self.name = leaf["trait"]
        value = leaf.get("value")
        if self.name in ("email", "phone") and value is not None:
            value = [address_of(self.name, one) for one in value] if isinstance(value, list) \
                else address_of(self.name, value)
        self.test = Test(leaf["op"], value)

    def _value(self, person):
        if self.name == "$identified":
            return person.identified
        if self.name.startswith("birthday."):
            return part_of_birthday(find(person.traits, "birthday"), self.name.split(".")[1])
        value = find(person.traits, self.name)
        presence = self.test.op in ("exists", "absent")
        return address_of(self.name, value) \
            if self.name in ("email", "phone") and not presence else value

    def holds(self, person, now):
        return self.test.passes(self._value(person), now)

    def instants(self, person):
        yield from self.test.instants(self._value(person))

    def begins(self, _person, _now):
        return []


class SegmentLeaf:
    def __init__(self, reference, resolve):
        self.reference = reference
        self.resolve = resolve

    def holds(self, person, now):
        return self.resolve(self.reference).holds(person, now)

    def instants(self, person):
        return self.resolve(self.reference).instants(person)

    def begins(self, person, now):
        return self.resolve(self.reference).begins(person, now)


class Joined:
    def __init__(self, kind, parts):
        self.kind = kind
        self.parts = parts

    def holds(self, person, now):
        if self.kind == "not":
            return not self.parts[0].holds(person, now)
        values = (part.holds(person, now) for part in self.parts)
        return all(values) if self.kind == "and" else any(values)

    def instants(self, person):
        for part in self.parts:
            yield from part.instants(person)

    def begins(self, person, now):
        return [message_id for part in self.parts for message_id in part.begins(person, now)]


def compile_expression(expression, resolve):
    """`resolve` gives the live node of another segment."""
    for kind in ("and", "or"):
        if kind in expression:
            return Joined(kind, [compile_expression(part, resolve) for part in expression[kind]])
    if "not" in expression:
        return Joined("not", [compile_expression(expression["not"], resolve)])
    if "event" in expression:
        return EventLeaf(expression)
    if "sequence" in expression:
        return SequenceLeaf(expression)
    if "trait" in expression:
        return TraitLeaf(expression)
    return SegmentLeaf(expression["segment"], resolve)
