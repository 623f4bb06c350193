"""Exports of audiences: files by addresses that expire, buckets in parts, marketing platforms; what
is in them, who may have them, and that an interruption neither loses nor doubles anything."""
import csv
import http.server
import io
import json
import os
import random
import subprocess
import threading
import time

from bucket import KEY_ID, REGION, SECRET, Bucket
from case import ServerCase
from faults import Faults
from server import Client, Server, contents, remove_directory, temporary_directory
from transfer import SECONDS_MAX, wait_job

MEMBERS = 400
MANY = 12_000  # whose file is of several parts
FILLER = "가나다라마바사아자차카타파하" + "x" * 20  # below what counts as free text


class Platform:
    """A marketing platform that answers with `status`, 200 with an id."""

    def __init__(self):
        self.told, self.status = [], 200
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                platform.told.append((self.path, dict(self.headers), json.loads(body)))
                answer = b'{"segmentId":"seg-789"}' if platform.status == 200 else b"{}"
                self.send_response(platform.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class ExportCase(ServerCase):
    clock = "wall"

    def calculate(self, expression):
        return self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                  {"expression": expression}).json["audience_id"]

    def export(self, audience, **wish):
        return self.client.expect(202, "POST", "/api/v1/audience/export",
                                  {"audience_id": audience, **wish}).json

    def ended(self, export, state="done"):
        found = wait_job(self.client, export["export_id"])
        self.assertEqual(found["state"], state, found)
        return self.client.get(f"/api/v1/audience/exports/{export['export_id']}")

    def fetch(self, export):
        """What anybody gets who has the address."""
        address, _, path = export["file_url"].removeprefix("http://").partition("/")
        client = Client(address)
        self.addCleanup(client.close)
        return client.request("GET", "/" + path)

    def wait_until(self, holds):
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def make_bucket(self, name, **rest):
        bucket = Bucket()
        self.addCleanup(bucket.close)
        self.client.expect(201, "POST", "/api/v1/destinations",
                           {"name": name, "kind": "s3", "region": REGION, "bucket": bucket.name,
                            "endpoint": bucket.endpoint, "pathStyle": True, "prefix": "제주/a b+c/",
                            "accessKeyId": KEY_ID, "secretAccessKey": SECRET, **rest})
        self.addCleanup(lambda: self.client.request("DELETE", f"/api/v1/destinations/{name}"))
        return bucket

    def make_platform(self, **rest):
        platform = Platform()
        self.addCleanup(platform.close)
        self.client.expect(201, "POST", "/api/v1/destinations",
                           {"name": "braze", "kind": "marketing_platform", "url": platform.url,
                            "token": "t0ken", "consent": "none", **rest})
        self.addCleanup(self.client.request, "DELETE", "/api/v1/destinations/braze")
        return platform


