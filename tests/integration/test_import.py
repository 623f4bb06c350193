"""Imports: what comes of the rows of a file, and that each counts once, whatever happens."""
import gzip
import json
import os
import random
import subprocess
import time

from case import START, ServerCase
from server import SONNIM, Server
from transfer import (exported_events, import_rows, kill_until_done, rejected_rows, start_import,
                      wait_job)

ORDERS = {"map": {"userId": "customer", "properties.revenue": "total:number",
                  "timestamp": {"column": "sold", "format": "%d.%m.%Y %H:%M",
                                "zone": "Asia/Seoul"}},
          "set": {"event": "Order Completed"}}
HEADER = "customer,sold,total\n"


class Import(ServerCase):
    def test_rows_become_events_by_the_mapping(self):
        text = HEADER + "a-1,01.01.2026 08:00,12.5\na-1,31.12.2025 09:30,3\n"
        result = import_rows(self.client, text.encode(), ORDERS)
        self.assertEqual((result["rows"], result["accepted"], result["rejected"]), (2, 2, 0))
        self.assertEqual([(e["event"], e["timestamp"], e["properties"]) for e in
                          self.events("a-1")],
                         [("Order Completed", "2025-12-31T23:00:00Z", {"revenue": 12.5}),
                          ("Order Completed", "2025-12-31T00:30:00Z", {"revenue": 3})])

    def test_plain_gzip_and_zstd_are_the_same_file(self):
        text = (HEADER + "z-1,31.12.2025 09:30,1\n").encode()
        zstd = subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout
        for data in (text, gzip.compress(text), zstd):
            self.assertEqual(import_rows(self.client, data, ORDERS)["accepted"], 1)
        self.assertEqual(len(self.events("z-1")), 1)  # by message id

    def test_traits_are_imported_and_personal_ones_sealed(self):
        rows = [{"id": "t-1", "mail": "a@b.kr", "grade": "VIP", "이름": "홍길동"}]
        text = "\ufeff" + "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        mapping = {"type": "identify", "map": {"userId": "id", "traits.email": "mail",
                                               "traits.name": "이름", "traits.grade": "grade"}}
        import_rows(self.client, text.encode(), mapping, name="people.jsonl")
        self.assertEqual(self.user("t-1", "profile")["attributes"],
                         {"email": "a@b.kr", "name": "홍길동", "grade": "VIP"})
        client, _ = self.client_with("user.read")
        self.assertEqual(client.get("/api/v1/users/t-1/profile")["attributes"], {"grade": "VIP"})

    def test_bad_rows_are_kept_with_line_and_reason_and_counted_by_mistake(self):
        text = (HEADER + "b-1,31.12.2025 09:30,1\nb-1,yesterday,1\nb-1,31.12.2025 09:30,x\n"
                "b-1\n\"b-1\",31.12.2025 09:30,\"2\n3\"\n,31.12.2025 09:30,1\n").encode()
        text += b"b-\xff,31.12.2025 09:30,1\nb-1,01.01.1999 00:00,1\n"
        job = start_import(self.client, text, ORDERS)
        result = wait_job(self.client, job)["result"]
        self.assertEqual((result["rows"], result["accepted"], result["rejected"]), (8, 1, 7))
        self.assertEqual([(row["line"], row["code"], row["reason"]) for row in
                          rejected_rows(self.client, job)],
                         [(3, "UNREADABLE_ROW", "sold: not a time"),
                          (4, "UNREADABLE_ROW", "total: not a number"),
                          (5, "UNREADABLE_ROW", "1 fields where there are 3 columns"),
                          (6, "UNREADABLE_ROW", "total: not a number"),
                          (8, "MISSING_ID", "neither userId nor anonymousId is given"),
                          (9, "UNREADABLE_ROW", "customer: not UTF-8"),
                          (10, "TOO_OLD", "the event is older than events are kept")])
        self.assertEqual({(m["reason"], m["rows"], tuple(m["lines"])) for m in result["mistakes"]
                          if m["code"] == "UNREADABLE_ROW" and m["rows"] > 1},
                         {("total: not a number", 2, (4, 6))})
        self.assertNotIn("yesterday", json.dumps(result))
        client, _ = self.client_with("user.read", "job.read")
        self.refused(client.request("GET", f"/api/v1/imports/{job}/rejected"), 403)

    def test_a_dry_run_takes_nothing_and_infers_types(self):
        text = ("customer,at,n,yes,when\nd-1,1767000000,1.5,true,2026-01-01 10:00\n"
                "d-1,1767000001,2,false,\n")
        result = import_rows(self.client, text.encode(), {
            "map": {"userId": "customer", "timestamp": "at:epoch_s", "properties.n": "n:boolean"},
            "set": {"event": "x"}}, dryRun="true")
        self.assertEqual((result["rows"], result["accepted"], result["dryRun"]), (2, 0, True))
        self.assertEqual([(c["column"], c["type"], c["filled"]) for c in result["columns"]],
                         [("customer", "string", 2), ("at", "epoch_s", 2), ("n", "number", 2),
                          ("yes", "boolean", 2), ("when", "time", 1)])
        self.assertEqual(self.client.request("GET", "/api/v1/users/d-1/events").status, 404)

    def test_a_form_brings_mapping_and_file(self):
        mapping = json.dumps(ORDERS)
        file = HEADER + "f-1,31.12.2025 09:30,7\r\n"
        body = ("--x1\r\nContent-Disposition: form-data; name=\"mapping\"\r\n\r\n" + mapping +
                "\r\n--x1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"o.csv\"\r\n"
                "Content-Type: text/csv\r\n\r\n" + file + "\r\n--x1--\r\n")
        headers = {"Content-Type": "multipart/form-data; boundary=x1"}
        answer = self.client.expect(202, "POST", "/api/v1/imports", body.encode(), headers)
        self.assertEqual(answer.headers["Location"], f"/api/v1/jobs/{answer.json['id']}")
        self.assertEqual(wait_job(self.client, answer.json["id"])["result"]["accepted"], 1)
        self.refused(self.client.request("POST", "/api/v1/imports",
                                         body.replace("--x1--", "--x1").encode(), headers),
                     400, "VALIDATION_ERROR", "body")

    def test_mistakes_of_the_mapping_are_refused_before_anything_is_kept(self):
        def post(mapping, field, **headers):
            answer = self.client.request("POST", "/api/v1/imports?mapping=" + mapping,
                                         b"a,b\n1,2\n", headers)
            self.refused(answer, 400, "VALIDATION_ERROR", field)
        post("%7B", "mapping")
        post("%7B%22maps%22%3A%7B%7D%7D", "mapping.maps")
        post("%7B%22zone%22%3A%22Mars%22%7D", "mapping.zone")
        self.refused(self.client.request("POST", "/api/v1/imports?dryRun=maybe", b"x"), 400,
                     "VALIDATION_ERROR", "dryRun")
        self.refused(self.client.request("POST", "/api/v1/imports?source=none", b"x"), 400,
                     "VALIDATION_ERROR", "source")

    def test_an_upload_needs_its_scope_and_has_a_limit(self):
        client, _ = self.client_with("user.read")
        self.refused(client.request("POST", "/api/v1/imports", b"x" * 100000), 403)
        with Server("--partitions", "1", "--upload-limit", "1MiB") as server:
            small = server.client()
            answer = small.request("POST", "/api/v1/imports?name=x.csv", b"x" * (1 << 20) + b"y")
            small.close()
            self.refused(answer, 413, "PAYLOAD_TOO_LARGE")
            self.assertEqual([p for p in (server.data / "jobs").rglob(".upload")], [])

    def test_a_cancelled_import_stays_as_far_as_it_came(self):
        rows = "".join(f"c-{i % 50},31.12.2025 09:30,{i}\n" for i in range(300000))
        job = start_import(self.client, (HEADER + rows).encode(), ORDERS)
        time.sleep(0.1)
        self.client.request("POST", f"/api/v1/jobs/{job}/cancel")
        found = wait_job(self.client, job)
        self.assertIn(found["state"], ("cancelled", "done"))


