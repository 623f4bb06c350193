"""The old part of the change stream is dropped: what histories say from there on is what they say
on a server that drops nothing and is told the same."""
import os
import random
import time
import unittest

from case import START
from server import Server
from test_jobs import after_run, run_now, without_night

HOUR = 3_600_000
DAY = 24 * HOUR
USERS = 40

SEGMENTS = {
    "busy": 'count("Seen") within 1d >= 2',
    "rare": 'not count("Seen") within 2d >= 1',
    "gold": 'trait(tier) = "gold"',
    "everybody": 'count("Never") >= 0',
    "turned": 'count("Seen") within 1d >= 1',
}


class Pair:
    """Two servers that are told the same; the first one drops history."""

    def __init__(self, chance):
        self.chance = chance
        shared = ("--partitions", "2", "--checkpoint-interval", "20ms", "--retention-wait", "0s")
        self.servers = [Server(*shared, "--history-retention", "3d", "--job-bandwidth", "8KiB"),
                        Server(*shared)]
        self.now = START
        self.keys = []

    def __enter__(self):
        for server in self.servers:
            server.start()
            self.keys.append(server.make_key())
        self.clients = [without_night(server) for server in self.servers]
        self.each("POST", "/api/v1/clock", {"now": self.now})
        for key, expression in SEGMENTS.items():
            self.each("POST", "/api/v1/segments",
                      {"key": key, "name": key, "expression": expression}, 201)
            self.wait_live(key)
        return self

    def __exit__(self, *error):
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.__exit__(*error)

    def each(self, method, path, body=None, status=200):
        return [client.expect(status, method, path, body) for client in self.clients]

    def wait_live(self, key):
        for client in self.clients:
            client.wait_live(key)

    def send(self, path, body):
        for client, key in zip(self.clients, self.keys):
            client.expect(200, "POST", path, body, key=key)

    def go_on(self, ms):
        self.now += ms
        self.each("POST", "/api/v1/clock", {"now": self.now})

    def act(self):
        """Something happens."""
        user, kind = f"u{self.chance.randrange(USERS)}", self.chance.random()
        if kind < 0.6:
            self.send("/v1/track", {"userId": user, "event": "Seen"})
        elif kind < 0.7:
            self.send("/v1/track", {"anonymousId": f"a{user}", "event": "Seen"})
        elif kind < 0.75:
            self.send("/v1/identify", {"userId": user, "anonymousId": f"a{user}"})
        elif kind < 0.97:
            tier = self.chance.choice(["gold", "silver"])
            self.send("/v1/identify", {"userId": user, "traits": {"tier": tier}})
        else:
            self.define()
        self.go_on(self.chance.randrange(1, HOUR))

    def define(self):
        """Definitions that hold without events come and go."""
        if self.chance.random() < 0.5:
            words = self.chance.choice(['not count("Seen") within 1d >= 1',
                                        'count("Seen") within 1d >= 1'])
            self.each("PUT", "/api/v1/segments/turned", {"expression": words})
            self.wait_live("turned")
        else:
            path = "/api/v1/segments/everybody"
            self.each("PATCH", f"{path}/status", {"active": False})
            for client in self.clients:
                while client.get(path)["liveVersion"] is not None:
                    pass
            self.go_on(self.chance.randrange(1, HOUR))
            self.each("PATCH", f"{path}/status", {"active": True})
            self.wait_live("everybody")

    def wait_checkpoints(self):
        """Only what lies before one may go: until all that may be used are of what is there."""
        client = self.clients[0]
        position = client.get("/health/ready")["parts"]["engine"]["position"]
        while client.get("/health/ready")["parts"]["checkpoints"]["neededAfter"] < position:
            for number in range(8):  # one is only made of what has changed
                self.send("/v1/track", {"userId": f"u{number}", "event": "Other"})

    def restart(self):
        """kill -9 of the one that drops."""
        self.clients[0].close()
        self.servers[0].kill()
        self.servers[0].start()
        self.clients[0] = self.servers[0].client()
        self.clients[0].set_clock(self.now)

    def kill_amidst(self, job):
        """Whether a new file was being made."""
        places, chance = self.servers[0].data / "checkpoints", self.chance.random()
        while not any(places.glob("*.next")) and not is_done(self.clients[0], job):
            pass
        time.sleep(chance * 0.05)
        amidst = any(places.glob("*.next"))
        self.restart()
        return amidst

    def begins(self):
        """By partition, when the stream of the one that drops begins; 0: at its begin."""
        found = []
        for partition in range(2):
            path = f"/api/v1/changes?partition={partition}&after=%d&limit=1"
            first = [client.get(path % 0)["items"][0] for client in self.clients]
            found.append(instant(first[0]) if first[0]["id"] != first[1]["id"] else "")
        return found

    def histories(self, side):
        """What each person's and each segment's says, by name."""
        client, found = self.clients[side], {}
        keys = {item["id"]: item["key"] for item in client.items("/api/v1/segments")}
        for key in SEGMENTS:
            found[key] = [row_of(row, keys)
                          for row in client.items(f"/api/v1/segments/{key}/history")]
        for number in range(USERS):
            answer = client.request("GET", f"/api/v1/users/u{number}/segments/history?limit=1000")
            if answer.status == 200:
                found[f"u{number}"] = [row_of(row, keys) for row in answer.json["items"]]
        return found


