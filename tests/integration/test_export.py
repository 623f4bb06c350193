"""Exports of raw data: what is in them, who may see what, and that nothing half-written counts."""
import csv
import io
import json
import os
import threading
import time

from case import START, ServerCase
from transfer import (exported_events, fetch_export, import_rows, kill_until_done, start_export,
                      wait_job)

MONTH = 30 * 86400_000


class Export(ServerCase):
    def setUp(self):
        super().setUp()
        if not getattr(type(self), "filled", False):
            type(self).filled = True
            for i in range(3):
                self.track(f"u{i}", messageId=f"m{i}", event="주문, \"완료\"",
                           timestamp=f"2025-12-0{i + 1}T00:00:00Z",
                           properties={"n": i, "email": "abc@email.com", "memo": "x\ny"},
                           context={"ip": "1.2.3.4"})
            self.client.expect(200, "PUT", "/api/v1/users/u0/profile",
                               {"email": "한@email.com", "phone": "010-1234-5678",
                                "attributes": {"name": "홍", "grade": "VIP"}})
            self.client.expect(200, "POST", "/v1/track",
                               {"anonymousId": "v1", "event": "Seen", "messageId": "mv"},
                               key=self.key)

    def export(self, **wish):
        job = start_export(self.client, **wish)
        self.assertEqual(wait_job(self.client, job)["state"], "done")
        manifest, files = fetch_export(self.client, job)
        return job, manifest, files

    def test_personal_values_are_masked(self):
        _, manifest, files = self.export(what=["events", "profiles"])
        self.assertEqual([f["name"] for f in manifest["files"]],
                         ["events-0001.jsonl", "profiles-0001.jsonl"])
        events = {e["messageId"]: e for e in
                  map(json.loads, files["events-0001.jsonl"].splitlines())}
        self.assertEqual(set(events), {"m0", "m1", "m2", "mv"})
        self.assertEqual((events["m1"]["userId"], events["m1"]["event"], events["m1"]["timestamp"],
                          events["m1"]["properties"], events["m1"]["context"]),
                         ("u1", "주문, \"완료\"", "2025-12-02T00:00:00Z",
                          {"n": 1, "email": "a***@email.com", "memo": "x\ny"}, {"ip": "***"}))
        self.assertEqual(events["mv"]["anonymousId"], "v1")
        profiles = {p.get("userId", "v1"): p for p in
                    map(json.loads, files["profiles-0001.jsonl"].splitlines())}
        self.assertEqual(profiles["u0"]["traits"], {"email": "한***@email.com", "name": "***",
                                                    "phone": "010-****-5678", "grade": "VIP"})
        self.assertEqual(len(profiles), 4)

    def test_unmasked_ones_are_for_who_may_see_them(self):
        job, _, files = self.export(what=["profiles"], masked=False)
        text = files["profiles-0001.jsonl"].decode()
        self.assertIn('"phone":"010-1234-5678"', text)
        self.assertIn("홍", text)
        client, _ = self.client_with("user.read", "job.read")
        self.refused(client.request("POST", "/api/v1/exports",
                                    {"what": ["profiles"], "masked": False}), 403, None, "masked")
        self.refused(client.request("GET", f"/api/v1/exports/{job}/files/profiles-0001.jsonl"), 403)
        for name in ("profiles-0001.jsonl", ".profiles-0001.jsonl"):
            self.refused(client.request("GET", f"/api/v1/jobs/{job}/files/{name}"), 403)
            self.refused(self.client.request("GET", f"/api/v1/jobs/{job}/files/{name}"), 404)

    def test_no_way_to_an_export_asks_for_less_than_another(self):
        clerk, _ = self.client_with("user.read", "job.read", "job.write")
        keeper, _ = self.client_with("job.read", "job.write")
        path = "/api/v1/schedules/nightly"
        masked = {"kind": "export", "cron": "0 3 * * *", "params": {"what": ["profiles"]}}
        open_ = {**masked, "params": {"what": ["profiles"], "masked": False}}
        self.addCleanup(self.client.request, "DELETE", path)

        self.refused(keeper.request("PUT", path, masked), 403, "FORBIDDEN")
        self.refused(clerk.request("PUT", path, open_), 403, "FORBIDDEN", "params.masked")
        self.refused(clerk.request("GET", path), 404)
        clerk.expect(200, "PUT", path, masked)
        self.refused(keeper.request("POST", path + "/run"), 403)
        job = clerk.expect(200, "POST", path + "/run").json
        self.assertRegex(job["askedBy"], "^token ")
        self.assertEqual(wait_job(self.client, job["id"])["state"], "done")
        file = f"/api/v1/jobs/{job['id']}/files/profiles-0001.jsonl"
        self.refused(keeper.request("GET", file), 403)
        clerk.expect(200, "GET", file)

        self.client.expect(200, "PUT", path, open_)
        self.refused(clerk.request("POST", path + "/run"), 403, "FORBIDDEN", "params.masked")

    def test_an_import_is_not_had_by_a_schedule_without_its_scope(self):
        keeper, _ = self.client_with("job.write")
        wish = {"kind": "import", "cron": "0 3 * * *",
                "params": {"file": {"name": "a.csv", "offset": 0, "bytes": 0}, "dryRun": False}}
        self.refused(keeper.request("PUT", "/api/v1/schedules/import", wish), 403, "FORBIDDEN")

    def test_csv_reads_back_field_by_field(self):
        for compression, ending in (("none", ""), ("gzip", ".gz"), ("zstd", ".zst")):
            _, _, files = self.export(what=["events"], format="csv", compression=compression)
            text = files["events-0001.csv" + ending].decode()
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            row = next(r for r in rows if r["messageId"] == "m2")
            self.assertEqual((row["userId"], row["anonymousId"], row["type"], row["event"]),
                             ("u2", "", "track", "주문, \"완료\""))
            self.assertEqual(json.loads(row["properties"]),
                             {"n": 2, "email": "a***@email.com", "memo": "x\ny"})

    def test_a_range_of_time_takes_its_events_only(self):
        rows = exported_events(self.client, **{"from": "2025-12-02T00:00:00Z",
                                               "to": "2025-12-03T00:00:00Z"})
        self.assertEqual([r["messageId"] for r in rows], ["m1"])

    def test_what_was_exported_can_be_imported_again_and_changes_nothing(self):
        _, _, files = self.export(what=["events"], masked=False)
        result = import_rows(self.client, files["events-0001.jsonl"], name="again.jsonl")
        self.assertEqual((result["accepted"], result["rejected"]), (4, 0))
        self.assertEqual(len(exported_events(self.client)), 4)

    def test_wrong_wishes_are_refused_with_the_field(self):
        for wish, field in (({}, "what"), ({"what": []}, "what"), ({"what": ["all"]}, "what"),
                            ({"what": ["events"], "format": "xml"}, "format"),
                            ({"what": ["events"], "from": "today"}, "from"),
                            ({"what": ["events"], "from": "2026-01-01T00:00:00Z",
                              "to": "2026-01-01T00:00:00Z"}, "to"),
                            ({"what": ["events"], "consent": "a.b.c"}, "consent"),
                            ({"what": ["events"], "consent": ""}, "consent"),
                            ({"what": ["events"], "consent": None}, "consent"),
                            ({"what": ["events"], "consent": ["news"]}, "consent"),
                            ({"what": ["events"], "masked": "no"}, "masked")):
            self.refused(self.client.request("POST", "/api/v1/exports", wish), 400,
                         "VALIDATION_ERROR", field)

    def test_there_is_nothing_but_whole_files(self):
        job, _, _ = self.export(what=["events"])
        for name in ("no.jsonl", "..%2F..%2Fstore.db", ".upload", "%2e%2e"):
            self.refused(self.client.request("GET", f"/api/v1/exports/{job}/files/{name}"), 404)
        self.assertEqual({f["name"] for f in self.client.get(f"/api/v1/jobs/{job}")["files"]},
                         {"events-0001.jsonl", "manifest.json"})


