"""kill -9 at random instants under a load of changes that are audited, on one data directory, again
and again.

After each restart: every change that is there stands in the audit trail, once; so does every one
that was answered; a record whose outcome is unknown is of a request that was under way, and none is
of a request that was never sent. Each request bears a trace id of its own, by which its record is
found, and leaves a mark of its own in the data, by which the change is."""
import http.client
import random
import threading
import time
import uuid

import audit_trail
from server import Refused, Server

CHANGERS = 5
PASSWORD = "a long one that nobody knows"
LEAF = {"event": "Seen", "op": "gte", "value": 1}
DEAD = (OSError, http.client.HTTPException)


class Change:
    """One request; `kind` and `mark` say what it leaves in the data."""

    def __init__(self, kind, mark):
        self.kind = kind
        self.mark = mark
        self.trace = uuid.uuid4().hex
        self.answered = False


class Ledger:
    """All that was ever sent to the server."""

    def __init__(self):
        self.lock = threading.Lock()
        self.changes = []

    def send(self, client, change, method, path, body=None):
        """The answer; None: it was refused. What is refused has no effect."""
        with self.lock:
            self.changes.append(change)
        headers = {"traceparent": f"00-{change.trace}-{uuid.uuid4().hex[:16]}-01"}
        answer = client.request(method, path, body, headers)
        if answer.status in (409, 412, 429, 503):
            return None
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer!r}")
        change.answered = True
        return answer


class Changer(threading.Thread):
    """Changes one thing after another until the server is gone."""

    def __init__(self, server, ledger, number, seed):
        super().__init__(daemon=True)
        self.client = server.client()
        self.ledger = ledger
        self.name = f"changer-{number}"
        self.random = random.Random(seed)
        self.tokens = []
        self.segment = None
        self.sent = 0
        self.failure = None

    def run(self):
        try:
            while True:
                self.random.choice([self.make_token, self.make_token, self.remove_token,
                                    self.set_role, self.set_role, self.define, self.define,
                                    self.classify, self.ask_privacy])()
                self.sent += 1
        except DEAD:
            pass
        except Exception as failure:  # noqa: BLE001 - told by the main thread
            self.failure = failure
        finally:
            self.client.close()

    def send(self, kind, method, path, body=None, mark=None):
        change = Change(kind, mark or uuid.uuid4().hex)
        if callable(body):
            body = body(change.mark)
        return self.ledger.send(self.client, change, method, path, body)

    def make_token(self):
        answer = self.send("token", "POST", "/api/v1/tokens",
                           lambda mark: {"name": mark, "scopes": ["segment.read"]})
        if answer is not None:
            self.tokens.append(answer.json["id"])

    def remove_token(self):
        if self.tokens:
            made = self.tokens.pop()
            self.send("no token", "DELETE", f"/api/v1/tokens/{made}", mark=made)

    def set_role(self):
        self.send("role", "PUT", f"/api/v1/roles/{self.name}",
                  lambda mark: {"description": mark, "permissions": ["segment.read"]})

    def define(self):
        if self.segment is None:
            answer = self.send("segment", "POST", "/api/v1/segments",
                               lambda mark: {"name": mark, "expression": LEAF})
            self.segment = answer and answer.json["id"]
        else:
            self.send("segment", "PUT", f"/api/v1/segments/{self.segment}",
                      lambda mark: {"name": mark, "expression": LEAF})

    def classify(self):
        self.send("class", "PUT", "/api/v1/classification", lambda mark: {
            "classes": [{"place": "traits", "name": mark, "class": "personal"}]})

    def ask_privacy(self):
        self.send("privacy", "POST", "/api/v1/privacy/requests", lambda mark: {
            "type": "SUPPRESS_ONLY", "reason": mark, "subjects": [{"userId": mark}]})


