"""Background jobs: the queue, schedules under the manual clock, retention, kill -9, WebSockets."""
import os
import random
import subprocess
import time
import unittest

from case import START, ServerCase
from program import Node
from server import SONNIM, Refused, Server
from transfer import fetch_export, start_export

DAY = 86_400_000
SECONDS_MAX = 300


def wait_for(what):
    """The first true answer of `what`."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError("it never came about")
        time.sleep(0.01)


def job_when(client, job, *states):
    """The job once it is in one of these states."""
    def look():
        found = client.get(f"/api/v1/jobs/{job}")
        return found if found["state"] in states else None
    return wait_for(look)


def run_now(client, schedule):
    return client.expect(200, "POST", f"/api/v1/schedules/{schedule}/run").json["id"]


def after_run(client, schedule):
    return job_when(client, run_now(client, schedule), "done", "failed")


def without_night(server):
    """A client of a server whose own schedule does not come in between."""
    client = server.client()
    client.expect(200, "PUT", "/api/v1/schedules/retention",
                  {"kind": "retention", "cron": "37 2 * * *", "active": False})
    return client


class Jobs(ServerCase):
    flags = ("--partitions", "3", "--schedule-zone", "Europe/Berlin")

    def test_a_job_is_listed_shown_and_done(self):
        job = after_run(self.client, "retention")
        self.assertEqual((job["state"], job["kind"], job["attempt"]), ("done", "retention", 1))
        self.assertEqual(job["files"], [])
        self.assertEqual({thing["name"] for thing in job["result"]["things"]},
                         {"events", "journal", "dead-letters", "changes", "jobs", "audit"})
        listed = self.client.get("/api/v1/jobs?kind=retention&state=done")
        self.assertIn(job["id"], [item["id"] for item in listed["items"]])
        self.assertEqual(self.client.get("/api/v1/jobs?kind=other")["items"], [])
        self.refused(self.client.request("GET", "/api/v1/jobs?state=odd"), 400, field="state")

    def test_a_list_goes_on_page_by_page(self):
        made = [after_run(self.client, "retention")["id"] for _ in range(5)]
        items = self.client.items("/api/v1/jobs?kind=retention", limit=2)
        ids = [item["id"] for item in items if item["schedule"] is None]
        self.assertEqual(ids[:5], made[::-1])
        self.assertEqual(len(set(ids)), len(ids))

    def test_what_is_done_is_neither_cancelled_nor_retried(self):
        job = after_run(self.client, "retention")["id"]
        self.refused(self.client.request("POST", f"/api/v1/jobs/{job}/cancel"), 409, "CONFLICT")
        self.refused(self.client.request("POST", f"/api/v1/jobs/{job}/retry"), 409, "CONFLICT")
        self.refused(self.client.request("GET", f"/api/v1/jobs/{job}/files/none"), 404)
        self.refused(self.client.request("POST", "/api/v1/jobs/none/cancel"), 404, "NOT_FOUND")

    def test_scopes_are_asked_for(self):
        reader, _ = self.client_with("job.read")
        stranger, _ = self.client_with("segment.read")
        reader.get("/api/v1/jobs")
        reader.get("/api/v1/retention")
        self.refused(stranger.request("GET", "/api/v1/jobs"), 403)
        self.refused(stranger.request("GET", "/api/v1/retention"), 403)
        self.refused(reader.request("POST", "/api/v1/schedules/retention/run"), 403)
        self.refused(reader.request("PUT", "/api/v1/schedules/a", {}), 403)

    def test_a_schedule_is_set_changed_and_deleted(self):
        wish = {"kind": "retention", "cron": "0 3 * * MON-FRI", "priority": 7}
        made = self.client.expect(200, "PUT", "/api/v1/schedules/weekdays", wish).json
        self.assertEqual((made["zone"], made["active"], made["priority"]),
                         ("Europe/Berlin", True, 7))
        off = self.client.expect(200, "PUT", "/api/v1/schedules/weekdays",
                                 {**wish, "active": False}).json
        self.assertIsNone(off["nextAt"])
        self.assertIn("weekdays", [s["name"] for s in self.client.items("/api/v1/schedules")])
        self.client.expect(204, "DELETE", "/api/v1/schedules/weekdays")
        self.refused(self.client.request("GET", "/api/v1/schedules/weekdays"), 404)

    def test_what_is_wrong_with_a_schedule_is_named(self):
        def put(**wish):
            return self.client.request("PUT", "/api/v1/schedules/x", wish)
        self.refused(put(kind="retention", cron="61 * * * *"), 400, "VALIDATION_ERROR", "cron")
        self.refused(put(kind="retention", cron="0 0 30 2 *"), 400, field="cron")
        self.refused(put(kind="none", cron="* * * * *"), 400, field="kind")
        self.refused(put(kind="retention", cron="* * * * *", params={"a": 1}), 400,
                     field="params.a")
        self.refused(put(kind="retention", cron="* * * * *", priority=101), 400, field="priority")
        self.refused(put(kind="retention", cron="* * * * *", other=1), 400, field="other")

    def test_the_command_lists_shows_and_watches(self):
        def sonnim(*arguments, code=0):
            environment = dict(os.environ, SONNIM_URL=f"http://{self.server.address}",
                               SONNIM_TOKEN=self.server.token)
            done = subprocess.run([SONNIM, "job", *arguments], env=environment, timeout=300,
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, code, done)
            return done.stdout
        job = run_now(self.client, "retention")
        self.assertIn("done", sonnim("watch", job))
        self.assertIn(job, sonnim("list"))
        self.assertIn("things", sonnim("show", job))
        self.assertIn("0 5 * * *", sonnim("schedule", "early", "retention", "0 5 * * *"))
        self.assertIn("early", sonnim("schedules"))
        sonnim("unschedule", "early")
        self.assertIn("job-retention", sonnim("retention"))
        sonnim("cancel", job, code=1)

    def watch(self, path):
        protocol = f"sonnim.bearer.{self.server.token}"
        node = Node("socket.mjs", f"ws://{self.server.address}{path}", protocol)
        self.addCleanup(node.__exit__)
        return node, node.next()

    def test_a_watcher_of_one_job_gets_its_state_at_once_and_its_changes(self):
        job = after_run(self.client, "retention")["id"]
        node, opened = self.watch(f"/ws/jobs/{job}")
        self.assertIn("open", opened)
        first = node.next()
        self.assertEqual((first["job"]["id"], first["job"]["state"]), (job, "done"))
        _, refused = self.watch("/ws/jobs/none")
        self.assertEqual(refused, {"refused": 404})

    def test_a_watcher_of_all_jobs_gets_the_newest_and_then_each_that_changes(self):
        before = after_run(self.client, "retention")["id"]
        node, _ = self.watch("/ws/jobs")
        self.assertIn(before, [job["id"] for job in node.next()["jobs"]])
        job = run_now(self.client, "retention")
        while True:
            told = node.next()["job"]
            if (told["id"], told["state"]) == (job, "done"):
                break

    def test_metrics_count_by_kind_and_state(self):
        after_run(self.client, "retention")
        text = self.client.request("GET", "/metrics").body.decode()
        self.assertIn('sonnim_jobs{kind="retention",state="done"}', text)
        self.assertIn('sonnim_job_runs_total{kind="retention",end="done"}', text)
        self.assertIn('sonnim_retention_dropped_total{thing="jobs"}', text)


class Clock(unittest.TestCase):
    """Each with a server of its own: the clock goes on."""

    def test_a_schedule_follows_the_clock_and_what_was_missed_is_made_up_once(self):
        with Server("--partitions", "1", "--schedule-zone", "Asia/Seoul") as server:
            client = without_night(server)
            client.set_clock(START)
            made = client.expect(200, "PUT", "/api/v1/schedules/nightly",
                                 {"kind": "retention", "cron": "0 3 * * *"}).json
            self.assertEqual(made["nextAt"], "2026-01-01T18:00:00Z")
            client.set_clock(START + DAY)
            fired = wait_for(lambda: self.fired(client, "2026-01-01T18:00:00Z"))
            self.assertEqual(fired["nextAt"], "2026-01-02T18:00:00Z")
            job_when(client, fired["lastJobId"], "done")

            server.kill()
            server.start()
            client = server.client()
            client.set_clock(START + 9 * DAY)
            fired = wait_for(lambda: self.fired(client, "2026-01-02T18:00:00Z"))
            self.assertEqual(fired["nextAt"], "2026-01-10T18:00:00Z")
            job_when(client, fired["lastJobId"], "done")
            self.assertEqual(client.get("/api/v1/jobs?kind=retention")["total"], 2)

    @staticmethod
    def fired(client, instant):
        schedule = client.get("/api/v1/schedules/nightly")
        return schedule if schedule["lastAt"] == instant else None

    def test_nothing_is_dropped_before_it_was_reported_and_waited_for(self):
        with Server("--partitions", "1", "--job-retention", "10d",
                    "--retention-wait", "2d") as server:
            client = without_night(server)
            client.set_clock(START)
            first = after_run(client, "retention")["id"]
            client.set_clock(START + 11 * DAY)
            self.assertEqual(self.jobs_row(client)["next"], "report")
            report = after_run(client, "retention")["result"]["things"]
            self.assertEqual([t["done"] for t in report if t["name"] == "jobs"], ["report"])
            row = self.jobs_row(client)
            self.assertEqual((row["next"], row["due"]["count"], row["dropsFrom"]),
                             ("wait", 1, "2026-01-14T00:00:00Z"))
            server.kill()
            server.start()
            client = server.client()
            client.get(f"/api/v1/jobs/{first}")
            client.set_clock(START + 13 * DAY)
            self.assertEqual(self.jobs_row(client)["next"], "drop")
            after_run(client, "retention")
            self.assertEqual(client.request("GET", f"/api/v1/jobs/{first}").status, 404)
            self.assertEqual(self.jobs_row(client)["lastDrop"]["count"], 1)

    @staticmethod
    def jobs_row(client):
        return next(row for row in client.get("/api/v1/retention")["items"]
                    if row["name"] == "jobs")


class Kill(unittest.TestCase):
    def test_jobs_are_done_however_often_the_server_is_killed(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns() % 1_000_000))
        print(f"SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        with Server("--partitions", "1", clock="wall") as server:
            jobs = []
            without_night(server).close()
            for _ in range(int(os.environ.get("SONNIM_TEST_KILLS", "8"))):
                client = server.client()
                for _ in range(chance.randrange(1, 6)):
                    jobs.append(run_now(client, "retention"))
                time.sleep(chance.random() * 0.02)
                server.kill()
                server.start()
            client = server.client()
            for job in jobs:
                self.assertEqual(job_when(client, job, "done", "failed")["state"], "done")
            listed = [item["id"] for item in client.items("/api/v1/jobs?kind=retention")]
            self.assertEqual(sorted(listed), sorted(jobs))

    def test_retention_drops_what_is_old_and_nothing_else_however_often_it_is_killed(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns() % 1_000_000))
        print(f"SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        with Server("--partitions", "1", "--job-retention", "10d", "--dead-letter-retention", "10d",
                    "--retention-wait", "0s", "--job-bandwidth", "1MiB") as server:
            key = server.make_key()
            client = without_night(server)
            client.set_clock(START)
            old = self.fill(client, key, 80, 400)
            client.set_clock(START + 11 * DAY)
            new = self.fill(client, key, 3, 50)
            after_run(client, "retention")  # which reports first
            amidst, job = 0, run_now(client, "retention")
            for _ in range(int(os.environ.get("SONNIM_TEST_KILLS", "6"))):
                time.sleep(chance.random() * 0.01)
                client.close()
                server.kill()
                server.start()
                client = server.client()
                left = self.whole(client, old)
                amidst += 0 < left < len(old)
                self.assertEqual(self.whole(client, new), len(new))
                self.assertGreaterEqual(self.letters(client), 50)
            self.assertEqual(job_when(client, job, "done", "failed")["state"], "done")
            after_run(client, "retention")
            self.assertEqual((self.whole(client, old), self.whole(client, new),
                              self.letters(client)), (0, len(new), 50))
            self.assert_swept(server)
            print(f"     killed {amidst} times with some of it dropped")

    def fill(self, client, key, exports, letters):
        """Ids of exports that are done; and so many letters."""
        client.expect(200, "POST", "/v1/batch", {"batch": [{"type": "x"}] * letters}, key=key)
        client.expect(200, "POST", "/v1/track", {"userId": "u", "event": "Seen"}, key=key)
        jobs = [start_export(client, what=["events"]) for _ in range(exports)]
        for job in jobs:
            job_when(client, job, "done")
        self.assertGreaterEqual(self.letters(client), letters)  # in the store, once asked for
        return jobs

    @staticmethod
    def whole(client, jobs):
        """How many are there, each with all its files; retention may go on meanwhile."""
        there = 0
        for job in jobs:
            try:
                fetch_export(client, job)
                there += 1
            except Refused:
                client.expect(404, "GET", f"/api/v1/jobs/{job}")
        return there

    @staticmethod
    def letters(client):
        return max(client.get(f"/api/v1/sources/{s['id']}/dead-letters?limit=1")["total"]
                   for s in client.get("/api/v1/sources")["items"])

    def assert_swept(self, server):
        """Files that a kill left without a job are gone behind a start, once they are a day old."""
        for place in (server.data / "jobs").iterdir():
            os.utime(place, (0, 0))
        server.stop()
        server.start()
        client = server.client()
        listed = {job["id"] for job in client.items("/api/v1/jobs")}
        client.close()
        self.assertLessEqual({place.name for place in (server.data / "jobs").iterdir()}, listed)
