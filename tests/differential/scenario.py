"""One run: a server under the manual clock and the oracle beside it, through the public API."""
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from asked import Asked  # noqa: E402
from coverage import Coverage  # noqa: E402
from facts import is_corrected  # noqa: E402
from generate import (DAY, HOUR, MINUTE, REGIONS, Definitions,  # noqa: E402
                      expression_of_rules, write_instant)
from merge import are_tied  # noqa: E402
from messages import Messages  # noqa: E402
from notation import Notation  # noqa: E402
from oracle import Workspace  # noqa: E402
from privacy import carry_out  # noqa: E402
from server import (SANITIZER, SONNIM, Server, copy_directory, remove_directory,  # noqa: E402
                    temporary_directory)
from values import parse_instant  # noqa: E402

START = 1_767_225_600_000 + 9 * HOUR  # 2026-01-01T09:00:00Z
SEGMENTS_MAX = 60
SEGMENTS_AT_FIRST = 40
CANCELLED = 0.3  # of definitions somebody tries to take back while they are built


NOBODY = ("nobody", None)  # who was erased
ERASED = 0.25  # of rounds in which somebody is


class Difference(Exception):
    pass


def id_of(item):
    """Who an item of an answer is about."""
    if item.get("userId") is not None:
        return "user", item["userId"]
    return ("anonymous", item["anonymousId"]) if "anonymousId" in item else NOBODY


def path_of(person):
    prefix = "anonymous_id:" if person.space == "anonymous" else "user_id:"
    return prefix + urllib.parse.quote(person.name, safe="")


def notation_of(body):
    """How the definition of a request is written."""
    if "expression" in body:
        return "text" if isinstance(body["expression"], str) else "JSON"
    return "rules" if "rules" in body else "logicalExpression"