class AudienceExport(ExportCase):
    def setUp(self):
        super().setUp()
        if not getattr(type(self), "filled", False):
            type(self).filled = True
            batch = [{"type": "identify", "userId": f"고객-{i}", "messageId": f"m{i}",
                      "traits": {"tier": "VIP" if i % 2 else "BASIC", "email": f"abc{i}@email.com",
                                 "phone": "010-1234-5678", "name": "=홍길동", "deviceTokens": ["t"],
                                 "grade": "@SUM(1)"}} for i in range(MEMBERS)]
            position = self.client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                          key=self.key).position
            self.client.get("/api/v1/users/고객-0/profile".replace("고객", "%EA%B3%A0%EA%B0%9D"),
                            headers={"X-Sonnim-Min-Position": position})
        self.vip = {"trait": "tier", "op": "eq", "value": "VIP"}
        self.members = {f"고객-{i}" for i in range(MEMBERS) if i % 2}

    def rows(self, body):
        return list(csv.DictReader(io.StringIO(body.decode())))

    def test_a_file_has_the_members_masked_under_the_columns_of_platforms(self):
        audience = self.calculate(self.vip)
        begun = self.export(audience)
        self.assertIsNone(begun["marketing_segment_id"])
        export = self.ended(begun)
        answer = self.fetch(export)
        self.assertEqual(answer.status, 200)
        day = export["as_of"][:10].replace("-", "")
        self.assertEqual(export["file"], f"{audience}_{day}.csv")
        self.assertIn(f'filename="{audience}_{day}.csv"', answer.headers["Content-Disposition"])
        rows = self.rows(answer.body)
        self.assertEqual(list(rows[0]), ["user_id", "email", "phone", "name", "push_token",
                                         "ad_id"])
        self.assertEqual({row["user_id"] for row in rows}, self.members)
        self.assertEqual(len(rows), export["rows"])
        self.assertEqual(set(list(row.items())[1:] == [
            ("email", "a***@email.com"), ("phone", "010-****-5678"), ("name", "***"),
            ("push_token", "***"), ("ad_id", "")] for row in rows), {True})
        self.assertEqual(self.fetch(begun).status, 200)

    def test_personal_values_are_for_who_may_see_them(self):
        audience = self.calculate(self.vip)
        clerk, _ = self.client_with("audience.export", "audience.read")
        wish = {"audience_id": audience, "mask": False, "columns": ["user_id", "name", "grade"]}
        self.refused(clerk.request("POST", "/api/v1/audience/export", wish), 403, "FORBIDDEN",
                     "mask")
        export = self.ended(self.export(**{**wish, "audience": wish.pop("audience_id")}))
        text = self.fetch(export).body.decode()
        self.assertIn("'=홍길동,'@SUM(1)\r\n", text)  # no formulas in anybody's spreadsheet
        path = f"/api/v1/audience/exports/{export['export_id']}"
        self.refused(clerk.request("GET", path), 403)
        reader, _ = self.client_with("audience.read")
        self.refused(reader.request("GET", path), 403)

    def test_json_lines_and_compression(self):
        audience = self.calculate(self.vip)
        export = self.ended(self.export(audience, format="jsonl", compression="zstd",
                                        columns=["user_id", "tier"]))
        self.assertTrue(export["file"].endswith(".jsonl.zst"))
        text = subprocess.run(["zstd", "-dc"], input=self.fetch(export).body, capture_output=True,
                              check=True).stdout
        rows = [json.loads(line) for line in text.splitlines()]
        self.assertEqual({row["user_id"] for row in rows}, self.members)
        self.assertEqual({row["tier"] for row in rows}, {"VIP"})

    def test_an_address_is_of_one_file_and_of_nobody_who_made_it_up(self):
        audience = self.calculate(self.vip)
        export, other = self.ended(self.export(audience)), self.ended(self.export(audience))
        path, _, token = export["file_url"].partition("?token=")
        forged = dict(export, file_url=f"{path}?token={token[:-2]}AA")
        swapped = dict(export, file_url=other["file_url"].split("?")[0] + f"?token={token}")
        for wrong in (forged, swapped, dict(export, file_url=path)):
            self.assertEqual(self.fetch(wrong).status, 404)

    def test_a_snapshot_is_exported_as_it_was_saved(self):
        body = {"name": "얼린 VIP", "kind": "snapshot",
                "expression": {"trait": "frozen", "op": "eq", "value": True}}
        for i in (1, 2):
            self.client.expect(200, "POST", "/v1/identify", {"userId": f"f{i}",
                               "traits": {"frozen": True}}, key=self.key)
        self.client.get("/api/v1/users/f2/profile",
                        headers={"X-Sonnim-Min-Position": self.track("f2").position})
        saved = self.client.expect(201, "POST", "/api/v1/audiences", body).json
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": "f1", "traits": {"frozen": False}}, key=self.key)
        export = self.ended(self.export(saved["id"], columns=["user_id"]))
        self.assertEqual({row["user_id"] for row in self.rows(self.fetch(export).body)},
                         {"f1", "f2"})

    def test_mistakes_are_named(self):
        audience = self.calculate(self.vip)
        for wish, field in (({"audience_id": "nobody"}, "audience_id"),
                            ({"audience_id": audience, "format": "xls"}, "format"),
                            ({"audience_id": audience, "compression": "rar"}, "compression"),
                            ({"audience_id": audience, "columns": []}, "columns"),
                            ({"audience_id": audience, "columns": ["a", "a"]}, "columns[1]"),
                            ({"audience_id": audience, "mask": 1}, "mask"),
                            ({"audience_id": audience, "destination": "nowhere"}, "destination"),
                            ({"audience_id": audience, "other": 1}, "other"), ({}, "audience_id")):
            answer = self.client.request("POST", "/api/v1/audience/export", wish)
            self.assertIn(answer.status, (400, 404), wish)
            self.assertEqual(answer.field, field, wish)

    def test_a_name_that_is_nearly_right_is_told(self):
        audience = self.calculate(self.vip)
        lake = {"name": "nearby", "kind": "s3", "region": "r", "bucket": "b", "accessKeyId": "k",
                "secretAccessKey": "s"}
        self.client.expect(201, "POST", "/api/v1/destinations", lake)
        self.addCleanup(self.client.request, "DELETE", "/api/v1/destinations/nearby")
        platform = {"name": "without", "kind": "marketing_platform", "url": "https://p.example"}
        self.client.expect(201, "POST", "/api/v1/destinations", platform)
        self.client.expect(200, "PUT", "/api/v1/destinations/without", {"source": "nearby"})
        self.client.expect(204, "DELETE", "/api/v1/destinations/without")
        platform = {"name": "p", "kind": "marketing_platform", "url": "https://p.example"}
        for path, body, field, meant in (
                ("audience/export", {"audience_id": audience, "destination": "neerby"},
                 "destination", '"nearby"'),
                ("audience/export", {"audience_id": audience, "destination": "fil"},
                 "destination", '"file"'),
                ("destinations", {**platform, "source": "neerby"}, "source", '"nearby"'),
                ("destinations", {**platform, "source": "far away"}, "source", "s3"),
                ("exports", {"what": ["events"], "fromat": "csv"}, "fromat", '"format"'),
                ("audience/calculate", {"recency": 3, "smaple": 3}, "smaple", '"sample"')):
            with self.subTest(path=path, body=body):
                answer = self.client.request("POST", f"/api/v1/{path}", body)
                self.assertEqual((answer.status, answer.field), (400, field), answer)
                self.assertIn(meant, answer.json["error"]["message"])

    # ---- Destinations ----

    def test_a_bucket_that_a_platform_fetches_from_is_neither_deleted_nor_renamed(self):
        self.client.expect(201, "POST", "/api/v1/destinations", {
            "name": "shared", "kind": "s3", "region": "r", "bucket": "b", "accessKeyId": "k",
            "secretAccessKey": "s"})
        self.client.expect(201, "POST", "/api/v1/destinations", {
            "name": "fetching", "kind": "marketing_platform", "url": "https://p.example",
            "source": "shared"})
        for method, body in (("DELETE", None), ("PUT", {"name": "moved"})):
            answer = self.client.request(method, "/api/v1/destinations/shared", body)
            self.assertEqual((answer.status, answer.code), (409, "CONFLICT"), answer)
            self.assertIn('"fetching"', answer.json["error"]["message"])
        self.client.expect(200, "PUT", "/api/v1/destinations/shared", {"bucket": "c"})
        self.client.expect(200, "PUT", "/api/v1/destinations/fetching", {"source": ""})
        self.client.expect(200, "PUT", "/api/v1/destinations/shared", {"name": "moved"})
        self.client.expect(204, "DELETE", "/api/v1/destinations/moved")
        self.client.expect(204, "DELETE", "/api/v1/destinations/fetching")

    def test_a_bucket_gets_the_file_under_a_signature(self):
        bucket = self.make_bucket("lake")
        audience = self.calculate(self.vip)
        export = self.ended(self.export(audience, destination="s3"))
        key = f"제주/a b+c/{export['file']}"
        self.assertEqual(export["file_url"], f"s3://{bucket.name}/{key}")
        body = bucket.object(key)
        self.assertEqual({row["user_id"] for row in self.rows(body)}, self.members)

    def test_credentials_go_in_and_never_out(self):
        self.make_bucket("secretive", secretAccessKey="dolmengi-secret", accessKeyId="AKIADOL")
        path = "/api/v1/destinations/secretive"
        answer = self.client.expect(200, "GET", path)
        everything = self.client.expect(200, "GET", "/api/v1/destinations").body + answer.body
        self.assertNotIn(b"dolmengi", everything)
        self.assertNotIn(b"AKIADOL", everything)
        self.assertEqual(answer.json["credentials"], ["accessKeyId", "secretAccessKey"])
        for file, content in contents(self.server.data):
            self.assertNotIn(b"dolmengi", content, file)
        self.client.expect(412, "PUT", path, {"prefix": ""}, headers={"If-Match": '"7"'})
        changed = self.client.expect(200, "PUT", path, {"prefix": ""},
                                     headers={"If-Match": '"1"'}).json
        self.assertEqual((changed["version"], changed["prefix"], len(changed["credentials"])),
                         (2, "", 2))

    def test_credentials_that_are_refused_end_the_export_with_the_reason(self):
        self.make_bucket("closed", secretAccessKey="wrong")
        export = self.ended(self.export(self.calculate(self.vip), destination="closed"), "failed")
        self.assertIn("403 SignatureDoesNotMatch", export["error"])
        self.assertNotIn("wrong", export["error"])

    def test_replaced_credentials_count_without_a_restart(self):
        bucket = self.make_bucket("rotated", secretAccessKey="old")
        audience = self.calculate(self.vip)
        self.ended(self.export(audience, destination="rotated"), "failed")
        self.client.expect(200, "PUT", "/api/v1/destinations/rotated", {"secretAccessKey": SECRET})
        self.assertIsNotNone(bucket.object(
            f"제주/a b+c/{self.ended(self.export(audience, destination='rotated'))['file']}"))

    def test_a_bucket_that_does_not_take_it_for_now_is_tried_again(self):
        bucket = self.make_bucket("slow")
        bucket.failing = 503
        begun = self.export(self.calculate(self.vip), destination="slow")
        self.wait_until(lambda: bucket.requests)
        job = self.client.get(f"/api/v1/jobs/{begun['export_id']}")
        self.assertIn(job["state"], ("queued", "running"))
        bucket.failing = None
        self.assertEqual(self.ended(begun)["rows"], len(self.members))

    def test_a_bucket_that_cannot_be_reached_is_named_and_waited_for(self):
        self.make_bucket("away", endpoint="http://127.0.0.1:9")
        begun = self.export(self.calculate(self.vip), destination="away")
        path = f"/api/v1/audience/exports/{begun['export_id']}"
        self.wait_until(lambda: self.client.get(path)["error"] is not None)
        found = self.client.get(path)
        self.assertIn(found["state"], ("queued", "running"))
        self.assertIn("127.0.0.1:9", found["error"])
        self.client.expect(200, "POST", f"/api/v1/jobs/{begun['export_id']}/cancel")
        self.assertEqual(self.ended(begun, "cancelled")["rows"], None)

    def test_a_platform_is_told_of_the_segment_and_where_its_users_are(self):
        platform = self.make_platform()
        platform.status = 500
        begun = self.export(self.calculate(self.vip), destination="marketing_platform",
                            name="제주VIP고객")
        self.wait_until(lambda: platform.told)
        platform.status = 200
        export = self.ended(begun)
        self.assertEqual(export["marketing_segment_id"], "seg-789")
        path, headers, body = platform.told[-1]
        self.assertEqual(path, "/v1/segments/import")
        self.assertEqual(headers["Authorization"], "Bearer t0ken")
        self.assertEqual({told[1]["Idempotency-Key"] for told in platform.told},
                         {export["export_id"]})
        self.assertEqual((body["segmentName"], body["users"]), ("제주VIP고객", len(self.members)))
        answer = self.fetch({"file_url": body["source"]})
        self.assertEqual({row["user_id"] for row in self.rows(answer.body)}, self.members)

    def test_a_platform_fetches_from_a_bucket_where_it_has_one(self):
        bucket = self.make_bucket("shelf")
        platform = self.make_platform(source="shelf")
        export = self.ended(self.export(self.calculate(self.vip), destination="braze"))
        source = platform.told[0][2]["source"]
        self.assertEqual(source, f"s3://{bucket.name}/제주/a b+c/{export['file']}")
        self.assertIsNotNone(bucket.object(f"제주/a b+c/{export['file']}"))


