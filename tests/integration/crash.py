"""kill -9 at random instants under load, on one data directory, again and again.

After each restart: what was acknowledged is there, each event exactly once; what was not is there
once or not at all, and once for certain after it was sent again; a trait is what was acknowledged
last, or something sent later; every segment that was acknowledged is there and becomes Live; and
everybody's memberships are what the oracle computes from the events and traits that are present.

Under the wall clock: each answer says at which instant it holds."""
import http.client
import json
import random
import shutil
import sys
import threading
import time
import urllib.parse

from server import (ROOT, Refused, Server, copy_directory, remove_directory,
                    temporary_directory)

sys.path.insert(0, str(ROOT / "tests" / "differential"))

from evaluate import compile_expression  # noqa: E402
from oracle import Person  # noqa: E402
from values import DAY, Event, parse_instant  # noqa: E402

RETENTION = 1096 * DAY
CLIENTS = 4
PARTITIONS = 4
USERS_A_ROUND = 2  # new ones, for each client

DEFINITIONS = [
    {"event": "Bought", "within": "60s", "op": "gte", "value": 3},
    {"event": "Bought", "aggregate": "sum", "property": "revenue", "op": "gte", "value": 30},
    {"event": "Seen", "op": "eq", "value": 0},
    {"and": [{"event": "*", "op": "gte", "value": 4}, {"not": {"trait": "step", "op": "gt",
                                                               "value": 2}}]},
    {"event": "Bought", "where": {"property": "region", "op": "in", "value": ["제주", "부산"]},
     "within": "1095d", "op": "in", "value": [1, 2, 5]},
    {"or": [{"event": "Seen", "until": "60s", "op": "gte", "value": 1},
            {"trait": "step", "op": "absent"}]},
]


class User:
    """Used by one client, so that it knows the order of what it sent."""

    def __init__(self, name):
        self.name = name
        self.acknowledged = set()  # message ids
        self.sent = {}             # message id: message
        self.step = 0              # of the trait: the last one sent
        self.step_acknowledged = 0


