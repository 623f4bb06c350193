"""Backfills: what is built from stored events is a job that can be watched, also over kill -9."""
import os
import random
import shutil
import time

from case import ServerCase
from server import Server, copy_directory, remove_directory, temporary_directory


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


class Crowd(ServerCase):
    """So many persons that a backfill takes a while."""
    people = 40000

    def setUp(self):
        super().setUp()
        for at in range(0, self.people, 5000):
            self.client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": "track", "userId": f"u{i}", "event": "Seen", "messageId": f"m{i}",
                 "properties": {"n": i % 100}}
                for i in range(at, at + 5000)]}, key=self.key)

    def restart(self):
        self.client.close()
        self.server.kill()
        self.server.start()
        self.client = self.server.client()
        self.addCleanup(self.client.close)


class Cancelled(Crowd):
    """Changes that are abandoned while they are built."""
    tries = 30

    def slow(self, least, leaves=120):
        """Holds for everybody, once enough leaves of it are read."""
        return {"or": [{"event": "Seen", "where": {"property": "n", "op": "gt", "value": i},
                        "aggregate": "sum", "property": "n", "op": "gte", "value": least + i}
                       for i in range(leaves)] + [{"event": "Seen", "op": "gte", "value": 1}]}

    def job_of(self, segment, version):
        """The backfill that brings this version, once there is one."""
        brought = {"id": segment, "version": version}
        while True:
            for job in jobs_of(self.client, segment):
                if brought in job["params"]["segments"]:
                    return job["id"]
            time.sleep(0.002)

    def cancel(self, made):
        """The job of this version, cancelled while it runs; None: it has ended before."""
        job = self.job_of(made["id"], made["version"])
        answer = self.client.request("POST", f"/api/v1/jobs/{job}/cancel")
        if answer.status == 409:
            self.refused(answer, 409, "CONFLICT")
            return None
        self.assertEqual(answer.status, 200, answer)
        return job

    def await_end(self, job):
        while True:
            found = self.client.get(f"/api/v1/jobs/{job}")
            if found["finishedAt"]:
                return found
            time.sleep(0.005)

    def cancelled(self, change):
        """`change(number)` begins a backfill, and gives what is wanted back and the segment as it
        was answered; tried until one is cancelled amidst it."""
        for number in range(self.tries):
            wanted, made = change(number)
            job = self.cancel(made)
            if job is not None:
                self.assertEqual(self.await_end(job)["state"], "cancelled")
                return wanted, job
            # What is defined while another one's runs may be built along with it.
            self.client.wait_live(made["key"])
        self.fail("never amidst a backfill")

    def changes(self, server=None):
        client = (server or self.server).client()
        streams = []
        for partition in range(3):
            streams.append([])
            after = 0
            while after is not None:
                page = client.get(f"/api/v1/changes?partition={partition}&after={after}"
                                  "&limit=1000")
                streams[-1] += page["items"]
                after = page["next"]
        client.close()
        return streams

    def check_replay(self):
        """The stream is the same behind a kill, and again from the journal alone."""
        kept = self.changes()
        self.restart()
        self.assertEqual(self.changes(), kept)
        place = temporary_directory()
        self.server.kill()
        copy_directory(self.server.directory, place)
        shutil.rmtree(place / "data" / "checkpoints")
        with Server(*self.server.flags, directory=place, clock=self.clock) as second:
            self.assertEqual(self.changes(second), kept)
        remove_directory(place)
        self.restart()

    def test_a_first_definition_is_disabled_and_can_be_enabled(self):
        def define(number):
            made = self.make_segment(f"first{number}", self.slow(number), live=False)
            return made["key"], made
        key, job = self.cancelled(define)
        found = self.client.get(f"/api/v1/segments/{key}")
        self.assertEqual((found["state"], found["active"], found["version"],
                          found["liveVersion"]), ("Disabled", False, 1, None))
        self.refused(self.client.request("POST", f"/api/v1/jobs/{job}/retry"), 409, "CONFLICT")
        self.client.expect(200, "POST", f"/api/v1/jobs/{job}/cancel")
        self.check_replay()
        self.assertEqual(self.client.get(f"/api/v1/segments/{key}")["state"], "Disabled")
        self.assertEqual(self.client.get(f"/api/v1/jobs/{job}")["state"], "cancelled")
        self.client.expect(200, "PATCH", f"/api/v1/segments/{key}/status", {"active": True})
        self.client.wait_live(key)
        self.assertEqual(self.client.get(f"/api/v1/segments/{key}/statistics")["size"],
                         self.people)

    def test_an_edit_gives_way_to_the_live_version(self):
        made = self.make_segment("edited", {"event": "Seen", "where": {
            "property": "n", "op": "lt", "value": 10}, "op": "gte", "value": 1})
        self.make_segment("derived", {"not": {"segment": "edited"}})
        was = self.client.wait_live("edited")

        def edit(number):
            if number:  # the last edit became live: back
                self.client.expect(200, "PUT", "/api/v1/segments/edited",
                                   {"name": "edited", "expression": made["expression"]})
                self.client.wait_live("edited")
            before = self.client.get("/api/v1/segments/edited")["version"], self.changes()
            return before, self.client.expect(
                200, "PUT", "/api/v1/segments/edited",
                {"name": "edited", "expression": self.slow(number)}).json
        (version, kept), _ = self.cancelled(edit)
        found = self.client.wait_live("edited")
        self.assertEqual((found["version"], found["expression"], found["active"]),
                         (version, was["expression"], True))
        self.assertEqual(self.changes(), kept)
        self.assertEqual(self.client.get("/api/v1/segments/derived/statistics")["size"],
                         self.people - self.people // 10)
        self.check_replay()
        self.assertEqual(self.client.wait_live("edited")["version"], version)
        # The number of the version that was abandoned is not given out again.
        self.refused(self.client.request(
            "PUT", "/api/v1/segments/edited", {"name": "edited", "expression": self.slow(99)},
            headers={"If-Match": f'"{version + 1}"'}), 412)
        self.client.expect(200, "PUT", "/api/v1/segments/edited",
                           {"name": "edited", "expression": {"event": "Seen", "op": "gte",
                                                             "value": 1}})
        self.assertEqual(self.client.wait_live("edited")["version"], version + 2)
        self.assertEqual(self.client.get("/api/v1/segments/derived/statistics")["size"], 0)

    def test_it_is_refused_where_others_would_refer_to_what_is_no_more(self):
        def define(number):
            made = self.make_segment(f"base{number}", self.slow(number), live=False)
            # Its own job: what is defined while another one's runs may be built along with it.
            while not jobs_of(self.client, made["id"]):
                if self.client.get(f"/api/v1/segments/{made['key']}")["state"] == "Live":
                    return None
            return made["key"]
        for number in range(self.tries):
            base = define(number)
            if base is None:
                continue
            user = f"user{number}"
            self.make_segment(user, {"segment": base}, live=False)
            job, = jobs_of(self.client, self.client.get(f"/api/v1/segments/{base}")["id"])
            answer = self.client.request("POST", f"/api/v1/jobs/{job['id']}/cancel")
            if "refer" not in self.refused(answer, 409, "CONFLICT")["message"]:
                continue
            self.assertIn(f'"{user}"', answer.json["error"]["message"])
            self.client.expect(204, "DELETE", f"/api/v1/segments/{user}")
            if self.client.request("POST", f"/api/v1/jobs/{job['id']}/cancel").status == 200:
                break
        else:
            self.fail("never amidst a backfill")
        self.assertEqual(self.await_end(job["id"])["state"], "cancelled")
        self.assertEqual(self.client.get(f"/api/v1/segments/{base}")["state"], "Disabled")

    def test_kill_9_around_it_leaves_it_cancelled_or_as_if_nobody_had_asked(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns()))
        print(f"     SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        told = 0
        for kill in range(int(os.environ.get("SONNIM_TEST_KILLS", "2"))):
            made = self.make_segment(f"killed{kill}", self.slow(kill), live=False)
            key = made["key"]
            time.sleep(chance.random() * 0.05)
            job = self.cancel(made)
            time.sleep(chance.random() ** 3 * 0.03)
            self.restart()
            found = self.await_end(self.job_of(made["id"], made["version"]))
            if job is None:
                self.client.wait_live(key)
            else:
                told += 1
                self.assertEqual(found["state"], "cancelled")
                self.assertEqual(self.client.get(f"/api/v1/segments/{key}")["state"], "Disabled")
            # What is made afterwards is not held up by it.
            self.make_segment(f"after{kill}", {"event": "Seen", "op": "gte", "value": 1})
        print(f"     {told} were cancelled")
        self.check_replay()


class Killed(Crowd):
    """kill -9 amidst backfills."""
    flags = ("--partitions", "1")

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
            self.restart()
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
