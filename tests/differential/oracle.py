"""What the server must answer, by brute force: keeps every accepted message and evaluates every
definition for every person whenever something may have changed. Written from contracts.md, Part 1.
"""
import bisect
import collections

from evaluate import ALIASES, compile_expression
from merge import merge
from values import DAY, Event, parse_instant

FUTURE_MAX = 300_000
CREATED, EVENT, EXPIRY, TRAIT, DEFINITION, MERGE, ERASURE = \
    "created", "event", "expiry", "trait", "definition", "merge", "erasure"


class Person:
    def __init__(self, space, name, created):
        self.space = space  # "user" or "anonymous"
        self.name = name
        self.created = created
        self.identified = space == "user"
        self.traits = {}
        self.events = []
        self.message_ids = {}  # id: the first instant at which it is free again
        self.received = {}     # id: when the one that counts was accepted
        self.entered = {}      # segment: since when a member
        self.rows = []         # history
        self.boundaries = {}   # segment: sorted instants, until something changes
        self.became = None     # the user that a visitor has become

    @property
    def id(self):
        return (self.space, self.name)

    def __repr__(self):
        events = "".join(f"\n    {event}" for event in self.events)
        return (f"{self.space} {self.name!r} created={self.created} traits={self.traits}"
                f" entered={self.entered}{events}")


class Row:
    """One expected row of history. `optional`: the contract leaves open whether it is listed."""

    def __init__(self, segment, change, at, causes, message_ids=(), event_time=None,
                 optional=False):
        self.segment = segment
        self.change = change
        self.at = at
        self.causes = causes
        self.message_ids = message_ids
        self.event_time = event_time
        self.optional = optional

    def __repr__(self):
        return (f"{self.change} {self.segment} at={self.at} {'/'.join(self.causes)}"
                f"{' ' + str(self.message_ids) if self.message_ids else ''}"
                f"{' (optional)' if self.optional else ''}")


class Segment:
    def __init__(self, key):
        self.key = key
        self.expression = None  # JSON form of the version that answers
        self.node = None        # compiled; None: not Live