class Agreed(ServerCase):
    def export(self, **wish):
        job = start_export(self.client, **wish)
        self.assertEqual(wait_job(self.client, job)["state"], "done")
        return (job, *fetch_export(self.client, job))

    def test_who_has_not_agreed_is_left_out_with_profile_and_events(self):
        for i in range(3):
            self.track(f"u{i}")
        self.client.expect(200, "POST", "/v1/track", {"anonymousId": "v1", "event": "Seen"},
                           key=self.key)
        agreed = {"u1": {"purpose": "news", "channel": "email", "granted": True},
                  "u2": {"purpose": "news", "channel": "email", "granted": False}}
        for user, decision in agreed.items():
            self.client.expect(200, "PUT", f"/api/v1/users/{user}/consents",
                               {"consents": [decision]})
        wish = {"what": ["events", "profiles"], "consent": "news.email"}
        job, manifest, files = self.export(**wish)
        events = [json.loads(row) for row in files["events-0001.jsonl"].splitlines()]
        self.assertEqual({row.get("userId") for row in events}, {"u1"})
        profiles = [json.loads(row) for row in files["profiles-0001.jsonl"].splitlines()]
        self.assertEqual([row["userId"] for row in profiles], ["u1"])
        left = {"events": 3, "profiles": 3}  # u0, u2 and the visitor
        self.assertEqual((manifest["consent"], manifest["withoutConsent"]), ("news.email", left))
        self.assertEqual(self.client.get(f"/api/v1/jobs/{job}")["result"]["withoutConsent"], left)
        _, manifest, files = self.export(what=["events"], consent="research")
        self.assertEqual((manifest["files"], manifest["withoutConsent"]), ([], {"events": 4}))
        self.assertNotIn("withoutConsent", self.export(what=["events"])[1])

