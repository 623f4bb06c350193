"""A kill between a change and its record in the audit trail: the next start tells of it."""
import http.client
import json
import os
import random
import subprocess
import time
import unittest

import audit_crash
import audit_trail
from faults import Faults
from server import SONNIM, Server, remove_directory, temporary_directory

DEAD = (OSError, http.client.HTTPException)
LEAF = {"event": "Seen", "op": "gte", "value": 1}


class AtAPoint(unittest.TestCase):
    """Killed right before a chosen write or sync: of the trail, behind the change; or of what is
    noted as under way, before it."""

    def setUp(self):
        self.faults = Faults(self.directory())
        self.server = Server()
        self.addCleanup(remove_directory, self.server.directory)
        self.server.start(env=self.faults.environment)
        self.addCleanup(self.server.kill)
        self.client = self.server.client()

    def directory(self):
        path = temporary_directory()
        self.addCleanup(remove_directory, path)
        return path

    def quiet(self):
        """All that was recorded so far is written and synced, and nothing is under way."""
        self.client.expect(201, "POST", "/api/v1/tokens", {"name": "q", "scopes": ["events.write"]})
        deadline = time.monotonic() + 60
        while b"\nsonnim_audit_intentions 0\n" not in self.client.request("GET", "/metrics").body:
            self.assertLess(time.monotonic(), deadline)

    def die(self, file, number, *request):
        """Killed before the number-th write of a file from now on; it is started again."""
        self.quiet()
        self.faults.kill_at_write(file, number)
        try:
            answer = self.client.request(*request)
        except DEAD:
            answer = None
        self.assertEqual(self.server.wait_end(), -9)
        self.faults.kill_at_write(file, 0)
        self.server.start(env=self.faults.environment)
        self.client.close()
        self.client = self.server.client()
        return answer

    def verify(self):
        place = self.server.directory
        return subprocess.run([SONNIM, "audit", "verify", "--json", "--data", self.server.data,
                               "--keyring", place / "keyring"], capture_output=True, check=True,
                              timeout=60)

    def records(self, action):
        return [r for r in audit_trail.chain(self.server.data) if r["action"] == action]

    def only(self, action):
        found = self.records(action)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def interrupted(self, action):
        record = self.only(action)
        self.assertEqual(record["outcome"], "unknown")
        self.assertRegex(record["details"]["begun"], "^20..-")
        self.assertNotIn("status", record)
        self.assertRegex(record["call"], "^[0-9a-f]{16}$")
        self.assertTrue(record["user_id"].startswith("token:"))
        self.assertEqual(record["ip"], "127.0.0.1")
        return record

    def test_changes_that_were_made_before_their_record_are_told_by_the_next_start(self):
        self.die("trail", 1, "PUT", "/api/v1/roles/reader",
                 {"description": "d", "permissions": ["segment.read"]})
        self.assertIn("reader", {r["name"] for r in self.client.items("/api/v1/roles")})
        self.assertEqual(self.interrupted("role.update")["target"], "reader")

        self.die("trail", 1, "POST", "/api/v1/sources", {"name": "made"})
        made = [s for s in self.client.items("/api/v1/sources") if s["name"] == "made"]
        self.assertEqual(self.interrupted("source.create")["target"], made[0]["id"])

        self.die("trail", 1, "POST", "/api/v1/segments", {"key": "k", "name": "n",
                                                          "expression": LEAF})
        self.assertEqual(len(self.client.items("/api/v1/segments")), 1)
        self.interrupted("segment.create")

        found = self.client.items("/api/v1/audit?outcome=unknown")
        self.assertEqual([r["action"] for r in found],
                         ["segment.create", "source.create", "role.update"])
        rows = self.client.expect(200, "GET", "/api/v1/audit/export?outcome=unknown&format=csv")
        self.assertEqual(rows.body.count(b",unknown,"), 3)
        self.assertEqual(self.client.request("GET", "/api/v1/audit?outcome=known").status, 400)

        self.die("trail", 1, "PUT", "/api/v1/classification", {
            "classes": [{"place": "traits", "name": "secret", "class": "personal"}]})
        self.assertEqual(self.client.get("/api/v1/classification")["version"], 1)
        self.interrupted("classification.update")

        self.die("trail", 1, "POST", "/api/v1/privacy/requests",
                 {"type": "SUPPRESS_ONLY", "subjects": [{"userId": "kim"}]})
        self.assertEqual(len(self.client.items("/api/v1/privacy/requests")), 1)
        self.interrupted("privacy.create")
        self.server.stop()
        report = json.loads(self.verify().stdout)
        self.assertEqual((report["findings"], report["unknownOutcomes"]), ([], 5))

    def test_a_login_names_whose_session_it_is(self):
        person = self.client.expect(201, "POST", "/api/v1/people", {
            "email": "kim@example.com", "name": "Kim", "password": audit_crash.PASSWORD,
            "roles": ["viewer"]}).json["id"]
        self.die("trail", 1, "POST", "/api/v1/auth/login",
                 {"email": "kim@example.com", "password": audit_crash.PASSWORD})
        sessions = self.client.items(f"/api/v1/people/{person}/sessions")
        record = self.only("auth.login")
        self.assertEqual((record["outcome"], record["user_id"], record["target"]),
                         ("unknown", f"person:{person}", sessions[0]["id"]))

    def test_a_look_at_personal_values_is_told_whether_or_not_it_was_answered(self):
        key = self.server.make_key()
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": "kim", "traits": {"email": "kim@example.com"}}, key=key)
        self.client.get("/api/v1/users/kim/segments")  # he is known
        self.die("trail", 1, "GET", "/api/v1/users/kim/profile")
        self.assertRegex(self.interrupted("user.read")["target"], r"^profile:\d+-\d+$")

    def test_a_query_is_told_too(self):
        self.die("trail", 1, "POST", "/api/v1/audience/calculate", {"filters": {"region": ["x"]}})
        self.interrupted("audience.query")

    def test_a_workspace_tells_what_was_under_way_in_it_and_nobody_else_does(self):
        made = self.client.expect(201, "POST", "/api/v1/workspaces",
                                  {"slug": "shop", "name": "shop"}).json
        shop = self.server.client(made["token"])
        shop.expect(201, "POST", "/api/v1/tokens", {"name": "q", "scopes": ["events.write"]})
        self.quiet()
        self.faults.kill_at_write("trail", 1)
        with self.assertRaises(DEAD):
            shop.request("PUT", "/api/v1/roles/reader", {"permissions": ["segment.read"]})
        shop.close()
        self.assertEqual(self.server.wait_end(), -9)
        self.faults.kill_at_write("trail", 0)
        self.server.start(env=self.faults.environment)
        shop = self.server.client(made["token"])
        self.addCleanup(shop.close)
        told = shop.items("/api/v1/audit?outcome=unknown")
        self.assertEqual([r["action"] for r in told], ["role.update"])
        self.assertEqual(self.records("role.update"), [])

    def test_what_was_written_and_not_synced_is_told_once(self):
        self.die("trail", 2, "PUT", "/api/v1/roles/reader", {"permissions": ["segment.read"]})
        record = self.only("role.update")
        self.assertEqual(record["status"], 200)
        self.assertNotIn("outcome", record)

    def test_what_could_not_be_noted_is_not_begun(self):
        for number in (1, 2):  # its write, its sync
            self.die("intentions", number, "PUT", "/api/v1/roles/reader",
                     {"permissions": ["segment.read"]})
            self.assertNotIn("reader", {r["name"] for r in self.client.items("/api/v1/roles")})
        self.interrupted("role.update")  # nobody knows that it was not begun

    def test_a_kill_amidst_telling_tells_nothing_twice(self):
        self.quiet()
        self.faults.kill_at_write("trail", 1)
        with self.assertRaises(DEAD):
            self.client.request("PUT", "/api/v1/roles/reader", {"permissions": ["segment.read"]})
        self.server.wait_end()
        for file, number in (("trail", 1), ("trail", 2), ("trail", 3), ("intentions", 1),
                             ("intentions", 2)):
            self.faults.kill_at_write(file, number)
            self.server.spawn(env=self.faults.environment)
            self.assertEqual(self.server.wait_end(), -9, (file, number))
        self.faults.kill_at_write("trail", 0)
        self.server.start(env=self.faults.environment)
        self.interrupted("role.update")

    def test_what_was_refused_or_ended_well_is_not_told_again(self):
        self.client.request("PUT", "/api/v1/roles/reader", {"permissions": ["no such thing"]})
        self.client.request("DELETE", "/api/v1/segments/none")
        self.quiet()
        self.server.kill()
        self.server.start(env=self.faults.environment)
        self.server.stop()
        self.assertFalse([r for r in audit_trail.chain(self.server.data) if "outcome" in r])


class AtRandom(unittest.TestCase):
    def test_every_change_that_is_there_behind_kill_9_has_one_record(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print(f"     seed {seed}", flush=True)
        audit_crash.run(seed, int(os.environ.get("SONNIM_TEST_AUDIT_KILLS", "8")))


if __name__ == "__main__":
    unittest.main()