def is_done(client, job):
    return client.get(f"/api/v1/jobs/{job}")["state"] == "done"


def instant(row):
    return row["at"]


def row_of(row, keys):
    return (row["at"], row.get("userId") or row["anonymousId"],
            keys[row["segmentId"]], row["change"], row["cause"], row.get("messageId") is not None)


class HistoryRetention(unittest.TestCase):
    def compare(self, pair):
        """Returns how many rows were dropped."""
        begins, dropped = pair.begins(), 0
        first, last = min(begins), max(begins)
        cut, whole = pair.histories(0), pair.histories(1)
        self.assertEqual(set(cut), set(whole))
        for name, rows in whole.items():
            kept = [row for row in rows if row[0] > last]
            self.assertEqual(sorted(row for row in cut[name] if row[0] > last), sorted(kept), name)
            self.assertEqual([row for row in cut[name] if row[0] < first], [], name)
            self.assertEqual([row for row in cut[name] if row not in rows], [], name)
            dropped += len(rows) - len(cut[name])
        return dropped

    def test_what_is_left_of_a_history_is_what_it_would_be(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns() % 1_000_000))
        print(f"     SONNIM_TEST_SEED={seed}", flush=True)
        with Pair(random.Random(seed)) as pair:
            dropped, amidst = 0, 0
            for turn in range(int(os.environ.get("SONNIM_TEST_HISTORY_ROUNDS", "4"))):
                for _ in range(90):
                    pair.act()
                pair.wait_checkpoints()
                client = pair.clients[0]
                if turn % 2 == 1:
                    amidst += pair.kill_amidst(run_now(client, "retention"))
                    client = pair.clients[0]
                job = after_run(client, "retention")
                self.assertEqual(job["state"], "done", job)
                now = self.compare(pair)
                self.assertGreaterEqual(now, dropped)
                dropped = now
                if turn % 3 == 2:
                    pair.restart()
                    self.compare(pair)
            self.assertGreater(dropped, 0)
            print(f"     {dropped} rows dropped, killed {amidst} times amidst it", flush=True)
            self.assertFalse(any((pair.servers[0].data / "checkpoints").glob("*.next")))

    def test_a_consumer_holds_what_it_has_not_read_and_an_old_cursor_is_gone(self):
        with Pair(random.Random(1)) as pair:
            client = pair.clients[0]
            client.expect(200, "PUT", "/api/v1/consumers/slow", {})
            for _ in range(100):
                pair.act()
            read = client.get("/api/v1/changes?consumer=slow&limit=1")["next"]
            pair.go_on(10 * DAY)
            pair.act()
            pair.wait_checkpoints()
            for _ in range(2):
                after_run(client, "retention")
            self.assertEqual(pair.begins(), ["", ""])
            page = client.get("/api/v1/changes?consumer=slow&limit=1000")
            self.assertEqual(page["left"], 0)
            client.expect(200, "PUT", "/api/v1/consumers/slow", {"cursor": page["next"]})
            for _ in range(2):  # the first one reports
                after_run(client, "retention")
            row = next(row for row in client.get("/api/v1/retention")["items"]
                       if row["name"] == "changes")
            self.assertGreater(row["lastDrop"]["count"], 0)
            self.assertNotIn("", pair.begins())
            refused = client.request("GET", f"/api/v1/changes?cursor={read}")
            self.assertEqual((refused.status, refused.code, refused.field), (410, "GONE", "cursor"))
            refused = client.request("GET", "/api/v1/changes?partition=0&after=1")
            self.assertEqual((refused.status, refused.field), (410, "after"))
            client.get("/api/v1/changes?consumer=slow")

    def test_nothing_is_dropped_unless_it_is_asked_for(self):
        with Pair(random.Random(2)) as pair:
            for _ in range(50):
                pair.act()
            pair.go_on(400 * DAY)
            pair.act()
            job = after_run(pair.clients[1], "retention")
            things = {thing["name"]: thing for thing in job["result"]["things"]}
            self.assertEqual(things["changes"]["dropped"]["count"], 0)
            for whole, other in zip(*(pair.histories(side).values() for side in (1, 0))):
                self.assertEqual(sorted(whole), sorted(other))


if __name__ == "__main__":
    unittest.main()
