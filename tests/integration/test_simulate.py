"""`sonnim simulate` against a server: what it sends is taken whole, counts once, and moves what
depends on time."""
import collections
import json
import os
import subprocess
import unittest

from server import SONNIM, Server

START = "2026-03-09T00:00:00Z"
START_MS = 1_773_014_400_000
DAY = 86_400_000


def messages_of(*flags):
    """What --dry-run prints, in the order in which it is sent."""
    done = subprocess.run([SONNIM, "simulate", "--dry-run", *flags], capture_output=True,
                          timeout=300, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_user(messages):
    """The track events of each user, without repeats and those of visitors not known yet."""
    seen, events = set(), collections.defaultdict(list)
    for message in messages:
        if message["messageId"] in seen or message["type"] != "track":
            continue
        seen.add(message["messageId"])
        if "userId" in message:
            events[message["userId"]].append(message)
    return events


class Simulate(unittest.TestCase):
    def setUp(self):
        self.server = Server("--partitions", "3", clock="manual")
        self.addCleanup(self.server.__exit__, None, None, None)
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.client.set_clock(START_MS)

    def simulate(self, *flags, code=0):
        done = subprocess.run(
            [SONNIM, "simulate", "--json", *flags], capture_output=True, text=True, timeout=300,
            check=False, env={**os.environ, "SONNIM_URL": f"http://{self.server.address}",
                              "SONNIM_TOKEN": self.server.token})
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if code == 0 else done.stderr

    def make(self, key, expression):
        self.client.expect(201, "POST", "/api/v1/segments",
                           {"key": key, "name": key, "expression": expression})
        self.client.wait_live(key)

    def members(self, key):
        return {item.get("userId") for item in self.client.items(f"/api/v1/segments/{key}/members")}

    def test_the_funnel_has_as_many_of_each_step_as_users(self):
        for key, event in (("clicked", "Activity Clicked"), ("entered", "Activity Entered"),
                           ("bought", "Order Completed")):
            self.make(key, {"event": event, "op": "eq", "value": 1})
        self.make("of-activity", {"event": "Order Completed", "op": "gte", "value": 1, "where":
                                  {"property": "activity_id", "op": "eq", "value": 7}})
        self.make("with-traits", {"and": [{"trait": "email", "op": "exists"},
                                          {"trait": "membership_tier", "op": "exists"},
                                          {"trait": "birthday", "op": "exists"}]})
        told = self.simulate("--scenario", "funnel", "--users", "60", "--activity", "7", "--start",
                             START, "--move-clock")
        self.assertEqual(told["rejected"], 0)
        everybody = {f"shopper-{number:05}" for number in range(60)}
        for key in ("clicked", "entered", "bought", "of-activity", "with-traits"):
            self.assertEqual(self.members(key), everybody, key)

    def test_what_is_sent_twice_or_late_arrives_once_at_its_own_time(self):
        flags = ("--shape", "travel", "--users", "40", "--rate", "1", "--flat", "--start", START,
                 "--duration", "1h", "--speed", "0", "--late-per-mille", "100",
                 "--duplicates-per-mille", "200")
        messages = messages_of(*flags)
        self.simulate(*flags, "--move-clock")
        expected = by_user(messages)
        self.assertGreater(len(expected), 10)
        self.assertGreater(len(messages), 1.1 * len({m["messageId"] for m in messages}))
        for user, sent in expected.items():
            stored = self.client.items(f"/api/v1/users/{user}/events")
            of_user = {event["messageId"]: event for event in stored}
            self.assertEqual(len(of_user), len(stored), f"{user}: doubled")
            for message in sent:
                self.assertEqual(of_user[message["messageId"]]["event"], message["event"])

    def test_travelling_in_time_lets_windows_end(self):
        self.make("new", {"event": "Order Completed", "within": "1d", "op": "gte", "value": 1})
        self.make("ever", {"event": "Order Completed", "op": "gte", "value": 1})
        self.simulate("--scenario", "time-travel", "--users", "30", "--rate", "1", "--flat",
                      "--start", START, "--duration", "2h")
        ever = self.members("ever")
        self.assertTrue(ever)
        self.assertEqual(self.members("new"), ever)
        # Nobody comes any more, only the clock goes on.
        self.client.set_clock(START_MS + 3 * DAY)
        self.assertEqual(self.members("new"), set())
        self.assertEqual(self.members("ever"), ever)

    def test_the_clock_of_a_server_never_goes_back(self):
        self.client.set_clock(START_MS + DAY)
        told = self.simulate("--scenario", "funnel", "--users", "2", "--start", START,
                             "--move-clock", code=1)
        self.assertIn("simulate", told)


if __name__ == "__main__":
    unittest.main()
