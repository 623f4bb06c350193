"""A live audience is a row of its own and a segment: after kill -9 at any point there are both or
neither, and they say the same."""
import http.client
import os
import random
import threading
import time

from audience import AudienceCase
from case import START
from faults import Faults
from server import Server, remove_directory, temporary_directory

ROUNDS = int(os.environ.get("SONNIM_TEST_ROUNDS", "12"))
DEAD = (OSError, http.client.HTTPException)


class Killed(AudienceCase):
    @classmethod
    def setUpClass(cls):
        cls.place = temporary_directory()
        cls.addClassCleanup(remove_directory, cls.place)
        cls.faults = Faults(cls.place)
        cls.server = Server("--partitions", "2", directory=cls.place)
        cls.addClassCleanup(cls._end)
        cls.server.start(env=cls.faults.environment)
        client = cls.server.client()
        client.set_clock(START)
        client.close()

    def restart(self):
        self.client.close()
        self.server.kill()
        self.faults.kill_at_store_write(0)
        self.server.start(env=self.faults.environment)
        self.client = self.server.client()
        self.addCleanup(self.client.close)

    def check(self):
        """What there is, once it was found to agree: name by audience."""
        audiences = self.client.items("/api/v1/audiences", limit=100)
        segments = {s["id"]: s for s in self.client.items("/api/v1/segments", limit=1000)}
        live = [a for a in audiences if a["kind"] == "live"]
        self.assertEqual(sorted(a["segment"]["id"] for a in live), sorted(segments))
        for audience in live:
            segment = segments[audience["segment"]["id"]]
            self.assertEqual(audience["name"], segment["name"])
            self.assertEqual(audience["expression"], segment["expression"])
            self.client.wait_live(segment["id"])
            self.assertEqual(self.saved(audience["id"])["version"],
                             len(self.client.get(f"/api/v1/audiences/{audience['id']}/versions")
                                 ["items"]))
        return {a["id"]: a["name"] for a in audiences}

    def at_every_write(self, ask):
        """Killed before the store's first write of what is asked, its second and so on, until it
        is through. `ask` gives method, path and body anew each time; None: nothing is left."""
        for number in range(1, 200):
            asked = ask()
            if asked is None:
                return number
            self.faults.kill_at_store_write(number)
            try:
                status = self.client.request(*asked).status
            except DEAD:
                self.restart()
                self.check()
                continue
            self.faults.kill_at_store_write(0)
            self.assertIn(status, (200, 201, 204))
            try:
                self.check()
            except DEAD:  # behind the answer, where it went live
                self.restart()
                self.check()
            return number
        raise AssertionError("it never gets through")

    def test_at_every_write_of_the_store_both_are_there_or_neither(self):
        deaths = self.at_every_write(lambda: (
            "POST", "/api/v1/audiences", {"name": "제주 VIP", "expression": 'count("A") >= 1'}))
        self.assertGreater(deaths, 2)  # a transaction writes more than once
        saved = next(iter(self.check()))
        path = f"/api/v1/audiences/{saved}"
        tries = iter(range(1, 1000))

        def change():
            number = next(tries)
            return "PUT", path, {"name": f"change {number}",
                                 "expression": f'count("A") >= {number + 1}'}

        self.assertGreater(self.at_every_write(change), 2)
        self.assertGreater(self.at_every_write(
            lambda: ("PUT", path, {"name": f"renamed {next(tries)}"})), 2)
        self.at_every_write(lambda: ("DELETE", path) if saved in self.check() else None)
        self.assertNotIn(saved, self.check())

    def load(self, seed, acknowledged):
        draw = random.Random(seed)
        client = self.server.client()
        try:
            while True:
                mine = [a for a, name in acknowledged.items() if name is not None]
                way = draw.choice(("create", "create", "change", "delete"))
                if way == "create" or not mine:
                    answer = client.request("POST", "/api/v1/audiences", {
                        "name": f"n{draw.randrange(10**6)}",
                        "kind": draw.choice(("live", "live", "snapshot")),
                        "expression": f'count("B") >= {draw.randrange(1, 50)}'})
                    acknowledged[answer.json["id"]] = answer.json["name"]
                    continue
                audience = draw.choice(mine)
                acknowledged[audience] = None  # unknown until it is answered
                if way == "change":
                    answer = client.request("PUT", f"/api/v1/audiences/{audience}", {
                        "name": f"n{draw.randrange(10**6)}",
                        "expression": f'count("B") >= {draw.randrange(1, 50)}'})
                    acknowledged[audience] = answer.json["name"]
                else:
                    client.request("DELETE", f"/api/v1/audiences/{audience}")
        except DEAD:
            pass
        except (KeyError, ValueError):
            pass  # 503: it is about to end
        finally:
            client.close()

    def test_at_random_instants_both_are_there_or_neither(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED") or random.randrange(1 << 31))
        print(f"audience crash: SONNIM_TEST_SEED={seed}", flush=True)
        draw = random.Random(seed)
        for _ in range(ROUNDS):
            acknowledged = {}
            thread = threading.Thread(target=self.load,
                                      args=(draw.randrange(1 << 31), acknowledged))
            thread.start()
            time.sleep(0.02 + 0.3 * draw.random())
            self.server.kill()
            thread.join(300)
            self.restart()
            found = self.check()
            for audience, name in acknowledged.items():
                if name is not None:
                    self.assertEqual(found.get(audience), name)
            for audience in found:  # room for the next ones
                self.client.expect(204, "DELETE", f"/api/v1/audiences/{audience}")
            self.assertEqual(self.check(), {})