class Workspace:
    def __init__(self, now, retention):
        self.dimensions = {"product_id": {}, "property_id": {}}  # key: id: row
        self.now = now
        self.retention = retention
        self.persons = {}  # (space, name): Person
        self.links = {}    # anonymous id: user id
        self.gone = []     # persons who have become others
        self.chains = {}   # anonymous id: the users that it was linked to, in order
        self.erased = []   # persons of whom nothing is known but their rows
        self.merging = None
        self.segments = {}

    # ---- Definitions ----

    def resolve(self, key):
        return self.segments[key].node

    def live(self):
        return {key: segment for key, segment in self.segments.items() if segment.node}

    def activate(self, key, expression):
        """A version goes Live now, together with what derives from it."""
        segment = self.segments.setdefault(key, Segment(key))
        fresh = segment.node is None
        old_defaults = self._defaults()
        segment.expression = expression
        segment.node = compile_expression(expression, self.resolve)
        defaults = self._defaults()
        for person in self.persons.values():
            person.boundaries.clear()
            before = len(person.rows)
            self._change(person, self.now, (DEFINITION,))
            changed = {row.segment for row in person.rows[before:]}
            for other in self.live():
                kind = (person.space, other)
                if other in person.entered or other in changed or not defaults[kind] \
                        or old_defaults.get(kind):
                    continue
                person.rows.append(Row(other, "exited", self.now, (DEFINITION,),
                                       optional=not (fresh and other == key)))

    def disable(self, key):
        self.segments[key].node = None
        for person in self.persons.values():
            person.boundaries.clear()
            if person.entered.pop(key, None) is not None:
                person.rows.append(Row(key, "exited", self.now, (DEFINITION,)))

    def _defaults(self):
        """Which live segment holds for somebody of whom nothing is known."""
        empty = [Person("user", "", self.now), Person("anonymous", "", self.now)]
        return {(person.space, key): segment.node.holds(person, self.now)
                for key, segment in self.live().items() for person in empty}

    # ---- Changes ----

    def _change(self, person, at, causes, message_ids=(), event_time=None, only=None):
        """The net change of one step."""
        for key, segment in self.live().items():
            if only is not None and key not in only:
                continue
            holds = segment.node.holds(person, at)
            if holds == (key in person.entered):
                continue
            if holds:
                person.entered[key] = at
            else:
                del person.entered[key]
            row_causes, row_ids = causes, message_ids
            if causes == (EXPIRY,):
                row_causes, row_ids = self._time_causes(person, segment.node, at)
            person.rows.append(Row(key, "entered" if holds else "exited", at, row_causes, row_ids,
                                   event_time))

    @staticmethod
    def _time_causes(person, node, at):
        """An event of the future that begins, or time alone; either, where both fall together."""
        begins = node.begins(person, at)
        if not begins:
            return (EXPIRY,), ()
        others = collections.Counter(node.instants(person))[at] - len(begins)
        return ((EVENT, EXPIRY) if others > 0 else (EVENT,)), begins

    def _boundaries(self, person, key, segment):
        instants = person.boundaries.get(key)
        if instants is None:
            instants = sorted(set(segment.node.instants(person)))
            person.boundaries[key] = instants
        return instants

    def advance(self, now):
        """Time alone, up to and including `now`."""
        for person in self.persons.values():
            due = collections.defaultdict(set)
            for key, segment in self.live().items():
                instants = self._boundaries(person, key, segment)
                begin = bisect.bisect_right(instants, self.now)
                for at in instants[begin:bisect.bisect_right(instants, now)]:
                    due[at].add(key)
            for at in sorted(due):
                self._change(person, at, (EXPIRY,), only=due[at])
        self.now = now

    def boundaries_ahead(self, limit):
        """Some of the next instants at which time may change something."""
        ahead = set()
        for person in self.persons.values():
            for key, segment in self.live().items():
                instants = self._boundaries(person, key, segment)
                begin = bisect.bisect_right(instants, self.now)
                ahead.update(instants[begin:begin + limit])
        return sorted(ahead)

    # ---- Messages (rules 12, 20 to 25) ----

    def accept(self, call, message, batch_sent_at=None, platform=False):
        """The code of its rejection, or None. `call`: track, page, screen, identify, group,
        alias."""
        code = self._accept(call, message, batch_sent_at, platform)
        if self.merging is not None:
            merge(self, *self.merging)
            self.merging = None
        return code

    def merges(self, call, message):
        """Visitor and user, or None."""
        user, anonymous = self._id(message, "userId"), self._id(message, "anonymousId")
        if call == "alias":
            anonymous = self._id(message, "previousId")
        visitor = self.persons.get(("anonymous", anonymous))
        if call not in ("identify", "alias") or user is None or visitor is None:
            return None
        return visitor, self.persons.get(("user", user)) or Person("user", user, self.now)

    def leave(self, person):
        for key in person.entered:
            person.rows.append(Row(key, "exited", self.now, (MERGE,)))
        person.entered.clear()
        del self.persons[person.id]
        self.gone.append(person)

    def _link(self, anonymous, user):
        chain = self.chains.setdefault(anonymous, [])
        if not chain or chain[-1] != user:
            chain.append(user)
        self.links[anonymous] = user

    def may_erase(self, person):
        """Ids that went through many hands answer whoever the vault has noted."""
        return all(len(chain) < 3 or person.name not in chain for chain in self.chains.values())

    def erase(self, person):
        """With the visitors who became him; his ids are free, those of visitors who belonged to
        somebody before are his again."""
        for key in person.entered:
            person.rows.append(Row(key, "exited", self.now, (ERASURE,)))
        person.entered.clear()
        del self.persons[person.id]
        self.erased += [person, *(one for one in self.gone if one.became is person)]
        self.gone = [one for one in self.gone if one.became is not person]
        for anonymous, chain in list(self.chains.items()):
            chain = [user for user in chain if user != person.name]
            if person.space == "user" and chain != self.chains[anonymous]:
                self.chains[anonymous] = chain
                if chain:
                    self.links[anonymous] = chain[0]
                else:
                    del self.chains[anonymous], self.links[anonymous]

    def take_over(self, person):
        self._change(person, self.now, (MERGE,))

    def _accept(self, call, message, batch_sent_at, platform):
        names = self._names(call, message, platform)
        if isinstance(names, str):
            return names
        user, anonymous, event_name = names
        time, code = self._time(message, batch_sent_at, platform)
        if code:
            return code
        person, code = self._person(call, message, user, anonymous)
        if code:
            return code
        message_id = message.get("messageId")
        if message_id:
            if person.message_ids.get(message_id, 0) > self.now:
                return None  # the first one counts
            person.message_ids[message_id] = self.exists_until(time)
            person.received[message_id] = self.now
        if call == "alias":
            return None
        person.boundaries.clear()
        if call in ("identify", "group"):
            self._set_traits(person, call, message)
            self._change(person, self.now, (TRAIT,))
            return None
        event = Event(event_name, self._enrich(self._properties(call, message, platform)),
                      {} if platform else message.get("context") or {}, time, self.now,
                      self.exists_until(time), message_id)
        person.events.append(event)
        self._change(person, self.now, (EVENT,), (message_id,), time)
        return None

    def _enrich(self, properties):
        """With what the rows that it names say now, but for what it says itself."""
        enriched = dict(properties)
        for key, rows in self.dimensions.items():
            named = properties.get(key)
            if isinstance(named, int) and not isinstance(named, bool):
                named = str(named)
            for name, value in rows.get(named, {}).items() if isinstance(named, str) else ():
                enriched.setdefault(name, value)
        return enriched

    def exists_until(self, time):
        return time // DAY * DAY + self.retention

    @staticmethod
    def _id(message, name):
        value = message.get(name)
        return str(value) if value not in (None, "") else None

    def _names(self, call, message, platform):
        """Who and what, or the code of the rejection."""
        user, anonymous = self._id(message, "userId"), self._id(message, "anonymousId")
        if platform:
            if user is None:
                return "MISSING_ID"
            if message.get("eventType") not in ALIASES:
                return "UNKNOWN_EVENT_TYPE"
            return user, None, ALIASES[message["eventType"]]
        if call not in ("track", "page", "screen", "identify", "group", "alias"):
            return "UNKNOWN_TYPE"
        if user is None and (anonymous is None or call == "alias"):
            return "MISSING_ID"
        if call == "alias" and self._id(message, "previousId") is None:
            return "MISSING_ID"
        if call == "group" and self._id(message, "groupId") is None:
            return "MISSING_ID"
        name = {"page": "$page", "screen": "$screen"}.get(call)
        if call == "track":
            name = message.get("event")
            if not isinstance(name, str) or not name:
                return "MISSING_EVENT_NAME"
            name = ALIASES.get(name, name)
        return user, anonymous, name

    def _time(self, message, batch_sent_at, platform):
        written = message.get("timestamp")
        if written is None:
            return self.now, None
        time = parse_instant(written) if isinstance(written, str) else None
        if platform and isinstance(written, int):
            time = written
        if time is None:
            return None, "INVALID_TIMESTAMP"
        sent_at = None
        for text in (message.get("sentAt"), batch_sent_at):
            if sent_at is None and isinstance(text, str) and not platform:
                sent_at = parse_instant(text)
        if sent_at is not None:
            time = self.now - (sent_at - time)
        if time > self.now + FUTURE_MAX:
            time = self.now
        if time // DAY * DAY + self.retention <= self.now:
            return None, "TOO_OLD"
        return time, None

    def _person(self, call, message, user, anonymous):
        if call == "alias":
            anonymous = self._id(message, "previousId")
            if ("user", anonymous) in self.persons:
                return None, "ALREADY_IDENTIFIED"
        visitor = None
        if user is not None and anonymous is not None and call in ("identify", "alias"):
            self._link(anonymous, user)
            visitor = self.persons.get(("anonymous", anonymous))
        if user is None and anonymous in self.links:
            user = self.links[anonymous]
        key = ("user", user) if user is not None else ("anonymous", anonymous)
        if key not in self.persons:
            person = Person(*key, self.now)
            self.persons[key] = person
            self._change(person, self.now, (CREATED,))
        if visitor is not None:
            self.merging = (visitor, self.persons[key])
        return self.persons[key], None

    @staticmethod
    def _set_traits(person, call, message):
        if call == "group":
            person.traits["group_id"] = str(message["groupId"])
            return
        for name, value in (message.get("traits") or {}).items():
            if value is None:
                person.traits.pop(name, None)
            else:
                person.traits[name] = value

    @staticmethod
    def _properties(call, message, platform):
        if platform:
            return message.get("attributes") or {}
        properties = dict(message.get("properties") or {})
        if call in ("page", "screen"):
            for name in ("name", "category"):
                if message.get(name) is not None:
                    properties[name] = message[name]
        return properties

    # ---- Answers ----

    def members(self, key):
        """(space, name): since when; evaluated anew, not from the steps."""
        node = self.segments[key].node
        return {person.id: person.entered.get(key) for person in self.persons.values()
                if node.holds(person, self.now)}