class Interrupted(ServerCase):
    """kill -9 amidst imports."""
    clock = "wall"

    def one(self, number, order, rows, kills, seconds_max):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns())) + number
        print(f"     SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        now = time.time()
        lines, bad = ["user,event,at,n\n"], []
        for i in range(rows):
            if chance.random() < 0.001:
                bad.append(i + 2)
                lines.append(f"k{number}-{i % 97},e,never,{i}\n")
            else:
                at = int(now - chance.randrange(300 * 86400))
                lines.append(f"k{number}-{i % 97},e,{at},{i}\n")
        mapping = {"map": {"userId": "user", "event": "event", "timestamp": "at:epoch_s",
                           "properties.n": "n:number"}, "order": order}
        job = start_import(self.client, "".join(lines).encode(), mapping)
        self.client.close()
        found, hit = kill_until_done(self.server, job, seed, kills, seconds_max)
        client = self.server.client()
        self.addCleanup(client.close)
        result = found["result"]
        self.assertEqual((found["state"], result["rows"], result["accepted"], result["rejected"]),
                         ("done", rows, rows - len(bad), len(bad)), found)
        self.assertEqual(sorted(row["line"] for row in rejected_rows(client, job)), bad)
        numbers = [e["properties"]["n"] for e in exported_events(client)
                   if e["userId"].startswith(f"k{number}-")]
        self.assertEqual(len(numbers), rows - len(bad))
        self.assertEqual(len(set(numbers)), len(numbers))
        self.client = client
        return hit

    def test_every_row_counts_once_however_often_the_server_is_killed(self):
        runs = int(os.environ.get("SONNIM_TEST_RUNS", "2"))
        hits = sum(self.one(i, ("file", "time")[i % 2], 120000, 3, 0.6) for i in range(runs))
        print(f"     killed {hits} times amidst an import")


class Waiting(ServerCase):
    """The command that waits for its import."""
    clock = "wall"
    flags = ("--partitions", "3", "--job-bandwidth", "100KiB")
    stays = True

    def test_a_command_waits_in_silence_while_the_server_is_started_anew(self):
        file = self.server.directory / "rows.csv"
        file.write_text("userId,event,n\n" + "".join(f"w-{i % 7},e,{i}\n" for i in range(60000)))
        with subprocess.Popen(
                [SONNIM, "import", str(file), "--map", "properties.n=n:number"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "SONNIM_URL": f"http://{self.server.address}",
                     "SONNIM_TOKEN": self.server.token}) as command:
            self.addCleanup(command.kill)
            while not any(job["state"] == "running"
                          for job in self.client.items("/api/v1/jobs?kind=import")):
                self.assertIsNone(command.poll())
                time.sleep(0.01)
            self.client.close()
            self.server.kill()
            time.sleep(0.6)  # longer than it pauses between two questions
            self.assertIsNone(command.poll())
            self.server.start()
            told, complaints = command.communicate(timeout=300)
        self.assertEqual((command.returncode, complaints), (0, ""), told)
        self.assertIn("60,000 rows read, 60,000 accepted, 0 rejected", told)