class LargeExport(ExportCase):
    flags = ("--partitions", "3", "--job-bandwidth", "0")

    def setUp(self):
        super().setUp()
        if not getattr(type(self), "filled", False):
            type(self).filled = True
            for begin in range(0, MANY, 2000):
                batch = [{"type": "identify", "userId": f"u{i}",
                          "traits": {f"t{n}": f"{FILLER}" for n in range(14)}}
                         for i in range(begin, begin + 2000)]
                position = self.client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                              key=self.key).position
            self.client.get("/api/v1/users/u0/profile",
                            headers={"X-Sonnim-Min-Position": position})
        self.all = {"trait": "t0", "op": "exists"}
        self.columns = ["user_id"] + [f"t{n}" for n in range(14)]

    def check(self, body):
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        self.assertEqual(sorted(row["user_id"] for row in rows),
                         sorted(f"u{i}" for i in range(MANY)))
        self.assertEqual({row["t13"] for row in rows}, {FILLER})

    def test_a_large_file_goes_in_parts_and_survives_kills(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED") or random.randrange(1 << 32))
        print(f"     seed {seed}", flush=True)
        chance = random.Random(seed)
        bucket = self.make_bucket("large")
        bucket.delay_s = 0.3
        begun = self.export(self.calculate(self.all), destination="large", columns=self.columns)
        kills = 0
        for _ in range(3):
            time.sleep(chance.uniform(0.05, 1.2))
            if self.client.get(f"/api/v1/jobs/{begun['export_id']}")["state"] in ("done", "failed"):
                break
            self.server.kill()
            self.server.start()
            self.client.close()
            self.client = self.server.client()
            self.addCleanup(self.client.close)
            kills += 1
        bucket.delay_s = 0
        export = self.ended(begun)
        print(f"     killed {kills} times", flush=True)
        self.assertGreater(export["bytes"], 8 << 20)
        self.check(bucket.object(f"제주/a b+c/{export['file']}"))

    def test_an_upload_that_was_completed_unheard_is_begun_anew(self):
        bucket = self.make_bucket("unheard")
        bucket.tells_completion.clear()
        begun = self.export(self.calculate(self.all), destination="unheard", columns=self.columns)
        self.assertTrue(bucket.completed.wait(SECONDS_MAX))
        self.server.kill()
        bucket.tells_completion.set()
        self.server.start()
        self.client.close()
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        export = self.ended(begun)
        self.check(bucket.object(f"제주/a b+c/{export['file']}"))

    def test_a_cancelled_upload_is_given_up_there_too(self):
        bucket = self.make_bucket("dropped")
        bucket.takes_parts.clear()
        begun = self.export(self.calculate(self.all), destination="dropped", columns=self.columns)
        self.wait_until(lambda: any("partNumber=1" in path for _, path, _ in bucket.requests))
        self.client.expect(200, "POST", f"/api/v1/jobs/{begun['export_id']}/cancel")
        bucket.takes_parts.set()
        self.assertEqual(wait_job(self.client, begun["export_id"])["state"], "cancelled")
        self.assertTrue(any(method == "DELETE" and "uploadId=" in path
                            for method, path, _ in bucket.requests))
        self.assertEqual(os.listdir(self.server.data / "jobs" / begun["export_id"]), [])


class FullDisk(ExportCase):
    """Of a server whose disk can be filled."""

    @classmethod
    def setUpClass(cls):
        cls.place = temporary_directory()
        cls.addClassCleanup(remove_directory, cls.place)
        cls.faults = Faults(cls.place)
        # So slow that the disk is full before an export is done.
        cls.server = Server("--partitions", "3", "--job-bandwidth", "32KiB", directory=cls.place,
                            clock="wall")
        cls.addClassCleanup(cls._end)
        cls.server.start(env=cls.faults.environment)
        cls.key = cls.server.make_key()

    def test_an_export_waits_for_room_and_is_then_whole(self):
        batch = [{"type": "identify", "userId": f"u{i}", "traits": {"t": FILLER}}
                 for i in range(3000)]
        position = self.client.expect(200, "POST", "/v1/batch", {"batch": batch},
                                      key=self.key).position
        self.client.get("/api/v1/users/u0/profile", headers={"X-Sonnim-Min-Position": position})
        audience = self.calculate({"trait": "t", "op": "exists"})
        begun = self.export(audience, columns=["user_id", "t"])
        self.faults.fill_disk()
        self.addCleanup(self.faults.mend_disk)
        self.wait_until(lambda: self.faults.refused > 0)
        time.sleep(0.5)
        if self.client.get(f"/api/v1/jobs/{begun['export_id']}")["state"] != "done":
            self.assertEqual(self.fetch(begun).status, 409)
        self.faults.mend_disk()
        export = self.ended(begun)
        rows = list(csv.DictReader(io.StringIO(self.fetch(export).body.decode())))
        self.assertEqual({row["user_id"] for row in rows}, {f"u{i}" for i in range(3000)})
        self.assertEqual(len(rows), 3000)