class Load(threading.Thread):
    """Sends until the server is gone."""

    def __init__(self, address, key, users, seed):
        super().__init__(daemon=True)
        self.connection = None
        self.address = address
        self.key = key
        self.users = users
        self.random = random.Random(seed)
        self.requests = 0
        self.failure = None

    def run(self):
        try:
            while True:
                self._send()
                self.requests += 1
        except (OSError, http.client.HTTPException):
            pass  # killed
        except Exception as failure:  # noqa: BLE001 - told by the main thread
            self.failure = failure

    def _post(self, path, body):
        if self.connection is None:
            host, port = self.address.rsplit(":", 1)
            self.connection = http.client.HTTPConnection(host, int(port), timeout=300)
        self.connection.request("POST", path, json.dumps(dict(body, writeKey=self.key)),
                                {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status == 503:
            raise ConnectionError("it stops")
        if answer.status != 200 or b"rejected" in data:
            raise Refused(f"{path}: {answer.status} {data[:500]}")

    def _event(self, user):
        message = {"type": "track", "userId": user.name,
                   "messageId": f"{user.name}/{len(user.sent)}",
                   "event": self.random.choice(["Bought", "Bought", "Seen"]),
                   "properties": {"revenue": self.random.choice([5, 10, 0.1, -5]),
                                  "region": self.random.choice(["제주", "부산", "Seoul"])}}
        user.sent[message["messageId"]] = message
        return message

    def _send(self):
        user = self.random.choice(self.users)
        kind = self.random.random()
        if kind < 0.4:
            message = self._event(user)
            self._post("/v1/track", message)
            user.acknowledged.add(message["messageId"])
        elif kind < 0.6:
            user.step += 1
            self._post("/v1/identify", {"userId": user.name, "traits": {"step": user.step},
                                        "messageId": f"{user.name}/step/{user.step}"})
            user.step_acknowledged = user.step
        else:
            batch = [(other, self._event(other)) for other in self.users
                     for _ in range(self.random.choice([1, 1, 3]))]
            self._post("/v1/batch", {"batch": [message for _, message in batch]})
            for other, message in batch:
                other.acknowledged.add(message["messageId"])


class Definer(threading.Thread):
    """Creates a segment meanwhile, and edits another."""

    def __init__(self, server, key, seed):
        super().__init__(daemon=True)
        self.client = server.client()
        self.key = key
        self.random = random.Random(seed)
        self.created = None  # the expression, once acknowledged
        self.failure = None

    def run(self):
        expression = self.random.choice(DEFINITIONS)
        try:
            time.sleep(self.random.random() * 0.2)
            answer = self.client.request("POST", "/api/v1/segments",
                                         {"key": self.key, "name": self.key,
                                          "expression": expression})
            if answer.status == 201:
                self.created = expression
            elif answer.status != 503:
                self.failure = Refused(repr(answer))
        except (OSError, http.client.HTTPException):
            pass


class Crash:
    def __init__(self, seed, rounds):
        self.random = random.Random(seed)
        self.rounds = rounds
        self.users = {}
        self.expressions = {}  # key: expression, of acknowledged segments
        self.compared = 0
        self.lost = 0          # events sent, not acknowledged and not there

    def run(self):
        server = Server("--partitions", str(PARTITIONS), "--journal-file-bytes", "1MiB",
                        "--checkpoint-interval", "20ms", clock="wall")
        with server:
            server.make_key()
            for number in range(self.rounds):
                touched = self._round(server, number)
                if self.random.random() < 0.3:  # and again, while it starts
                    server.spawn()
                    time.sleep(self.random.random() * 0.15)
                    server.kill()
                server.start()
                everybody = number % 10 == 9 or number == self.rounds - 1
                self._verify(server, list(self.users.values()) if everybody else touched)
            self._compare_replay(server)

    def _round(self, server, number):
        seconds = 0.02 + 0.4 * self.random.random() ** 2
        loads, touched = [], []
        old = self.random.sample(list(self.users.values()), min(len(self.users), 8))
        for i in range(CLIENTS):
            users = [User(f"r{number}-c{i}-u{j}") for j in range(USERS_A_ROUND)] + old[i::CLIENTS]
            touched += users
            loads.append(Load(server.address, server.write_key, users,
                              self.random.randrange(2**32)))
        self.users.update((user.name, user) for user in touched)
        definer = Definer(server, f"segment-{number}", self.random.randrange(2**32))
        threads = [*loads, definer] if len(self.expressions) < 24 else loads
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        server.kill()
        for thread in threads:
            thread.join(300)
            if thread.is_alive():
                raise Refused("a client hangs")
            if thread.failure is not None:
                raise thread.failure
        if definer.created is not None:
            self.expressions[definer.key] = definer.created
        return touched

    # ---- After all of them ----

    @staticmethod
    def _changes(server):
        """The change stream, by partition."""
        client = server.client()
        streams = []
        for partition in range(PARTITIONS):
            items, after = [], 0
            while after is not None:
                page = client.get(
                    f"/api/v1/changes?partition={partition}&after={after}&limit=1000")
                items += page["items"]
                after = page["next"]
            streams.append(items)
        client.close()
        return streams

    def _compare_replay(self, server):
        """The stream over all these restarts begins that of a start without any checkpoint, which
        may go on: it is later then."""
        kept = self._changes(server)
        server.kill()
        place = temporary_directory()
        copy_directory(server.directory, place)
        shutil.rmtree(place / "data" / "checkpoints")
        with Server(*server.flags, directory=place, clock="wall") as second:
            replayed = self._changes(second)
        remove_directory(place)
        server.start()
        for ours, theirs in zip(kept, replayed):
            if ours != theirs[:len(ours)]:
                first = next(i for i, item in enumerate(ours) if theirs[i:i + 1] != [item])
                raise Refused(f"change {first}: {ours[first]}, replayed {theirs[first:first + 1]}")

    # ---- After the restart ----

    def _verify(self, server, users):
        client = server.client()
        self._send_again(server, client, users)
        for key in self.expressions:
            client.wait_live(key)
        persons = {}
        for user in users:
            persons[user.name] = self._present(client, user)
        for key, expression in self.expressions.items():
            self._verify_members(client, key, expression, persons)
        client.close()

    def _send_again(self, server, client, users):
        """As SDKs do; sometimes not at once."""
        if self.random.random() < 0.3:
            return
        for user in users:
            left = [message for message_id, message in user.sent.items()
                    if message_id not in user.acknowledged]
            known = [user.sent[message_id] for message_id in
                     self.random.sample(sorted(user.acknowledged), min(3, len(user.acknowledged)))]
            if left or known:
                client.expect(200, "POST", "/v1/batch", {"batch": left + known},
                              key=server.write_key)
                user.acknowledged.update(message["messageId"] for message in left)

    def _present(self, client, user):
        """The person as the server has it."""
        path = f"/api/v1/users/{urllib.parse.quote(user.name, safe='')}"
        answer = client.request("GET", f"{path}/profile")
        if answer.status == 404 and not user.acknowledged and not user.step_acknowledged:
            return None
        if answer.status != 200:
            raise Refused(f"{user.name}: {answer!r}")
        profile = answer.json
        items = client.items(f"{path}/events")
        ids = [item["messageId"] for item in items]
        missing = user.acknowledged - set(ids)
        if missing or len(set(ids)) != len(ids) or not set(ids) <= set(user.sent):
            raise Refused(f"{user.name}: events {sorted(ids)}, missing {sorted(missing)}")
        self.lost += len(user.sent) - len(ids)
        step = profile["attributes"].get("step", 0)
        if not user.step_acknowledged <= step <= user.step:
            raise Refused(f"{user.name}: step {step}, acknowledged {user.step_acknowledged}, "
                          f"sent {user.step}")
        user.step_acknowledged = step
        person = Person("user", user.name, parse_instant(profile["createdAt"]))
        person.traits = profile["attributes"]
        for item in items:
            time_ms = parse_instant(item["time"])
            if item["properties"] != user.sent[item["messageId"]]["properties"]:
                raise Refused(f"{item}, sent {user.sent[item['messageId']]}")
            person.events.append(Event(item["event"], item["properties"], {}, time_ms,
                                       parse_instant(item["receivedAt"]),
                                       time_ms // DAY * DAY + RETENTION, item["messageId"]))
        return person

    def _verify_members(self, client, key, expression, persons):
        node = compile_expression(expression, None)
        listed = {}
        cursor, first = "", None
        while cursor is not None:
            page = client.get(f"/api/v1/segments/{key}/members?limit=1000"
                              + (f"&cursor={cursor}" if cursor else ""))
            as_of = parse_instant(page["as_of"])
            first = as_of if first is None else first
            listed.update((item["userId"], (as_of, item["enteredAt"])) for item in page["items"])
            cursor = page["next"]
        for name, person in persons.items():
            if person is None:
                continue
            self.compared += 1
            before = node.holds(person, first)
            if before != node.holds(person, listed.get(name, (as_of,))[0]):
                continue  # it changes between the first page and the last
            if before != (name in listed):
                raise Refused(f"{key} {expression} at {first}: the server says {name in listed} "
                              f"of {person!r}")


def run(seed, rounds):
    crash = Crash(seed, rounds)
    crash.run()
    sent = sum(len(user.sent) for user in crash.users.values())
    print(f"     {rounds} times killed: {sent} events of "
          f"{len(crash.users)} users sent, {len(crash.expressions)} segments, {crash.compared} "
          f"memberships compared, {crash.lost} unacknowledged events not there when looked for")
