"""Backfills: what is built from stored events is a job that can be watched, also over kill -9."""
import os
import random
import time

from case import ServerCase


def jobs_of(client, segment):
    """The backfills that brought versions of this segment, the newest first."""
    return [job for job in client.items("/api/v1/jobs?kind=backfill")
            if segment in [brought["id"] for brought in job["params"]["segments"]]]


def ended(client, segment, count=1):
    """The same once the newest has ended: it does right after the segment became live."""
    while True:
        jobs = jobs_of(client, segment)
        if len(jobs) == count and all(job["finishedAt"] for job in jobs):
            return jobs
        time.sleep(0.005)


def wish(key, value):
    return {"key": key, "name": key, "expression": {"event": "Seen", "op": "gte", "value": value}}


class Backfills(ServerCase):
    def make(self, key, **rest):
        made = self.client.expect(201, "POST", "/api/v1/segments", {**wish(key, 1), **rest}).json
        self.client.wait_live(key)
        return made["id"]

    def test_every_version_that_is_built_is_a_job(self):
        segment = self.make("versions")
        job, = ended(self.client, segment)
        self.assertEqual((job["state"], job["askedBy"], job["progress"]["done"],
                          job["progress"]["total"], job["progress"]["unit"]),
                         ("done", "definition", 1000, 1000, "per mille"))
        self.assertEqual(job["params"]["segments"], [{"id": segment, "version": 1}])
        self.client.expect(200, "PUT", "/api/v1/segments/versions", wish("versions", 2))
        self.client.wait_live("versions", 2)
        newest, first = ended(self.client, segment, 2)
        self.assertEqual(newest["params"]["segments"], [{"id": segment, "version": 2}])
        self.assertEqual(first["id"], job["id"])

    def test_what_is_derived_is_counted_and_what_is_only_switched_off_is_no_backfill(self):
        base = self.make("base")
        derived = self.make("derived", expression={"segment": "base"})
        self.client.expect(200, "PUT", "/api/v1/segments/base", wish("base", 2))
        self.client.wait_live("base", 2)
        job = ended(self.client, base, 2)[0]
        self.assertEqual((len(job["params"]["segments"]), job["params"]["derived"]), (1, 1))
        self.client.expect(200, "PATCH", "/api/v1/segments/derived/status", {"active": False})
        self.client.expect(204, "DELETE", "/api/v1/segments/derived")
        self.make("after")
        self.assertEqual(len(jobs_of(self.client, derived)), 1)

    def test_nobody_adds_or_retries_one(self):
        job, = ended(self.client, self.make("hands-off"))
        path = f"/api/v1/jobs/{job['id']}"
        self.refused(self.client.request("POST", path + "/cancel"), 409, "CONFLICT")
        self.refused(self.client.request("POST", path + "/retry"), 409, "CONFLICT")
        self.refused(self.client.request("PUT", "/api/v1/schedules/b",
                                         {"kind": "backfill", "cron": "* * * * *"}),
                     400, "VALIDATION_ERROR", "kind")


class Killed(ServerCase):
    """kill -9 amidst backfills."""
    flags = ("--partitions", "1")
    people = 40000

    def setUp(self):
        super().setUp()
        for at in range(0, self.people, 5000):
            self.client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": "track", "userId": f"u{i}", "event": "Seen", "messageId": f"m{i}"}
                for i in range(at, at + 5000)]}, key=self.key)

    def test_a_backfill_goes_on_after_kill_9_and_is_one_job(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns()))
        print(f"     SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        kills = int(os.environ.get("SONNIM_TEST_KILLS", "8"))
        made, amidst = [], 0
        for kill in range(kills):
            for i in range(chance.randrange(1, 4)):
                key = f"k{kill}-{i}"
                made.append((key, self.client.expect(201, "POST", "/api/v1/segments",
                                                     wish(key, 1 + i)).json["id"]))
            time.sleep(chance.random() ** 2 * 0.03)
            self.client.close()
            self.server.kill()
            self.server.start()
            self.client = self.server.client()
            self.addCleanup(self.client.close)
            amidst += any(job["attempt"] > 1
                          for job in self.client.items("/api/v1/jobs?kind=backfill")[:2])
            for key, segment in made:
                self.client.wait_live(key)
                job, = ended(self.client, segment)
                self.assertEqual(job["state"], "done")
                self.assertIn(job["progress"]["done"], (1000, 0))  # 0: killed before it told
        self.assertEqual(self.client.items("/api/v1/jobs?kind=backfill&state=running"), [])
        self.assertEqual(self.client.get("/api/v1/segments/k0-0/statistics")["size"],
                         self.people)
        print(f"     killed {amidst} times amidst a backfill")
