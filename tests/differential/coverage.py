"""Which forms of the language a definition has, and how often each of them was compared.

The list of what must be met is written from contracts.md, Part 1, so that a form that is never
generated is missed here."""
import collections

NUMBER_OPS = ["eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in"]
MAYBE_OPS = NUMBER_OPS + ["exists", "absent"]
VALUE_OPS = MAYBE_OPS + ["contains", "starts_with", "ends_with", "within_last", "within_next",
                         "before", "after"]
SET_OPS = ["eq", "neq", "in", "not_in", "contains", "starts_with", "ends_with", "exists", "absent"]
AGGREGATE_OPS = {
    "count": NUMBER_OPS, "sum": NUMBER_OPS, "distinct": NUMBER_OPS,
    "avg": MAYBE_OPS, "min": MAYBE_OPS, "max": MAYBE_OPS,
    "days_since_first": MAYBE_OPS, "days_since_last": MAYBE_OPS,
    "first": VALUE_OPS, "last": VALUE_OPS,
}
ORIGINALS = ["Order Completed", "orders", "Booking Created", "*"]
SPANS = ["all time", "within", "until", "within until", "between"]
BOUNDS = ["no bound", "within", "ended_within", "within ended_within"]

FORMS = ["and", "or", "not", "segment", "any event", "a corrected fact"]
FORMS += [f"{aggregate} {op}" for aggregate, ops in AGGREGATE_OPS.items() for op in ops]
FORMS += [f"{aggregate} {span}" for aggregate in AGGREGATE_OPS for span in SPANS]
FORMS += [f"where {form}" for form in ["and", "or", "not"] + VALUE_OPS]
FORMS += [f"trait {op}" for op in VALUE_OPS]
FORMS += ["blind index"]
FORMS += [f"set {op}" for op in SET_OPS]
FORMS += [f"sequence {bounds}" for bounds in BOUNDS]
FORMS += ["sequence where", "sequence of time tests", "sequence any event", "sequence 2 steps",
          "sequence 3 steps", "sequence 4 steps"]
FORMS += [f"{aggregate} of time tests" for aggregate in AGGREGATE_OPS]

# What is no form of the language: how it was written, when it was asked and what had happened.
FORMS += [f"written as {notation}" for notation in ("JSON", "text", "rules", "logicalExpression")]
FORMS += [f"{where} a boundary" for where in ("before", "at", "behind")]
FORMS += ["after stop", "after kill", "events have ceased to exist", "a merge",
          "an erasure"]

TIMES_IN_A_FULL_RUN = 1_000


def forms_of_where(where):
    kind = next((kind for kind in ("and", "or", "not") if kind in where), None)
    if kind is None:
        yield f"where {where['op']}"
        if where["property"] == "tags":
            yield f"set {where['op']}"
        return
    yield f"where {kind}"
    for part in [where["not"]] if kind == "not" else where[kind]:
        yield from forms_of_where(part)


def time_tests(forms):
    return bool({"where within_last", "where within_next"} & set(forms))


def forms_of_event(leaf):
    aggregate = leaf.get("aggregate", "count")
    yield f"{aggregate} {leaf['op']}"
    span = " ".join(name for name in ("within", "until", "between") if name in leaf)
    yield f"{aggregate} {span or 'all time'}"
    if leaf["event"] == "*":
        yield "any event"
    if leaf["event"] in ORIGINALS:
        yield "originals"
    if leaf.get("property") == "tags" and aggregate in ("first", "last"):
        yield f"set {leaf['op']}"
    forms = list(forms_of_where(leaf["where"])) if "where" in leaf else []
    yield from forms
    if time_tests(forms):
        yield f"{aggregate} of time tests"


def forms_of_sequence(leaf):
    bounds = " ".join(name for name in ("within", "ended_within") if name in leaf)
    yield f"sequence {bounds or 'no bound'}"
    yield f"sequence {len(leaf['sequence'])} steps"
    for step in leaf["sequence"]:
        if step["event"] == "*":
            yield "sequence any event"
        forms = list(forms_of_where(step["where"])) if "where" in step else []
        yield from forms
        if forms:
            yield "sequence where"
        if time_tests(forms):
            yield "sequence of time tests"


def forms_of(expression):
    if "event" in expression:
        yield from forms_of_event(expression)
    elif "sequence" in expression:
        yield from forms_of_sequence(expression)
    elif "trait" in expression:
        yield f"trait {expression['op']}"
        if expression["trait"] == "tags":
            yield f"set {expression['op']}"
        if expression["trait"] in ("email", "phone") and "value" in expression:
            yield "blind index"
    elif "segment" in expression:
        yield "segment"
    else:
        kind = next(iter(expression))
        yield kind
        for part in [expression["not"]] if kind == "not" else expression[kind]:
            yield from forms_of(part)


class Coverage:
    """How many triples each form had a part in."""

    def __init__(self):
        self.met = collections.Counter()

    def add(self, expression, triples, corrected):
        """`corrected`: with how many persons of whom a fact was corrected."""
        forms = set(forms_of(expression))
        for form in forms:
            self.met[form] += triples
        if "originals" in forms:
            self.met["a corrected fact"] += corrected

    def happened(self, what, times):
        self.met[what] += times

    def missed(self, share):
        """((form, times) of those that were met less often than that share of a full run demands,
        what it demands): of half a full run nothing, since it has too few definitions."""
        times = int(TIMES_IN_A_FULL_RUN * min(1, max(0, 2 * share - 1)))
        return [(form, self.met[form]) for form in FORMS if self.met[form] < times], times