class Merging(ServerCase):
    def test_visitors_who_become_users_meanwhile_are_in_it_once(self):
        count = 3000
        batch = [{"type": "track", "anonymousId": f"v{i}", "event": "e", "messageId": f"e{i}"}
                 for i in range(count)]
        self.client.expect(200, "POST", "/v1/batch", {"batch": batch}, key=self.key)
        client = self.server.client()
        self.addCleanup(client.close)

        def merge():
            for begin in range(0, count, 50):
                client.expect(200, "POST", "/v1/batch", {"batch": [
                    {"type": "identify", "anonymousId": f"v{i}", "userId": f"u{i}"}
                    for i in range(begin, begin + 50)]}, key=self.key)
        for _ in range(3):
            thread = threading.Thread(target=merge)
            thread.start()
            rows = exported_events(self.client)
            thread.join()
            self.assertEqual(sorted(r["messageId"] for r in rows),
                             sorted(f"e{i}" for i in range(count)))


class Interrupted(ServerCase):
    """kill -9 amidst exports."""
    clock = "wall"

    def test_a_killed_export_is_made_whole_or_not_there(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns()))
        print(f"     SONNIM_TEST_SEED={seed}")
        rows, hits = 60000, 0
        at = int(time.time()) - 86400
        text = "userId,event,timestamp,n\n" + "".join(
            f"p{i % 4999},e,{at + i},{i}\n" for i in range(rows))
        mapping = {"map": {"timestamp": "timestamp:epoch_s", "properties.n": "n:number"}}
        self.assertEqual(import_rows(self.client, text.encode(), mapping)["accepted"], rows)
        self.client.close()
        for i in range(int(os.environ.get("SONNIM_TEST_RUNS", "3"))):
            client = self.server.client()
            job = start_export(client, what=["events", "profiles"],
                               compression=("none", "gzip", "zstd")[i % 3])
            early = client.request("GET", f"/api/v1/exports/{job}/files/manifest.json")
            self.assertIn(early.status, (200, 409))
            client.close()
            found, hit = kill_until_done(self.server, job, seed + i, 3, 0.4)
            hits += hit
            self.assertEqual(found["state"], "done")
            client = self.server.client()
            manifest, files = fetch_export(client, job)
            client.close()
            events = [json.loads(line) for name, data in files.items()
                      if name.startswith("events") for line in data.splitlines()]
            self.assertEqual(len(events), rows)
            self.assertEqual({e["properties"]["n"] for e in events}, set(range(rows)))
            people = sum(f["rows"] for f in manifest["files"] if f["what"] == "profiles")
            self.assertEqual(people, 4999)
        self.client = self.server.client()
        print(f"     killed {hits} times amidst an export")