class Scenario:
    def __init__(self, random, rounds, partitions, retention_days=1096, flags=(), part=0):
        self.random = random
        self.rounds = rounds
        self.partitions = partitions
        retention = retention_days * DAY
        self.server = Server("--partitions", str(partitions), "--retention", f"{retention_days}d",
                             *flags)
        self.oracle = Workspace(START, retention)
        self.definitions = Definitions(random, retention - DAY, part)
        self.notation = Notation(random)
        self.messages = Messages(random, retention)
        self.asked = Asked(random, self.oracle, retention)
        self.ids = {}       # key: id of the segment
        self.texts = {}     # key: the definition that is stored, JSON form
        self.disabled = set()
        self.deleted = {}   # id: key
        self.amid = set()   # (key, instant): rows that may be told in several ways
        self.actions = []   # what was done with definitions
        self.coverage = Coverage()
        self.corrected = 0  # persons of whom a fact is, at the last check
        self.instant = None  # what is special about the instant of the check at hand
        self.notations = {}  # key: how its definition was written
        self.triples = 0
        self.rows = 0
        self.restarts = 0
        self.merges = 0
        self.erasures = 0
        self.replayed = False  # the whole journal, with somebody erased: he may be told otherwise
        self.cancels = 0
        self.preparing = False  # a definition: its instant must stay
        self.client = None

    # ---- The whole ----

    def run(self):
        with self.server:
            self._connect()
            self.client.set_clock(START)
            self.server.make_key()
            for _ in range(4):
                self._change_dimensions()
            for _ in range(SEGMENTS_AT_FIRST):
                self._create()
            for number in range(self.rounds):
                self._round(number)
            self._compare_histories()
            self._compare_replays()

    def _connect(self):
        if self.client is not None:
            self.client.close()
        self.client = self.server.client()

    def _round(self, number):
        random = self.random
        for _ in range(random.choice([1, 1, 2, 3])):
            self._send()
        if random.random() < 0.4:
            self._change_dimensions()
        if random.random() < ERASED:
            self._erase()
        for _ in range(random.choice([0, 1, 2])):
            self._change_definitions()
        self._check()
        self._cross_boundary()
        if random.random() < 0.15:
            self._move(random.choice([1, MINUTE, HOUR, DAY, 8 * DAY]))
            self._check()
        if random.random() < 0.1:
            self._restart(random.choice([self.server.stop, self.server.kill]))

    # ---- Time ----

    def _set_clock(self, now):
        self.oracle.advance(now)
        self.client.set_clock(now if self.random.random() < 0.8
                              else write_instant(self.random, now, 0))

    def _move(self, by):
        self._set_clock(self.oracle.now + by)

    def _cross_boundary(self):
        """The instant before a boundary, the boundary, the one after; sometimes with events."""
        random = self.random
        ahead = self.oracle.boundaries_ahead(3)
        if not ahead:
            self._move(1)
            return
        reach = random.choice([5, 50, len(ahead), len(ahead)])
        boundary = random.choice(ahead[:reach])
        if boundary - 1 > self.oracle.now:
            self._set_clock(boundary - 1)
            self._check("before a boundary")
        for now, where in ((boundary, "at"), (boundary + 1, "behind")):
            self._set_clock(max(now, self.oracle.now))
            if random.random() < 0.25:
                self._send()
            self._check(f"{where} a boundary" if now == self.oracle.now else None)

    # ---- Messages ----

    def _send(self):
        random = self.random
        kind = random.choice(["batch", "batch", "batch", "single", "platform", "profile"])
        getattr(self, f"_send_{kind}")()

    def _send_batch(self):
        random, now = self.random, self.oracle.now
        batch = []
        for _ in range(random.choice([1, 5, 20, 40])):
            call, message = self._make(now)
            if self.oracle.merges(call, message):
                self._send_merge(call, message)
                continue
            if call in ("identify", "alias") and any(self._shares_visitor(message, other)
                                                     for other in batch):
                continue  # they would merge within the batch
            batch.append(dict(message, type=call))
        if random.random() < 0.05:
            batch.append({"type": "trak", "userId": "u1", "event": "x"})
        body = {"batch": batch}
        sent_at = None
        if random.random() < 0.5:
            sent_at = write_instant(random, now + random.choice([0, 5, -5, MINUTE, -HOUR]))
            body["sentAt"] = sent_at
        rejected = [(index, code) for index, message in enumerate(batch)
                    if (code := self.oracle.accept(message["type"], message, sent_at))]
        self._post(random.choice(["/v1/batch", "/v1/b"]), body, rejected)

    def _send_single(self):
        call, message = self._make(self.oracle.now)
        if self.oracle.merges(call, message):
            self._send_merge(call, message)
            return
        code = self.oracle.accept(call, message)
        self._post(f"/v1/{self.random.choice([call, call[0]])}", message,
                   [(0, code)] if code else [])

    def _make(self, now):
        """A message; a merge only where its outcome is determined."""
        while True:
            call, message = self.messages.make(now)
            merges = self.oracle.merges(call, message)
            if not merges or not (self.preparing or are_tied(*merges)):
                return call, message

    @staticmethod
    def _shares_visitor(message, other):
        visitor = message.get("previousId") or message.get("anonymousId")
        return visitor is not None and visitor == other.get("anonymousId")

    def _send_merge(self, call, message):
        """Apart, and waited for: what else happens at this instant comes before it or behind."""
        code = self.oracle.accept(call, message)
        answer = self._post(f"/v1/{call}", message, [(0, code)] if code else [])
        self.merges += code is None
        some = self._live_keys()[0]
        self.client.expect(200, "GET", f"/api/v1/segments/{some}/statistics",
                           headers={"X-Sonnim-Min-Position": answer.position})
        self._move(1)  # so that nothing that comes is tied to what was merged

    def _post(self, path, body, rejected):
        random = self.random
        if random.random() < 0.3:
            keyed = dict(body, writeKey=self.server.write_key)
            answer = self.client.expect(200, "POST", path, keyed,
                                        headers={"Content-Type": "text/plain", "Authorization": ""})
        else:
            answer = self.client.expect(200, "POST", path, body, key=self.server.write_key)
        self._compare_rejected(path, body, answer, rejected)
        return answer

    def _send_platform(self):
        random, now = self.random, self.oracle.now
        events = [self.messages.make_platform(now) for _ in range(random.choice([1, 5, 20]))]
        rejected = [(index, code) for index, event in enumerate(events)
                    if (code := self.oracle.accept("track", event, platform=True))]
        if len(events) == 1:
            answer = self.client.request("POST", "/api/v1/events/single", events[0])
            if answer.status != (400 if rejected else 200) or \
                    (rejected and answer.code != rejected[0][1]):
                raise Difference(f"single {events[0]}: {answer!r}, expected {rejected}")
            return
        body = events if random.random() < 0.5 else {"events": events}
        answer = self.client.expect(200, "POST", "/api/v1/events", body)
        self._compare_rejected("/api/v1/events", events, answer, rejected)

    def _send_profile(self):
        traits = self.messages.traits(self.oracle.now)
        user = self.random.choice(self.messages.users)
        email = {"email": traits.pop("email")} if "email" in traits else {}
        self.oracle.accept("identify", {"userId": user, "traits": {**traits, **email}})
        name = urllib.parse.quote(str(user), safe="")
        self.client.expect(200, "PUT", f"/api/v1/users/user_id:{name}/profile",
                           {"attributes": traits, **email})

    @staticmethod
    def _compare_rejected(path, body, answer, rejected):
        answered = [(item["index"], item["code"]) for item in answer.json.get("rejected", [])]
        if answered != rejected:
            raise Difference(f"{path}: rejected {answered}, expected {rejected}\n"
                             f"{json.dumps(body, ensure_ascii=False)}")

    # ---- Erasures ----

    def _erase(self):
        """Apart, like a merge."""
        self._move(1)
        person = self.random.choice(list(self.oracle.persons.values()) or [None])
        if person is None or not self.oracle.may_erase(person):
            return
        name = "userId" if person.space == "user" else "anonymousId"
        request = carry_out(self.client, "DELETE_ONLY", {name: person.name})
        if request["state"] != "FINISHED":
            raise Difference(f"erase {person.id}: {request}")
        self.actions += [(key, f"at {self.oracle.now}: {person.id} erased") for key in self.ids]
        self.oracle.erase(person)
        self.erasures += 1
        self._move(1)

    # ---- Dimensions ----

    def _change_dimensions(self):
        """Events from now on get something else."""
        random = self.random
        name, key = random.choice([("products", "product_id"), ("properties", "property_id")])
        known = self.oracle.dimensions[key]
        if known and random.random() < 0.3:
            row_id = random.choice(sorted(known))
            del known[row_id]
            self.client.expect(204, "DELETE", f"/api/v1/dimensions/{name}/{row_id}")
            return
        rows = []
        for row_id in random.sample(["d1", "d2", 3, "d4"], random.randint(1, 4)):
            row = {field: random.choice(REGIONS) for field in ("region", "name")
                   if random.random() < 0.8}
            known[str(row_id)] = row
            rows.append({key: row_id, **row})
        self.client.expect(200, "POST", f"/api/v1/dimensions/{name}", rows)

    # ---- Definitions ----

    def _live_keys(self):
        return sorted(self.oracle.live(), key=lambda key: int(key[1:]))

    def _refers(self, key):
        """Live segments whose definition refers to it."""
        return [other for other, expression in self.texts.items()
                if other not in self.disabled and f'"segment": "{key}"' in json.dumps(expression)]

    def _change_definitions(self):
        random = self.random
        choice = random.random()
        room = len(self._live_keys()) < SEGMENTS_MAX
        if len(self.texts) < SEGMENTS_AT_FIRST or (choice < 0.4 and room):
            self._create()
        elif choice < 0.7:
            self._edit()
        elif self.disabled and (choice < 0.85 or len(self._live_keys()) < 4):
            self._enable()
        elif choice < 0.94:
            self._disable()
        else:
            self._delete()

    def _definition(self, before):
        """(body, expression in JSON form) that refers to `before` only."""
        random = self.random
        chance = random.random()
        if chance < 0.2:
            rules = self.definitions.rules()
            return {"rules": rules}, expression_of_rules(rules)
        if chance < 0.35 and len(before) >= 2:
            return self.definitions.logic(before)
        expression = self.definitions.expression(self.oracle.now, before)
        written = self._by_id(expression) if random.random() < 0.3 else expression
        if random.random() < 0.4:
            written = self.notation.text(written)
        return {"expression": written}, expression

    def _by_id(self, expression):
        """The same with ids in the place of keys."""
        if isinstance(expression, list):
            return [self._by_id(part) for part in expression]
        if "segment" in expression:
            return {"segment": self.ids[expression["segment"]]}
        return {name: self._by_id(part) if name in ("and", "or", "not") else part
                for name, part in expression.items()}

    def _create(self):
        key = f"s{len(self.texts) + len(self.deleted)}"
        body, expression = self._definition(self._live_keys())
        answer = self.client.expect(201, "POST", "/api/v1/segments",
                                    dict(body, key=key, name=f"Segment {key}"))
        self.ids[key] = answer.json["id"]
        self.notations[key] = notation_of(body)
        if self.random.random() < CANCELLED and self._cancel(key, 1):
            self.texts[key] = expression
            self.disabled.add(key)
            self._await_off(key)
            if self.random.random() < 0.7:
                self._enable(key)
            return
        if self.random.random() < 0.3:
            # Events while it is prepared: what is at this instant its doing and what is theirs is
            # open, who is a member and since when is not.
            self.amid.add((key, self.oracle.now))
            self.preparing = True
            for _ in range(3):
                self._send()
            self.preparing = False
        self._went_live(key, expression, answer.json["version"])

    def _edit(self):
        key = self.random.choice(self._live_keys())
        before = [other for other in self._live_keys() if int(other[1:]) < int(key[1:])]
        body, expression = self._definition(before)
        live = self.client.get(f"/api/v1/segments/{key}")
        answer = self.client.expect(200, "PUT", f"/api/v1/segments/{key}", body)
        if (answer.json["version"] != live["version"] and self.random.random() < CANCELLED
                and self._cancel(key, answer.json["version"])):
            found = self.client.wait_live(key)
            if {**found, "updatedAt": live["updatedAt"]} != live:
                raise Difference(f"{key}, cancelled, is another: {found}, was {live}")
            if self.random.random() < 0.3:
                return
            answer = self.client.expect(200, "PUT", f"/api/v1/segments/{key}", body)
        self.notations[key] = notation_of(body)
        self._went_live(key, expression, answer.json["version"])

    def _cancel(self, key, version):
        """Takes back what is being built; False: it was too late."""
        brought = {"id": self.ids[key], "version": version}
        while True:
            job, = self.client.get("/api/v1/jobs?kind=backfill&limit=1")["items"] or [None]
            if job and not job["finishedAt"] and brought in job["params"]["segments"]:
                break
            if self.client.get(f"/api/v1/segments/{key}")["state"] == "Live":
                return False
        path = f"/api/v1/jobs/{job['id']}"
        answer = self.client.request("POST", path + "/cancel")
        if answer.status == 409:
            return False
        if answer.status != 200:
            raise Difference(f"cancel {key}: {answer!r}")
        while not job["finishedAt"]:
            job = self.client.get(path)
        if job["state"] != "cancelled":
            raise Difference(f"cancel {key}: {job}")
        self.actions.append((key, f"at {self.oracle.now}: version {version} cancelled"))
        self.cancels += 1
        return True

    def _went_live(self, key, expression, version):
        self.texts[key] = expression
        found = self.client.wait_live(key, version)
        if self.random.random() < 0.2:
            again = self.client.expect(200, "PUT", f"/api/v1/segments/{key}",
                                       {"expression": found["text"]}).json
            if (again["version"], again["text"]) != (version, found["text"]):
                raise Difference(f"{key}: its own text is another definition: {again}")
        written = json.dumps(expression, ensure_ascii=False)
        self.actions.append((key, f"at {self.oracle.now}: {written}"))
        self.oracle.activate(key, expression)

    def _disable(self):
        key = self.random.choice(self._live_keys())
        answer = self.client.request("PATCH", f"/api/v1/segments/{key}/status", {"active": False})
        referring = self._refers(key)
        if referring:
            if answer.status != 409 or not any(other in str(answer) for other in referring):
                raise Difference(f"disable {key}, to which {referring} refer: {answer!r}")
            return
        if answer.status != 200:
            raise Difference(f"disable {key}: {answer!r}")
        self.disabled.add(key)
        self._await_off(key)
        self.actions.append((key, f"at {self.oracle.now}: disabled"))
        self.oracle.disable(key)

    def _enable(self, key=None):
        key = key or self.random.choice(sorted(self.disabled))
        answer = self.client.request("PATCH", f"/api/v1/segments/{key}/status", {"active": True})
        text = json.dumps(self.texts[key])
        if any(f'"segment": "{other}"' in text for other in {*self.disabled,
                                                             *self.deleted.values()}):
            if answer.status != 409:
                raise Difference(f"enable {key}, which refers to one that is off: {answer!r}")
            return
        if answer.status != 200:
            raise Difference(f"enable {key}: {answer!r}")
        if self.random.random() < CANCELLED and self._cancel(key, answer.json["version"]):
            self._await_off(key)
            return
        self.client.wait_live(key)
        self.actions.append((key, f"at {self.oracle.now}: enabled"))
        self.disabled.discard(key)
        self.oracle.activate(key, self.texts[key])

    def _delete(self):
        key = self.random.choice(sorted(self.texts))
        answer = self.client.request("DELETE", f"/api/v1/segments/{key}")
        referring = self._refers(key)
        if referring:
            if answer.status != 409 or not any(other in str(answer) for other in referring):
                raise Difference(f"delete {key}, to which {referring} refer: {answer!r}")
            return
        if answer.status != 204:
            raise Difference(f"delete {key}: {answer!r}")
        self.actions.append((key, f"at {self.oracle.now}: deleted"))
        if key in self.oracle.live():
            self.oracle.disable(key)
        del self.texts[key]
        self.disabled.discard(key)
        self.deleted[self.ids.pop(key)] = key
        self._await_left()

    def _await_left(self):
        """Until nobody is listed in a segment that was deleted."""
        for person in self.oracle.persons.values():
            if person.space == "anonymous" and person.name in self.oracle.links:
                continue
            for _ in range(20000):
                items = self.client.items(f"/api/v1/users/{path_of(person)}/segments")
                if all(item["segmentId"] in self.ids.values() for item in items):
                    break
            else:
                raise Difference(f"{person.id} is still in a deleted segment: {items}")

    def _await_off(self, key):
        """Disabled, and no version answers any more."""
        for _ in range(20000):
            found = self.client.get(f"/api/v1/segments/{key}")
            if found["state"] == "Disabled" and found["liveVersion"] is None:
                return
        raise Difference(f"{key} does not become Disabled: {found}")

    # ---- Checks: who is a member now ----

    def _check(self, instant=None):
        self.instant = instant
        self.corrected = sum(is_corrected(person.events, self.oracle.now)
                             for person in self.oracle.persons.values())
        self.ceased = sum(any(event.gone <= self.oracle.now for event in person.events)
                          for person in self.oracle.persons.values())
        for key in self._live_keys():
            self._check_members(key)
        for person in self.random.sample(list(self.oracle.persons.values()),
                                         min(3, len(self.oracle.persons))):
            self._check_person(person)
        wrong = self.asked.check(self.client, self._live_keys(), id_of)
        if wrong is not None:
            raise Difference(f"asked ad hoc: {wrong}")
        key = self.random.choice(self._live_keys())
        found = self.client.get(f"/api/v1/segments/{key}/statistics")
        expected = (len(self.oracle.members(key)), len(self.oracle.persons))
        if (found["size"], found["total_users"]) != expected:
            raise Difference(f"statistics of {key}: {found}, expected {expected}")

    def _check_members(self, key):
        limit = 1000 if self.random.random() < 0.95 else 7
        items = self.client.items(f"/api/v1/segments/{key}/members", limit)
        found = {id_of(item): parse_instant(item["enteredAt"]) for item in items}
        expected = self.oracle.members(key)
        self.triples += len(self.oracle.persons)
        self._count(key)
        if len(found) != len(items):
            raise Difference(f"{key} lists somebody twice: {items}")
        if found == expected:
            return
        who = sorted(p for p in {*found, *expected} if found.get(p) != expected.get(p))
        raise Difference(self._describe(key, who[0], found.get(who[0], "no member"),
                                        expected.get(who[0], "no member")))

    def _count(self, key):
        persons = self.oracle.persons
        self.coverage.add(self.texts[key], len(persons), self.corrected)
        self.coverage.happened(f"written as {self.notations[key]}", len(persons))
        if self.instant is not None:
            self.coverage.happened(self.instant, len(persons))
        self.coverage.happened("events have ceased to exist", self.ceased)
        if self.erasures > 0:
            self.coverage.happened("an erasure", len(persons))
        if self.merges > 0:
            users = {("user", name) for name in self.oracle.links.values()}
            self.coverage.happened("a merge", len(users & persons.keys()))

    def _describe(self, key, who, found, expected):
        person = self.oracle.persons.get(who)
        name = urllib.parse.quote(who[1], safe="")
        prefix = "user_id" if who[0] == "user" else "anonymous_id"
        history = self.client.request("GET", f"/api/v1/users/{prefix}:{name}/segments/history")
        rows = [row for row in person.rows if row.segment == key] if person else None
        texts = "\n  ".join(f"{other} {what}" for other, what in self.actions
                            if other == key or f'"{other}"' in json.dumps(self.texts[key]))
        return (f"{key} at {self.oracle.now} ({write_instant(self.random, self.oracle.now, 0)})\n"
                f"  {texts}\n  of {person!r}\n  the server says {found}, the oracle {expected}\n"
                f"  rows expected {rows}\n  history {history!r}")

    def _check_person(self, person):
        items = self.client.items(f"/api/v1/users/{path_of(person)}/segments")
        keys = {self.ids[key]: key for key in self.ids}
        if person.space == "anonymous" and person.name in self.oracle.links:
            return  # that address is the user's now
        found = {keys[item["segmentId"]]: parse_instant(item["enteredAt"]) for item in items}
        if found != person.entered:
            key = min(key for key in {*found, *person.entered}
                      if found.get(key) != person.entered.get(key))
            raise Difference("listed by user: " + self._describe(
                key, person.id, found.get(key), person.entered.get(key)))
        existing = [event for event in person.events if event.exists(self.oracle.now)]
        items = self.client.items(f"/api/v1/users/{path_of(person)}/events",
                                  self.random.choice([1000, 3]))
        stored = [(parse_instant(item["time"]), item.get("messageId"), item["event"])
                  for item in items]
        wanted = [(event.time, event.message_id, event.name) for event in existing]
        order = sorted(range(len(wanted)),
                       key=lambda i: (existing[i].time, existing[i].received, i))
        if stored != [wanted[i] for i in reversed(order)]:
            raise Difference(f"events {stored}\n  of {person!r}")

    # ---- Checks: history ----

    def _compare_histories(self):
        keys = {self.ids[key]: key for key in self.ids}
        by_segment = {}
        for key in self.ids:
            limit = self.random.choice([1000, 100, 13])
            for item in self.client.items(f"/api/v1/segments/{key}/history", limit):
                by_segment.setdefault((id_of(item), key), []).append(item)
        for person in [*self.oracle.persons.values(), *self.oracle.gone]:
            by_person = {}
            linked = person.space == "anonymous" and person.name in self.oracle.links
            if not linked:
                items = self.client.items(f"/api/v1/users/{path_of(person)}/segments/history",
                                          self.random.choice([1000, 5]))
                times = [parse_instant(item["at"]) for item in items]
                if times != sorted(times):
                    raise Difference(f"history of {person.id} is not in order: {times}")
                for item in items:
                    if item["segmentId"] in self.deleted:
                        continue
                    by_person.setdefault(keys[item["segmentId"]], []).append(item)
            for key in self.ids:
                expected = [row for row in person.rows if row.segment == key]
                self._compare_rows(person, key, expected, by_segment.get((person.id, key), []))
                if not linked:
                    self._compare_rows(person, key, expected, by_person.get(key, []))

        for key in () if self.replayed else self.ids:
            self._compare_nobodys(key, by_segment.get((NOBODY, key), []))

    def _compare_nobodys(self, key, items):
        """Rows of all who were erased, without telling one from the other."""
        found = sorted((parse_instant(item["at"]), item["change"], item["cause"]) for item in items
                       if (key, parse_instant(item["at"])) not in self.amid)
        if any("messageId" in item or "eventTime" in item for item in items):
            raise Difference(f"{key} tells of events of who was erased: {items}")
        self.rows += len(found)
        rows = [row for person in self.oracle.erased for row in person.rows
                if row.segment == key and (key, row.at) not in self.amid]
        for row in sorted(rows, key=lambda row: (row.optional, row.at)):
            match = next((entry for entry in found if entry[:2] == (row.at, row.change)
                          and entry[2] in row.causes), None)
            if match is not None:
                found.remove(match)
            elif not row.optional:
                raise Difference(f"{key} lacks a row of who was erased: {row}, has {items}")
        if found:
            raise Difference(f"{key} has rows of nobody: {found}, expected {rows}")

    def _compare_rows(self, person, key, expected, items):
        self.rows += len(items)
        left = [item for item in items if (key, parse_instant(item["at"])) not in self.amid]
        expected = [row for row in expected if (key, row.at) not in self.amid]
        matches = True
        for row in expected:
            if left and self._is(row, left[0]):
                left.pop(0)
            elif not row.optional:
                matches = False
                break
        if left or not matches:
            listed = "\n    ".join(map(str, items))
            raise Difference(self._describe(key, person.id, f"rows\n    {listed}", expected))

    def _is(self, row, item):
        if (row.change, row.at) != (item["change"], parse_instant(item["at"])) or \
                item["cause"] not in row.causes:
            return False
        if item["cause"] != "event":
            return "messageId" not in item
        time = row.at if row.event_time is None else row.event_time
        if self.oracle.exists_until(time) <= self.oracle.now:  # the event is forgotten by now
            return "messageId" not in item and "eventTime" not in item
        if row.event_time is not None and parse_instant(item["eventTime"]) != row.event_time:
            return False
        return item.get("messageId") in row.message_ids

    # ---- Checks: the change stream ----

    def _streams(self, client):
        """The bodies of all pages of all partitions."""
        pages = []
        for partition in range(self.partitions):
            after = 0
            while after is not None:
                answer = client.expect(
                    200, "GET", f"/api/v1/changes?partition={partition}&after={after}&limit=1000")
                pages.append(answer.body)
                after = answer.json["next"]
        return pages

    def _journal_begins(self):
        """Whether nothing of the journal is deleted, so that all can be made from it."""
        return self.client.get("/health/ready")["parts"]["journal"]["firstPosition"] <= 1

    def _damage_checkpoint(self):
        """Flips a bit of some file that a start reads instead of the journal."""
        files = [path for path in (self.server.data / "checkpoints").iterdir()
                 if path.stat().st_size > 0]
        if files:
            path = self.random.choice(sorted(files))
            data = bytearray(path.read_bytes())
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            path.write_bytes(data)

    def _restart(self, end):
        before = self._streams(self.client)
        damage = self._journal_begins() and self.random.random() < 0.3
        # Without a checkpoint of each partition all is made again from the journal.
        part = self.client.get("/health/ready")["parts"]["checkpoints"]
        again = damage or part["neededAfter"] == 0
        end()
        if damage:
            self._damage_checkpoint()
        self.server.start()
        self._connect()
        self.restarts += 1
        self.replayed = self.replayed or bool(again and self.erasures)
        if again and self.erasures:  # what parts have lost of the erased is not there again
            self._compare_streams(self._known(before), self._known(self._streams(self.client)),
                                  end.__name__)
        else:
            self._compare_streams(before, self._streams(self.client), end.__name__)
        self._compare_follower()
        self._check(f"after {end.__name__}")

    @staticmethod
    def _known(pages):
        """Without changes of who was erased: what was theirs alone is not there again, and so
        others of one record may be counted otherwise."""
        items = [item for page in pages for item in json.loads(page)["items"]]
        known = [dict(item, id=item["id"].rsplit("-", 1)[0]) for item in items
                 if item["slot"] is None or item.get("userId") is not None
                 or "anonymousId" in item]
        return [json.dumps({"items": known})]

    @staticmethod
    def _compare_streams(before, after, what):
        if before == after:
            return
        for old, new in zip(before, after):
            for a, b in zip(json.loads(old)["items"], json.loads(new)["items"]):
                if a != b:
                    raise Difference(f"change stream after {what}: {b}, was {a}")
        raise Difference(f"change stream after {what}: {sum(map(len, after))} bytes, "
                         f"was {sum(map(len, before))}")

    def _follow(self):
        """What a second process makes of the journal, beside the server: lines by partition."""
        journal = self.client.get("/health/ready")["parts"]["journal"]
        if journal["firstPosition"] > 1:
            return None  # what lies before is deleted
        done = subprocess.run([SONNIM, "journal", "follow", "--data", str(self.server.data),
                               "--through", str(journal["position"])],
                              capture_output=True, timeout=300)
        if done.returncode != 0 or SANITIZER.search(done.stderr):
            raise Difference(f"sonnim journal follow: {done.returncode}, {done.stderr.decode()}")
        return done.stdout

    def _compare_follower(self):
        """Entry by entry, in what needs neither vault nor store."""
        followed = None if self.definitions.addresses else self._follow()
        if followed is None:
            return
        fields = ("id", "slot", "segmentNumber", "change", "at", "cause", "eventPosition")
        live = "".join(
            json.dumps({name: item.get(name) for name in fields
                        if name in item or name == "segmentNumber"}, separators=(",", ":")) + "\n"
            for page in self._streams(self.client) for item in json.loads(page)["items"])
        if self.replayed:
            live, followed = map(self._without_erased, (live, followed.decode()))
            followed = followed.encode()
        if followed != live.encode():
            for ours, theirs in itertools.zip_longest(live.splitlines(),
                                                      followed.decode().splitlines()):
                if ours != theirs:
                    raise Difference(f"a second process that follows the journal: {theirs}, "
                                     f"the server: {ours}")

    def _without_erased(self, lines):
        """Lines of a follower without those of who was erased, and without ordinals."""
        gone = {(item["id"].split("-")[0], item["slot"]) for page in self._streams(self.client)
                for item in json.loads(page)["items"]
                if item["slot"] is not None and id_of(item) == NOBODY}
        kept = []
        for line in map(json.loads, lines.splitlines()):
            partition, position, _ = line["id"].split("-")
            if (partition, line.get("slot")) not in gone:
                kept.append(json.dumps(dict(line, id=f"{partition}-{position}")) + "\n")
        return "".join(kept)

    def _compare_replays(self):
        """Live, after SIGTERM, after kill -9, replayed elsewhere without a checkpoint, and by a
        second process: the same to the byte."""
        live = self._streams(self.client)
        whole = self._journal_begins()
        self._compare_follower()
        self._restart(self.server.stop)
        self._restart(self.server.kill)
        if self.erasures:  # a damaged checkpoint may have changed what is told of the erased
            self._compare_streams(self._known(live), self._known(self._streams(self.client)),
                                  "two restarts")
            live = self._streams(self.client)
        self.server.stop()
        place = temporary_directory()
        copy_directory(self.server.directory, place)
        if whole:
            shutil.rmtree(place / "data" / "checkpoints")
        with Server(*self.server.flags, directory=place) as second:
            again = self._streams(second.client())
            self._compare_streams(*(map(self._known, (live, again)) if self.erasures
                                    else (live, again)), "replay of a copy")
        remove_directory(place)
        self.server.start()
        self._connect()
        self._compare_streams(live, self._streams(self.client), "another restart")
