"""Rights of the person: what privacy requests do and what they answer. That nothing can be read
behind an erasure shows test_erasure.py."""
import json
import shutil
import subprocess
import time
import unittest

from case import START, ServerCase
from privacy import ENDED, REQUESTS, ask, carry_out, upload, wait
from server import SONNIM, Server, contents


class Privacy(ServerCase):
    def members(self, key):
        return {row.get("userId") or row.get("anonymousId")
                for row in self.client.get(f"/api/v1/segments/{key}/members")["items"]}

    def history(self, key):
        return self.client.get(f"/api/v1/segments/{key}/history?limit=1000")["items"]

    def subject(self, **who):
        name, value = next(iter(who.items()))
        return self.client.get(f"/api/v1/privacy/subjects?{name}={value}")

    def known(self, user):
        return self.client.request("GET", f"/api/v1/users/{user}/profile").status == 200

    settled = 0

    def settle(self):
        """Reads that follow see what came before."""
        Privacy.settled += 1
        position = self.track(f"settle-{Privacy.settled}").position
        self.client.get("/api/v1/segments?limit=1", headers={"X-Sonnim-Min-Position": position})

    def test_an_erased_person_leaves_his_segments_once_and_comes_again_as_somebody_new(self):
        self.make_segment("seen", {"event": "Seen", "op": "gte", "value": 2})
        for _ in range(3):
            self.track("kim")
        self.track("lee")
        self.track("lee")
        self.settle()
        self.assertEqual(self.members("seen"), {"kim", "lee"})
        request = carry_out(self.client, "DELETE_ONLY", "kim")
        self.assertEqual(request["state"], "FINISHED", request)
        self.assertEqual((request["counts"]["done"], request["counts"]["persons"]), (1, 1))
        self.assertEqual(len(request["receipt"]["auditHash"]), 64)
        self.assertFalse(self.known("kim"))
        self.assertEqual(self.members("seen"), {"lee"})
        rows = [(row["userId"], row["change"], row["cause"]) for row in self.history("seen")]
        self.assertEqual(rows.count((None, "exited", "erasure")), 1, rows)
        self.assertNotIn("kim", json.dumps(rows))
        statistics = self.client.get("/api/v1/segments/seen/statistics")
        self.assertIn("1", json.dumps(statistics))
        self.track("kim")
        self.settle()
        self.assertTrue(self.known("kim"))
        self.assertEqual(len(self.events("kim")), 1)
        self.assertEqual(self.members("seen"), {"lee"})
        self.assertEqual([entry["what"] for entry in self.subject(userId="kim")["history"]],
                         ["erased"])

    def test_visitors_who_became_the_person_go_with_him(self):
        self.client.expect(200, "POST", "/v1/track", {"anonymousId": "v1", "event": "Seen"},
                           key=self.key)
        self.client.expect(200, "POST", "/v1/identify", {"anonymousId": "v1", "userId": "park"},
                           key=self.key)
        self.settle()
        request = carry_out(self.client, "DELETE_ONLY", {"anonymousId": "v1"})
        self.assertEqual((request["state"], request["counts"]["persons"]), ("FINISHED", 2), request)
        self.assertFalse(self.known("park"))
        self.assertFalse(self.subject(anonymousId="v1")["known"])

    def test_who_is_unknown_makes_a_request_a_partial_success(self):
        self.track("cho")
        request = carry_out(self.client, "DELETE_ONLY", "cho", "never-seen")
        self.assertEqual(request["state"], "PARTIAL_SUCCESS", request)
        self.assertEqual((request["counts"]["done"], request["counts"]["unknown"]), (1, 1))

    def test_messages_of_a_suppressed_id_are_answered_and_dropped(self):
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "s"}).json
        self.track("han")
        request = carry_out(self.client, "SUPPRESS_WITH_DELETE", "han", {"anonymousId": "han-v"})
        self.assertEqual(request["state"], "PARTIAL_SUCCESS", request)  # nobody had the visitor's
        for message in ({"type": "track", "userId": "han", "event": "Seen"},
                        {"type": "identify", "userId": "other", "anonymousId": "han-v"},
                        {"type": "alias", "userId": "other", "previousId": "han"},
                        {"type": "track", "userId": "han"}):  # rejected otherwise: no dead letter
            answer = self.client.expect(200, "POST", "/v1/batch", {"batch": [message]},
                                        key=source["writeKey"])
            self.assertEqual(answer.json, {"success": True})
        self.settle()
        self.assertFalse(self.known("han"))
        self.assertFalse(self.known("other"))
        letters = self.client.get(f"/api/v1/sources/{source['id']}/dead-letters")
        self.assertEqual(letters["items"], [])
        self.assertTrue(self.subject(userId="han")["suppressed"])
        carry_out(self.client, "UNSUPPRESS", "han", {"anonymousId": "han-v"})
        self.assertFalse(self.subject(userId="han")["suppressed"])
        self.track("han")
        self.settle()
        self.assertTrue(self.known("han"))

    def test_suppressing_alone_keeps_what_is_there(self):
        self.track("yun")
        carry_out(self.client, "SUPPRESS_ONLY", "yun")
        self.track("yun")
        self.settle()
        self.assertEqual(len(self.events("yun")), 1)

    def test_what_comes_with_an_id_that_is_linked_to_a_suppressed_user_is_dropped(self):
        self.client.expect(200, "POST", "/v1/identify", {
            "userId": "sol", "anonymousId": "sol-phone"}, key=self.key)
        self.client.expect(200, "POST", "/v1/track", {
            "anonymousId": "sol-phone", "event": "Seen"}, key=self.key)
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "linked"}).json
        self.assertFalse(self.subject(anonymousId="sol-phone")["suppressed"])
        carry_out(self.client, "SUPPRESS_ONLY", "sol")
        self.assertTrue(self.subject(anonymousId="sol-phone")["suppressed"])
        for message in ({"type": "track", "event": "Hidden"}, {"type": "page"},
                        {"type": "identify", "traits": {"hidden": 1}},
                        {"type": "track"}):  # rejected otherwise: no dead letter
            answer = self.client.expect(200, "POST", "/v1/batch", {
                "batch": [{"anonymousId": "sol-phone", **message}]}, key=source["writeKey"])
            self.assertEqual(answer.json, {"success": True})
        self.settle()
        self.assertEqual(len(self.events("sol")), 1)
        self.assertNotIn("hidden", self.client.get("/api/v1/users/sol/profile")["attributes"])
        letters = self.client.get(f"/api/v1/sources/{source['id']}/dead-letters")
        self.assertEqual(letters["items"], [])
        types = self.client.get(f"/api/v1/sources/{source['id']}/types")
        self.assertEqual(types["items"], [])
        # Who else takes the telephone is himself.
        self.client.expect(200, "POST", "/v1/batch", {"batch": [
            {"type": "identify", "userId": "tae", "anonymousId": "sol-phone"}]},
            key=self.key)
        self.client.expect(200, "POST", "/v1/track", {
            "anonymousId": "sol-phone", "event": "Seen"}, key=self.key)
        self.settle()
        self.assertEqual((len(self.events("tae")), len(self.events("sol"))), (1, 1))

    def test_an_export_is_a_complete_copy(self):
        self.make_segment("loud", {"event": "Seen", "op": "gte", "value": 1})
        self.client.expect(200, "POST", "/v1/identify", {
            "userId": "seo", "traits": {"email": "seo@example.com", "city": "제주"}}, key=self.key)
        self.track("seo", properties={"note": "긴 글 " * 40})
        self.client.expect(200, "POST", "/v1/track", {"anonymousId": "seo-v", "event": "Looked"},
                           key=self.key)
        self.client.expect(200, "POST", "/v1/identify", {"anonymousId": "seo-v", "userId": "seo"},
                           key=self.key)
        self.client.expect(200, "POST", "/v1/track", {"userId": "seo", "timestamp": "?",
                                                      "event": "Rejected"}, key=self.key)
        self.settle()
        request = carry_out(self.client, "EXPORT", "seo")
        self.assertEqual((request["state"], request["counts"]["persons"]), ("FINISHED", 1))
        self.assertEqual({file["name"] for file in request["files"]},
                         {"profiles.jsonl", "events.jsonl", "segments.jsonl", "manifest.json",
                          "links.jsonl", "dead_letters.jsonl"})

        def lines(name):
            body = self.client.request("GET", f"{REQUESTS}/{request['id']}/files/{name}").body
            return [json.loads(line) for line in body.decode().splitlines()]
        self.assertEqual(lines("profiles.jsonl")[0]["traits"],
                         {"email": "seo@example.com", "city": "제주"})
        self.assertEqual({event["event"]: event["properties"] for event in lines("events.jsonl")},
                         {"Seen": {"note": "긴 글 " * 40}, "Looked": {}})
        self.assertEqual(lines("links.jsonl"), [{"userId": "seo", "anonymousId": "seo-v"}])
        self.assertEqual([(row["code"], json.loads(row["event"])["event"])
                          for row in lines("dead_letters.jsonl")],
                         [("INVALID_TIMESTAMP", "Rejected")])
        self.assertEqual([(row["segmentName"], row["change"]) for row in lines("segments.jsonl")],
                         [("loud", "entered")])
        self.assertEqual([file["rows"] for file in lines("manifest.json")[0]["files"]],
                         [1, 2, 1, 1, 1])
        carry_out(self.client, "DELETE_ONLY", "seo")
        self.assertEqual(self.client.request(
            "GET", f"{REQUESTS}/{request['id']}/files/profiles.jsonl").status, 404)

    def test_a_file_names_thousands(self):
        batch = [{"type": "track", "userId": f"file-{i}", "event": "Seen"} for i in range(3000)]
        self.client.expect(200, "POST", "/v1/batch", {"batch": batch}, key=self.key)
        rows = "userId\n" + "".join(f"file-{i}\n" for i in range(3500)) + '""\n'
        request = wait(self.client, upload(self.client, "DELETE_ONLY", rows.encode()))
        self.assertEqual(request["state"], "PARTIAL_SUCCESS", request)
        counts = request["counts"]
        self.assertEqual((counts["subjects"], counts["done"], counts["unknown"], counts["persons"]),
                         (3500, 3000, 500, 3000))
        lines = "".join(json.dumps({"userId": f"file-{i}"}) + "\n" for i in range(10))
        request = wait(self.client, upload(self.client, "SUPPRESS_ONLY", lines.encode(),
                                           "application/x-ndjson"))
        self.assertEqual((request["state"], request["counts"]["done"]), ("FINISHED", 10))

    def test_a_file_that_cannot_be_read_is_not_kept(self):
        name = b"named-in-a-file-without-columns"
        request = wait(self.client, upload(self.client, "DELETE_ONLY", b"who\n" + name + b"\n"))
        self.assertEqual(request["state"], "FAILED")
        kept = [path for path, content in contents(self.server.data) if name in content]
        self.assertEqual(kept, [])

    def test_the_command_asks_and_waits(self):
        self.track("by-command")
        done = self.command("privacy", "user", "DELETE_ONLY", "by-command", "ticket 7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("FINISHED", done.stdout)
        self.assertIn("ticket 7", self.command("privacy", "list").stdout)
        self.assertIn("erased", self.command("privacy", "known", "by-command").stdout)
        path = self.server.directory / "ids.csv"
        path.write_text("anonymousId\nnobody\n")
        self.assertIn("PARTIAL_SUCCESS",
                      self.command("privacy", "file", "DELETE_ONLY", str(path)).stdout)

    def command(self, *arguments):
        return subprocess.run([SONNIM, *arguments, "--url", f"http://{self.server.address}",
                               "--token-file", str(self.server.directory / "token")],
                              capture_output=True, text=True, timeout=300, check=False)

    def test_what_is_wrong_is_named(self):
        for body, field in (
                ({"type": "DELETE", "subjects": [{"userId": "a"}]}, "type"),
                ({"type": "DELETE_ONLY", "subjects": []}, "subjects"),
                ({"type": "DELETE_ONLY", "subjects": [{"userId": "a"}, {}]}, "subjects[1]"),
                ({"type": "DELETE_ONLY", "subjects": [{"userId": ""}]}, "subjects[0]"),
                ({"type": "DELETE_ONLY", "subjects": [{"userId": "a"}], "x": 1}, "x")):
            answer = self.client.request("POST", REQUESTS, body)
            self.assertEqual((answer.status, answer.field), (400, field), answer)

    def test_of_a_request_that_is_refused_no_list_of_ids_is_kept(self):
        jobs = self.server.data / "jobs"
        before = sorted(jobs.iterdir()) if jobs.exists() else []
        for body in ({"type": "DELETE", "subjects": [{"userId": "a"}]},
                     {"type": "DELETE_ONLY", "subjects": [{"userId": "a"}, {}]}):
            self.refused(self.client.request("POST", REQUESTS, body), 400)
        self.refused(self.client.request("POST", f"{REQUESTS}/upload?type=DELETE", b"userId\na\n",
                                         {"Content-Type": "text/csv"}), 400)
        self.assertEqual(sorted(jobs.iterdir()), before)

    def test_it_needs_its_own_permission(self):
        stranger, _ = self.client_with("user.read", "job.read", "job.write", "pii.read")
        body = {"type": "EXPORT", "subjects": [{"userId": "a"}]}
        self.assertEqual(stranger.request("POST", REQUESTS, body).status, 403)
        self.assertEqual(stranger.request("GET", REQUESTS).status, 403)
        request_id = ask(self.client, "EXPORT", "a")
        wait(self.client, request_id)
        self.assertEqual(stranger.request(
            "GET", f"/api/v1/jobs/{request_id}/files/profiles.jsonl").status, 403)
        clerk, _ = self.client_with("privacy.write")
        self.assertEqual(clerk.request("GET", REQUESTS).status, 200)


class PrivacyOverRestarts(unittest.TestCase):
    def test_who_is_suppressed_stays_so_by_linked_ids_over_kill_9_and_a_replay_of_all(self):
        with Server("--partitions", "3") as server:
            client, key = server.client(), server.make_key()
            seen = {"anonymousId": "phone", "event": "Seen"}
            client.expect(200, "POST", "/v1/identify", {"userId": "kim", "anonymousId": "phone"},
                          key=key)
            client.expect(200, "POST", "/v1/track", seen, key=key)
            carry_out(client, "SUPPRESS_ONLY", "kim")
            for again in range(3):
                client.expect(200, "POST", "/v1/track", seen, key=key)
                client.expect(200, "POST", "/v1/track", {"userId": "lee", "event": "Seen"},
                              key=key)
                self.assertEqual(self.counts(client, key), {"kim": 1, "lee": 1 + again})
                client.close()
                server.kill()
                if again == 1:  # nothing but the journal
                    shutil.rmtree(server.data / "checkpoints")
                server.start()
                client = server.client()
                self.assertEqual(self.counts(client, key), {"kim": 1, "lee": 1 + again})
            carry_out(client, "UNSUPPRESS", "kim")
            client.expect(200, "POST", "/v1/track", seen, key=key)
            self.assertEqual(self.counts(client, key), {"kim": 2, "lee": 3})
            client.close()

    @staticmethod
    def counts(client, key):
        position = client.expect(200, "POST", "/v1/track", {"userId": "settle", "event": "Seen"},
                                 key=key).position
        return {user: len(client.get(f"/api/v1/users/{user}/events", headers={
            "X-Sonnim-Min-Position": position})["items"]) for user in ("kim", "lee")}


class PrivacyThatWaits(ServerCase):
    def counted(self, request_id):
        return (self.client.get(f"{REQUESTS}/{request_id}")["counts"] or {}).get("done", 0)

    def until(self, reached, step_ms=0):
        """With a step the clock goes on, for jobs that are tried again."""
        now, end = START, time.monotonic() + 300
        while not reached():
            self.assertLess(time.monotonic(), end)
            now += step_ms
            if step_ms > 0:
                self.client.set_clock(now)
            time.sleep(0.02)

    def test_two_erasures_wait_for_an_export_and_not_for_one_another(self):
        for user in ("first", "second", "third"):
            self.track(user)
        self.client.expect(201, "POST", "/api/v1/destinations", {
            "name": "away", "kind": "marketing_platform", "url": "http://127.0.0.1:1",
            "token": "t", "consent": "none"})
        audience = self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                      {"expression": {"event": "Seen", "op": "gte", "value": 1}})
        export = self.client.expect(202, "POST", "/api/v1/audience/export", {
            "audience_id": audience.json["audience_id"], "destination": "away"}).json["export_id"]
        self.until(lambda: self.client.get(f"/api/v1/jobs/{export}")["error"] is not None)
        requests = [ask(self.client, "DELETE_ONLY", user) for user in ("first", "second")]
        self.until(lambda: all(self.counted(one) == 1 for one in requests))
        states = [self.client.get(f"{REQUESTS}/{one}")["state"] for one in requests]
        self.assertEqual(states, ["RUNNING", "RUNNING"])
        self.client.request("DELETE", f"/api/v1/jobs/{export}")
        self.until(lambda: all(self.client.get(f"{REQUESTS}/{one}")["state"] in ENDED
                               for one in requests), step_ms=700_000)
        states = [self.client.get(f"{REQUESTS}/{one}")["state"] for one in requests]
        self.assertEqual(states, ["FINISHED", "FINISHED"])


if __name__ == "__main__":
    unittest.main()
