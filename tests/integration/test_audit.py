"""The audit trail: what is recorded, that it is whole, durable and verifiable, and what is refused
without it."""
import csv
import http.client
import http.server
import io
import json
import signal
import socket
import subprocess
import threading
import time
import unittest

import audit_trail
from case import ServerCase
from faults import Faults
from server import SONNIM, Client, Server, remove_directory, temporary_directory

LEAF = {"event": "Seen", "op": "gte", "value": 1}


class Records(ServerCase):
    def newest(self, action):
        """The newest record of this action: of what is durable before the answer it is there."""
        found = [r for r in audit_trail.chain(self.server.data) if r["action"] == action]
        self.assertTrue(found, action)
        return found[-1]

    def test_a_change_stands_in_the_trail_when_it_is_answered(self):
        answer = self.client.expect(201, "POST", "/api/v1/segments",
                                    {"key": "audited", "name": "n", "expression": LEAF})
        record = self.newest("segment.create")
        self.assertEqual(record["target"], answer.json["id"])
        self.assertEqual(record["status"], 201)
        self.assertEqual(record["details"]["version"], 1)
        self.assertEqual(record["ip"], "127.0.0.1")
        self.assertTrue(record["user_id"].startswith("token:"))
        self.assertRegex(record["traceId"], "^[0-9a-f]{32}$")
        self.assertEqual(self.newest("server.start")["user_id"], "system:server")

    def test_a_change_of_permissions_names_who_did_it_and_what(self):
        _, made = self.client_with("segment.read")
        record = self.newest("token.create")
        self.assertEqual((record["target"], record["details"]),
                         (made, {"scopes": ["segment.read"]}))
        self.client.expect(204, "DELETE", f"/api/v1/tokens/{made}")
        record = self.newest("token.delete")
        self.assertEqual((record["target"], record["status"]), (made, 204))

    def test_a_query_has_its_filters_and_its_size(self):
        self.track("audited-query")
        answer = self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                    {"filters": {"region": ["제주"], "membership": "VIP"}})
        self.flush_trail()
        record = self.newest("audience.query")
        self.assertEqual(record["filters"], {"region": ["제주"], "membership": "VIP"})
        self.assertEqual(record["result_size"], answer.json["audience_size"])

    def test_personal_values_are_told_of_and_never_told(self):
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": "kim@example.com", "traits": {"email": "kim@example.com"}},
                           key=self.key)
        self.user("kim@example.com", "profile")
        self.flush_trail()
        record = self.newest("user.read")
        self.assertTrue(record["personal"])
        self.assertRegex(record["target"], r"^profile:\d+-\d+$")
        self.assertNotIn(b"kim@example.com", b"".join(audit_trail.lines(self.server.data)))

    def test_a_profile_without_personal_values_is_no_read_of_them(self):
        self.track("plain-reader")
        reader, _ = self.client_with("user.read")
        before = len([r for r in audit_trail.chain(self.server.data)
                      if r["action"] == "user.read"])
        reader.get("/api/v1/users/plain-reader/profile")
        self.flush_trail()
        after = [r for r in audit_trail.chain(self.server.data) if r["action"] == "user.read"]
        self.assertEqual(len(after), before)

    def test_an_export_says_whether_it_has_personal_values(self):
        for masked in (True, False):
            job = self.client.expect(202, "POST", "/api/v1/exports",
                                     {"what": ["profiles"], "masked": masked}).json["id"]
            record = self.newest("export.create")
            self.assertEqual((record["target"], record.get("personal", False)), (job, not masked))

    def test_what_nobody_waits_for_any_more_is_recorded_too(self):
        host, port = self.server.address.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as gone:
            body = json.dumps({"name": "gone", "scopes": ["segment.read"]})
            gone.sendall(f"POST /api/v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                         f"{self.server.token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                         .encode())
        made = set()
        deadline = time.monotonic() + 60
        while not made and time.monotonic() < deadline:
            made = {t["id"] for t in self.client.items("/api/v1/tokens") if t["name"] == "gone"}
        self.assertTrue(made)
        self.flush_trail()
        self.assertEqual({(r["target"], r["status"]) for r in audit_trail.chain(self.server.data)
                          if r.get("target") in made}, {(made.pop(), 201)})

    def test_what_is_refused_is_recorded_too(self):
        reader, token = self.client_with("segment.read")
        reader.request("POST", "/api/v1/segments", {"name": "x", "expression": LEAF})
        self.flush_trail()
        record = self.newest("segment.create")
        self.assertEqual((record["status"], record["user_id"]), (403, f"token:{token}"))

    def test_nobody_fills_the_trail_from_outside(self):
        stranger = Client(self.server.address)
        self.addCleanup(stranger.close)
        # So many at once, and then so many a second.
        count, began = 0, time.monotonic()
        while count < 400 or count < 2 * (100 + 10 * (time.monotonic() - began)):
            stranger.request("POST", "/api/v1/segments", {})
            count += 1
        self.flush_trail()
        refused = [r for r in audit_trail.chain(self.server.data) if r.get("status") == 401]
        self.assertTrue(0 < len(refused) < count * 3 / 4, (len(refused), count))
        self.assertEqual({r["user_id"] for r in refused}, {None})

    def test_events_are_not_recorded_one_by_one(self):
        before = len(audit_trail.lines(self.server.data))
        for number in range(20):
            self.track(f"collected-{number}")
        self.flush_trail()
        added = audit_trail.lines(self.server.data)[before:]
        self.assertFalse([line for line in added if b"collected" in line])
        self.assertLess(len(added), 10)

    def test_what_a_path_names_is_kept_only_when_it_is_an_id(self):
        self.client.request("DELETE", "/api/v1/segments/01012345678")
        self.client.request("DELETE", "/api/v1/segments/lee@example.com")
        self.flush_trail()
        content = b"".join(audit_trail.lines(self.server.data))
        self.assertNotIn(b"01012345678", content)
        self.assertNotIn(b"lee@example.com", content)


class Search(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.server.client()
        for number in range(12):
            client.expect(201, "POST", "/api/v1/sources", {"name": f"audited {number}"})
        client.close()

    def test_records_are_found_by_action_actor_target_and_time(self):
        made = self.client.items("/api/v1/audit?action=source.create")
        self.assertEqual(len(made), 13)  # and the one of the fixture
        self.assertEqual(len(self.client.items("/api/v1/audit?action=source.")), 13)
        one = made[3]
        self.assertEqual(self.client.items(f"/api/v1/audit?target={one['target']}"), [one])
        self.assertEqual(self.client.items("/api/v1/audit?actor=token:nobody"), [])
        self.assertEqual(len(self.client.items(
            f"/api/v1/audit?actor={one['user_id']}&action=source.create")), 13)
        self.assertEqual(self.client.items("/api/v1/audit?to=2020-01-01T00:00:00Z"), [])

    def test_pages_go_from_the_newest_to_the_oldest(self):
        found, cursor = [], ""
        while True:
            page = self.client.get(f"/api/v1/audit?action=source.create&limit=5{cursor}")
            self.assertLessEqual(len(page["items"]), 5)
            found += [r["seq"] for r in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        self.assertEqual(found, sorted(found, reverse=True))
        self.assertEqual(len(found), 13)

    def test_reading_it_needs_its_scope_and_is_recorded(self):
        reader, _ = self.client_with("segment.read")
        self.refused(reader.request("GET", "/api/v1/audit"), 403, "FORBIDDEN")
        auditor, token = self.client_with("audit.read")
        auditor.expect(200, "GET", "/api/v1/audit?action=token.create")
        self.flush_trail()
        read = auditor.items("/api/v1/audit?action=audit.read")
        self.assertTrue([r for r in read if r["user_id"] == f"token:{token}" and
                         r["filters"] == {"action": "token.create"}])

    def test_a_person_is_searched_for_by_his_id_which_no_record_holds(self):
        self.track("audited@example.com")
        self.user("audited@example.com", "profile")
        self.flush_trail()
        found = self.client.items("/api/v1/audit?target=user_id:audited%40example.com")
        self.assertEqual({r["action"] for r in found}, {"user.read"})
        self.assertNotIn(b"audited@example.com", b"".join(audit_trail.lines(self.server.data)))

    def test_an_export_is_the_trail_as_it_stands(self):
        answer = self.client.expect(200, "GET", "/api/v1/audit/export")
        lines = audit_trail.lines(self.server.data)
        exported = answer.body.split(b"\n")[:-1]
        self.assertEqual(exported, lines[:len(exported)])
        self.assertGreater(len(exported), 13)
        some = self.client.expect(200, "GET", "/api/v1/audit/export?action=source.create").body
        self.assertEqual(some.count(b"\n"), 13)

    def test_an_export_in_csv_has_a_row_for_each_record_and_no_formulas(self):
        answer = self.client.expect(200, "GET", "/api/v1/audit/export?format=csv")
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        made = [row for row in rows if row["action"] == "source.create"]
        self.assertEqual(len(made), 13)
        self.assertEqual(made[0]["ip"], "127.0.0.1")
        self.assertFalse([cell for row in rows for cell in row.values()
                          if cell[:1] in ("=", "+", "-", "@")])
        self.refused(self.client.request("GET", "/api/v1/audit/export?format=xml"), 400,
                     "VALIDATION_ERROR", "format")

    def test_the_command_lists_and_exports(self):
        def command(*arguments):
            return subprocess.run([SONNIM, "audit", *arguments, "--url",
                                   f"http://{self.server.address}", "--token",
                                   self.server.token], capture_output=True, text=True, check=False)
        listed = command("list", "--action", "source.create", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        actions = [json.loads(line)["action"] for line in listed.stdout.splitlines()]
        self.assertEqual(actions, ["source.create"] * 13)
        self.assertEqual(len(command("list", "--limit", "5", "--json").stdout.splitlines()), 5)
        file = self.server.directory / "exported.jsonl"
        done = command("export", str(file), "--action", "source.create")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(file.read_text().splitlines()), 13)
        wrong = command("export", str(file), "--format", "xml")
        self.assertEqual(wrong.returncode, 1, wrong.stderr)
        self.assertIn("csv or jsonl", wrong.stderr)


class Whole(unittest.TestCase):
    """`sonnim audit verify`, and what happens on kill -9 and on a full disk."""

    def server(self, *flags):
        server = Server("--partitions", "2", *flags)
        self.addCleanup(server.__exit__, Exception, None, None)
        return server.start()

    def verify(self, server, *flags):
        done = subprocess.run([SONNIM, "audit", "verify", "--data", str(server.data), "--keyring",
                               str(server.directory / "keyring"), "--json", *flags],
                              capture_output=True, text=True, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, json.loads(done.stdout)

    def filled(self, *flags, changes=6):
        server = self.server(*flags)
        client = server.client()
        for number in range(changes):
            client.expect(201, "POST", "/api/v1/sources", {"name": f"s{number}"})
        client.close()
        return server

    def test_a_trail_is_whole_while_it_is_written_and_when_it_has_ended(self):
        server = self.filled()
        code, report = self.verify(server)
        self.assertEqual((code, report["findings"]), (0, []))
        server.stop()
        code, report = self.verify(server)
        self.assertEqual((code, report["unsignedRecords"], report["heads"]), (0, 0, 1))
        self.assertEqual(len(audit_trail.chain(server.data)), report["records"])

    def changed(self, change):
        """The findings behind a change of the lines of a trail that has ended."""
        server = self.filled()
        server.stop()
        path = audit_trail.files(server.data)[0]
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(True))))
        code, report = self.verify(server)
        self.assertEqual(code, 1)
        return " ".join(finding["what"] for finding in report["findings"])

    def test_a_flipped_bit_is_found(self):
        def flip(lines):
            lines[3] = lines[3].replace(b"source.create", b"source.creatd")
            return lines
        self.assertIn("record 4 was changed", self.changed(flip))

    def test_a_removed_record_is_found(self):
        self.assertIn("record 4 is missing", self.changed(lambda l: l[:3] + l[4:]))

    def test_a_reordered_record_is_found(self):
        self.assertIn("record 4 stands behind record 5",
                      self.changed(lambda l: l[:3] + [l[4], l[3]] + l[5:]))

    def test_a_cut_tail_is_found(self):
        self.assertIn("its end is cut off", self.changed(lambda l: l[:3]))

    def test_a_cut_tail_is_found_by_a_head_kept_elsewhere(self):
        heads = temporary_directory() / "heads"
        self.addCleanup(remove_directory, heads.parent)
        server = self.filled("--audit-head-file", str(heads))
        server.stop()
        self.assertEqual(self.verify(server, "--heads", str(heads))[0], 0)
        path = audit_trail.files(server.data)[0]
        path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:-2]))
        (server.directory / "keyring" / "audit.head").unlink()
        self.assertEqual(self.verify(server)[0], 0)  # nothing here knows better
        self.assertEqual(self.verify(server, "--heads", str(heads))[0], 1)

    def test_a_start_on_a_cut_trail_goes_on_and_hides_nothing(self):
        server = self.filled()
        server.stop()
        path = audit_trail.files(server.data)[0]
        path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:3]))
        server.start()
        client = server.client()
        broken = client.items("/api/v1/audit?action=audit.break")
        client.close()
        self.assertEqual([r["details"]["reason"] for r in broken], ["cut"])
        server.stop()
        self.assertEqual(self.verify(server)[0], 1)
        code, report = self.verify(server, "--from", str(broken[0]["seq"]))
        self.assertEqual((code, report["findings"]), (0, []))

    def test_nothing_answered_is_missing_behind_kill_9(self):
        server = self.server("--audit-file-bytes", "64KiB")
        answered, threads = set(), []

        def change(number):
            client = server.client()
            try:
                for turn in range(10_000):
                    answer = client.request("POST", "/api/v1/sources",
                                            {"name": f"killed {number} {turn}"})
                    if answer.status == 201:
                        answered.add(answer.json["id"])
            except OSError:
                pass
            except http.client.HTTPException:
                pass
            client.close()

        for round_number in range(3):
            threads = [threading.Thread(target=change, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            wanted = 40 * (round_number + 1)
            deadline = time.monotonic() + 300
            while len(answered) < wanted and time.monotonic() < deadline:
                time.sleep(0.002)
            server.kill()
            for thread in threads:
                thread.join()
            self.assertGreaterEqual(len(answered), wanted)
            code, report = self.verify(server)
            self.assertEqual((code, report["findings"]), (0, []))
            recorded = {r.get("target") for r in audit_trail.chain(server.data)
                        if r["action"] == "source.create"}
            self.assertLessEqual(answered, recorded)
            server.start()
        server.stop()
        self.assertEqual(self.verify(server)[0], 0)

    def test_dropped_files_are_reported_first_and_what_is_left_is_whole(self):
        server = self.server("--audit-file-bytes", "64KiB", "--audit-retention", "1d",
                             "--retention-wait", "1d")
        client = server.client()
        question = {"filters": {"search_keyword": ["x" * 60] * 40}}
        while len(audit_trail.files(server.data)) < 3:
            for _ in range(10):
                client.expect(200, "POST", "/api/v1/audience/calculate", question)
            client.expect(201, "POST", "/api/v1/sources", {"name": "durable"})
        client.set_clock(4_102_444_800_000)  # 2100: retention goes by the log's time

        def run_retention():
            job = client.expect(200, "POST", "/api/v1/schedules/retention/run").json["id"]
            while True:
                found = client.get(f"/api/v1/jobs/{job}")
                if found["state"] in ("done", "failed"):
                    break
                time.sleep(0.01)
            self.assertEqual(found["state"], "done", found)
            return {thing["name"]: thing for thing in found["result"]["things"]}["audit"]

        run_retention()
        self.assertGreaterEqual(len(audit_trail.files(server.data)), 3)  # a report, nothing else
        client.set_clock(4_102_444_800_000 + 3 * 86_400_000)
        run_retention()
        self.assertLess(len(audit_trail.files(server.data)), 3)
        notes = client.items("/api/v1/audit?action=audit.drop")
        self.assertEqual(len(notes), 1)
        client.close()
        server.stop()
        code, report = self.verify(server)
        self.assertEqual((code, report["findings"]), (0, []))
        self.assertEqual(report["firstSeq"], notes[0]["details"]["through_seq"] + 1)

    def test_settings_that_are_read_again_and_the_end_are_recorded(self):
        server = self.server()
        server.process.send_signal(signal.SIGHUP)
        client = server.client()
        deadline = time.monotonic() + 300
        while not client.items("/api/v1/audit?action=settings.reload"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        client.close()
        server.stop()
        self.assertEqual([r["action"] for r in audit_trail.chain(server.data)][-2:],
                         ["server.stop", "audit.head"])

    def test_on_a_full_disk_what_has_no_room_for_a_record_is_refused_before_it_is_done(self):
        server = Server("--partitions", "2")
        self.addCleanup(remove_directory, server.directory)
        faults = Faults(server.directory)
        server.start(env=faults.environment)
        self.addCleanup(server.kill)
        client = server.client()
        question = {"filters": {"search_keyword": ["x" * 60] * 40}}
        client.expect(200, "POST", "/api/v1/audience/calculate", question)
        faults.fill_disk()
        answered = 1
        while True:
            answer = client.request("POST", "/api/v1/audience/calculate", question)
            if answer.status != 200:
                break
            answered += 1
            self.assertLess(answered, 10_000)
        self.assertEqual((answer.status, answer.code), (503, "NO_SPACE"))
        self.assertIn("audit trail", answer.json["error"]["message"])
        before = {source["id"] for source in client.items("/api/v1/sources")}  # is not recorded
        answer = client.request("POST", "/api/v1/sources", {"name": "full"})
        self.assertEqual((answer.status, answer.code), (503, "NO_SPACE"))
        self.assertEqual({source["id"] for source in client.items("/api/v1/sources")}, before)
        faults.mend_disk()
        made = client.expect(201, "POST", "/api/v1/sources", {"name": "room"}).json["id"]
        client.close()
        records = audit_trail.chain(server.data)
        self.assertEqual(records[-1]["target"], made)
        self.assertEqual(len([r for r in records if r["action"] == "audience.query"]), answered)
        server.stop()
        self.assertEqual(self.verify(server)[0], 0)

    def test_heads_are_posted_until_they_are_taken(self):
        taken, refuse = [], [2]

        class Taker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if refuse[0] > 0:
                    refuse[0] -= 1
                    self.send_response(503)
                else:
                    taken.append(json.loads(body))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        taker = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        threading.Thread(target=taker.serve_forever, daemon=True).start()
        self.addCleanup(taker.server_close)
        self.addCleanup(taker.shutdown)
        server = self.filled("--audit-head-url", f"http://127.0.0.1:{taker.server_port}/heads",
                             "--audit-head-interval", "100ms")
        deadline = time.monotonic() + 300
        while not taken and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertTrue(taken)
        heads = server.directory / "posted"
        heads.write_text("".join(json.dumps(head) + "\n" for head in taken))
        self.assertEqual(self.verify(server, "--heads", str(heads))[0], 0)
        server.stop()


if __name__ == "__main__":
    unittest.main()
