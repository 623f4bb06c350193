"""Values, tests of them, and events: contracts.md, Part 1, and nothing else."""
import datetime
import re
from fractions import Fraction

DAY = 86_400_000
SUM_MAX = Fraction(92 * 10**11)
UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY, "w": 7 * DAY}
MISSING = None  # JSON null is missing, too
SEALED = object()  # a long string of an event: it exists, and nobody can read it
SEALED_FROM = 65   # bytes

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)"
                  r"(?:[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?)?\Z", re.ASCII)
EPOCH = datetime.datetime(1970, 1, 1)


class Event:
    __slots__ = ("name", "properties", "context", "time", "received", "gone", "message_id")

    def __init__(self, name, properties, context, time, received, gone, message_id):
        self.name = name
        self.properties = properties
        self.context = context
        self.time = time
        self.received = received
        self.gone = gone  # the first instant at which it no longer exists (rule 21)
        self.message_id = message_id

    def exists(self, now):
        return self.time <= now < self.gone

    def __repr__(self):
        return (f"{self.name} time={self.time} received={self.received} id={self.message_id} "
                f"{self.properties} {self.context}")


# ---- Values (rules 7, 15, 16, 20) ----

def parse_duration(text):
    return int(text[:-1]) * UNITS[text[-1]]


def parse_instant(text):
    """Epoch ms, or None: not in the form of rule 7."""
    match = TIME.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime.datetime(int(year), int(month), int(day), int(hour or 0),
                                   int(minute or 0), int(second or 0))
    except ValueError:
        return None
    ms = (moment - EPOCH) // datetime.timedelta(milliseconds=1)
    if fraction:
        ms += int((fraction + "00")[:3])
    if offset and offset not in "Zz":
        hours, minutes = int(offset[1:3]), int(offset[4:6])
        if hours > 23 or minutes > 59:
            return None
        ms -= (hours * 60 + minutes) * 60_000 * (-1 if offset[0] == "-" else 1)
    return ms


def value_of(json_value):
    """bool, float, str, a list of str, or MISSING."""
    if isinstance(json_value, (bool, str)):
        return json_value
    if isinstance(json_value, (int, float)):
        return float(json_value)
    if isinstance(json_value, list) and all(isinstance(item, str) for item in json_value):
        return json_value
    return MISSING


def find(fields, name):
    """The exact name, else a dotted path."""
    if name in fields:
        return value_of(fields[name])
    at = fields
    for part in name.split("."):
        if not isinstance(at, dict) or part not in at:
            return MISSING
        at = at[part]
    return value_of(at)


def address_of(name, value):
    """What an e-mail address or telephone number is compared by; SEALED: it is none."""
    if not isinstance(value, str):
        return SEALED if value is not MISSING else MISSING
    if name == "email":
        text = value.strip().lower()
        return text if re.fullmatch("[^@]+@[^@]+", text) else SEALED
    digits = re.sub(r"[-\s./()]", "", value)
    if not re.fullmatch(r"\+?[0-9]{5,18}", digits):
        return SEALED
    abroad = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+") if digits[0] == "+" else digits.removeprefix("00")
    if not abroad and digits.startswith("0"):
        return "82" + digits[1:]
    return "82" + digits[3:] if digits.startswith("820") else digits


def part_of_birthday(value, part):
    """Of a date as it is written."""
    if not isinstance(value, str) or parse_instant(value) is None:
        return MISSING
    return float(value[:10].split("-")[("year", "month", "day").index(part)])


def amount_of(fields):
    for name in ("revenue", "amount", "total", "value"):
        value = find(fields, name)
        if isinstance(value, float):
            return value
    return MISSING


def property_of(event, name):
    if name == "$amount":
        return amount_of(event.properties)
    value = find(event.context, name[len("context."):]) if name.startswith("context.") \
        else find(event.properties, name)
    if isinstance(value, str) and len(value.encode()) >= SEALED_FROM:
        return SEALED
    return value


def millionths(number):
    return round(Fraction(float(number)) * 10**6)  # half to even


def same(a, b):
    return type(a) is type(b) and a == b


# ---- Tests (rules 15 to 17) ----

COMPARE = {"gt": lambda a, b: a > b, "gte": lambda a, b: a >= b,
           "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b}


class Test:
    def __init__(self, op, value):
        self.op = op
        self.value = value
        if op in ("in", "not_in"):
            self.values = [value_of(item) for item in value]
        elif op in ("eq", "neq"):
            self.values = [value_of(value)]
        elif op in ("within_last", "within_next"):
            self.duration = parse_duration(value)
        elif op in ("before", "after"):
            self.instant = parse_instant(value)

    def passes(self, value, now):
        op = self.op
        if op == "exists":
            return value is not MISSING
        if op == "absent":
            return value is MISSING
        if op in ("neq", "not_in"):
            return not self._equals(value)
        if op in ("eq", "in"):
            return self._equals(value)
        if value is MISSING:
            return False
        if op in COMPARE:
            return isinstance(value, float) and COMPARE[op](value, float(self.value))
        if op in ("contains", "starts_with", "ends_with"):
            return self._matches(value)
        return self._time_passes(value, now)

    def _equals(self, value):
        if value is MISSING:
            return False
        items = value if isinstance(value, list) else [value]
        return any(same(item, wanted) for item in items for wanted in self.values)

    def _matches(self, value):
        if isinstance(value, list):
            if self.op == "contains":
                return self.value in value
            items = value
        elif isinstance(value, str):
            if self.op == "contains":
                return self.value in value
            items = [value]
        else:
            return False
        if self.op == "starts_with":
            return any(item.startswith(self.value) for item in items)
        return any(item.endswith(self.value) for item in items)

    def _time_passes(self, value, now):
        moment = parse_instant(value) if isinstance(value, str) else None
        if moment is None:
            return False
        if self.op == "within_last":
            return moment <= now < moment + self.duration
        if self.op == "within_next":
            return moment - self.duration <= now < moment
        return moment < self.instant if self.op == "before" else moment > self.instant

    def instants(self, value):
        moment = parse_instant(value) if isinstance(value, str) else None
        if moment is None:
            return ()
        if self.op == "within_last":
            return (moment, moment + self.duration)
        if self.op == "within_next":
            return (moment - self.duration, moment)
        return ()


class Where:
    def __init__(self, where):
        self.kind = next((kind for kind in ("and", "or", "not") if kind in where), None)
        if self.kind == "not":
            self.parts = [Where(where["not"])]
        elif self.kind:
            self.parts = [Where(part) for part in where[self.kind]]
        else:
            self.property = where["property"]
            self.test = Test(where["op"], where.get("value"))

    def passes(self, event, now):
        if self.kind == "and":
            return all(part.passes(event, now) for part in self.parts)
        if self.kind == "or":
            return any(part.passes(event, now) for part in self.parts)
        if self.kind == "not":
            return not self.parts[0].passes(event, now)
        return self.test.passes(property_of(event, self.property), now)

    def instants(self, event):
        if self.kind:
            for part in self.parts:
                yield from part.instants(event)
        else:
            yield from self.test.instants(property_of(event, self.property))