class Login(threading.Thread):
    """Logs in again and again."""

    def __init__(self, server, ledger, email):
        super().__init__(daemon=True)
        self.client = server.client()
        self.ledger = ledger
        self.email = email
        self.failure = None

    def run(self):
        try:
            while True:
                self.ledger.send(self.client, Change("login", None), "POST", "/api/v1/auth/login",
                                 {"email": self.email, "password": PASSWORD})
        except DEAD:
            pass
        except Exception as failure:  # noqa: BLE001 - told by the main thread
            self.failure = failure
        finally:
            self.client.close()


class AuditCrash:
    def __init__(self, seed, rounds):
        self.random = random.Random(seed)
        self.rounds = rounds
        self.server = Server(clock="wall")
        self.ledger = Ledger()
        self.unknown = 0

    def run(self):
        with self.server:
            self.person = self.make_person()
            for _ in range(self.rounds):
                self.load()
                self.server.start()
                self.check()
            self.server.stop()
        if self.unknown == 0:
            raise Refused("no kill has hit a request: the test shows nothing")
        print(f"     {len(self.ledger.changes)} changes, {self.unknown} of unknown outcome",
              flush=True)

    def make_person(self):
        client = self.server.client()
        answer = client.expect(201, "POST", "/api/v1/people", {
            "email": "crash@example.com", "name": "Crash", "password": PASSWORD,
            "roles": ["viewer"]})
        client.close()
        return answer.json["id"]

    def load(self):
        seeds = [self.random.randrange(10**9) for _ in range(CHANGERS)]
        threads = [Changer(self.server, self.ledger, number, seed)
                   for number, seed in enumerate(seeds)]
        threads.append(Login(self.server, self.ledger, "crash@example.com"))
        for thread in threads:
            thread.start()
        while sum(t.sent for t in threads[:-1]) < 20 and any(t.is_alive() for t in threads):
            time.sleep(0.001)
        time.sleep(self.random.random() * 0.05)
        self.server.kill()
        for thread in threads:
            thread.join()
            if thread.failure is not None:
                raise thread.failure

    def present(self):
        """What is in the data: {kind: marks}."""
        client = self.server.client()
        tokens = client.items("/api/v1/tokens")
        names = {t["id"]: t["name"] for t in tokens}
        found = {
            "token": set(names.values()),
            "no token": {c.mark for c in self.ledger.changes
                         if c.kind == "no token" and c.mark not in names},
            "role": {r["description"] for r in client.items("/api/v1/roles")},
            "segment": {s["name"] for s in client.items("/api/v1/segments")},
            "class": {c["name"] for c in client.get("/api/v1/classification")["classes"]},
            "privacy": {r["reason"] for r in client.items("/api/v1/privacy/requests")},
            "login": set()}
        sessions = client.items(f"/api/v1/people/{self.person}/sessions")
        client.close()
        return found, {s["id"] for s in sessions}

    def check(self):
        found, sessions = self.present()
        records = audit_trail.chain(self.server.data)
        by_trace = {}
        for record in records:
            by_trace.setdefault(record["traceId"], []).append(record)
        calls = [r["call"] for r in records if "call" in r]
        if len(calls) != len(set(calls)):
            raise Refused("a call stands in the trail twice")
        for change in self.ledger.changes:
            self.check_change(change, by_trace.get(change.trace, []), found[change.kind])
        targets = {r.get("target") for r in records if r["action"] == "auth.login"}
        if not sessions <= targets:
            raise Refused(f"sessions without a record: {sessions - targets}")
        unknown = [r for r in records if r.get("outcome") == "unknown"]
        for record in unknown:
            if "begun" not in record["details"] or "status" in record:
                raise Refused(f"not what an unknown outcome looks like: {record}")
        self.unknown = len(unknown)

    @staticmethod
    def check_change(change, records, marks):
        name = f"{change.kind} {change.mark} (trace {change.trace})"
        if len(records) > 1:
            raise Refused(f"{name} stands in the trail {len(records)} times: {records}")
        if not records and (change.answered or change.mark in marks):
            raise Refused(f"{name} was made and stands in no record")
        if records and change.answered and "outcome" in records[0]:
            raise Refused(f"{name} was answered, and its outcome is unknown: {records[0]}")


def run(seed, rounds):
    AuditCrash(seed, rounds).run()
