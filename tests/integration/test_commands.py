"""The commands that talk to a running server."""
import json
import os
import socket
import subprocess
import threading

from case import ServerCase
from server import SONNIM


class Commands(ServerCase):
    def sonnim(self, *arguments, code=0, said=""):
        done = subprocess.run(
            [SONNIM, *arguments], capture_output=True, text=True, timeout=300, check=False,
            input=said,
            env={**os.environ, "SONNIM_URL": f"http://{self.server.address}",
                 "SONNIM_TOKEN": self.server.token})
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def test_columns_never_run_together(self):
        long = "a-key-that-is-much-longer-than-what-a-column-of-a-table-is-wide-and-then-some"
        self.make_segment(long, {"event": "Seen", "op": "gte", "value": 1})
        self.client.expect(201, "POST", "/api/v1/segments", {
            "key": "short", "name": "제주에서 예약한 손님", "expression":
            {"event": "Seen", "op": "gte", "value": 2}})
        self.client.wait_live("short")
        rows = self.sonnim("segment", "list").splitlines()
        row = next(row for row in rows if row.startswith(long))
        self.assertEqual(row.split()[:3], [long, long, "Live"])
        korean = next(row for row in rows if row.startswith("short "))
        # A wide character takes two columns of the terminal.
        state = korean.index("Live")
        self.assertEqual(state + len("제주에서예약한손님"), rows[0].index("STATE"))

    def test_the_doctor_looks_at_the_machine_and_the_server(self):
        place = self.server.directory
        told = [json.loads(line) for line in self.sonnim(
            "doctor", "--json", "--data", str(place / "data"), "--keyring",
            str(place / "keyring")).splitlines()]
        checks = {finding["check"]: finding for finding in told}
        for check in ("config", "open files", "kernel", "memory", "clock", "disk", "sync",
                      "data", "keyring"):
            self.assertIn(checks[check]["state"], ("ok", "warning"), checks)
        self.assertIn("says: ready", checks["server"]["text"])
        kinds = " ".join(f["text"] for f in told if f["check"] == "server memory")
        for kind in ("profiles", "features", "memberships", "events", "changes", "vault"):
            self.assertIn(kind, kinds)

    def test_the_doctor_says_what_is_wrong(self):
        place = self.server.directory
        (place / "wrong.conf").write_text("memory-limit = 1MiB\n")
        told = self.sonnim("doctor", "--config", str(place / "wrong.conf"), code=1)
        self.assertRegex(told, r"config +failure +.*wrong\.conf:1:16: memory-limit must be 64MiB")

    def test_the_doctor_reads_the_file_of_own_filters(self):
        place = self.server.directory
        (place / "own.conf").write_text(f"filters = {place}/own.json\n")
        (place / "own.json").write_text('{"filters":[\n{"name":"mine"}]}')
        told = self.sonnim("doctor", "--config", str(place / "own.conf"), code=1)
        self.assertRegex(told, r"filters +failure +.*own\.json:2:")
        (place / "own.json").write_text('{"filters":[]}')
        told = self.sonnim("doctor", "--json", "--config", str(place / "own.conf"))
        findings = {finding["check"]: finding for finding in map(json.loads, told.splitlines())}
        self.assertEqual(findings["filters"]["state"], "ok")
        self.assertIn("0 filters", findings["filters"]["text"])

    def test_a_person_is_added_changed_and_deleted(self):
        self.sonnim("person", "add", "min@example.com", "민", "admin", code=2)
        self.sonnim("person", "add", "min@example.com", "민", "admin", code=1, said="short\n")
        told = self.sonnim("person", "add", "min@example.com", "민", "admin,viewer",
                           said="a long one that only I know\n")
        person = next(line.split()[1] for line in told.splitlines() if line.startswith("Id"))
        self.assertIn("min@example.com", self.sonnim("person", "list"))
        self.assertIn("viewer", self.sonnim("person", "set-roles", person, "viewer"))
        self.assertNotIn("admin", self.sonnim("person", "list"))
        login = {"email": "min@example.com", "password": "a long one that only I know"}
        self.client.expect(200, "POST", "/api/v1/auth/login", login)
        self.sonnim("person", "end-sessions", person)
        self.sonnim("person", "disable", person)
        self.refused(self.client.request("POST", "/api/v1/auth/login", login), 401)
        self.sonnim("person", "enable", person)
        self.client.expect(200, "POST", "/api/v1/auth/login", login)
        self.sonnim("person", "delete", person)
        self.assertIn("sni_", self.sonnim("person", "invite", "lee@example.com", "analyst"))
        self.assertIn("marketing-manager", self.sonnim("person", "roles"))

    def test_a_segment_is_defined_as_text(self):
        told = self.sonnim("segment", "define", "Buyers", 'COUNT("주문 완료") within 7d>=2')
        self.assertRegex(told, r'Definition +count\("주문 완료"\) within 7d >= 2')
        key = next(line.split()[1] for line in told.splitlines() if line.startswith("Key"))
        self.client.wait_live(key)
        told = self.sonnim("segment", "redefine", key, "not trait(tier) exists")
        self.assertRegex(told, "Definition +not trait\\(tier\\) exists")
        self.assertRegex(told, "(?m)^Version +2$")
        self.sonnim("segment", "define", "wrong", "count(A) >", code=1)

    def test_an_audience_is_calculated_and_saved(self):
        self.track("kim", event="주문")
        self.user("kim", "profile")
        told = self.sonnim("audience", "calculate", 'count("주문") >= 1')
        self.assertRegex(told, r"(?m)^Size +1$")
        told = self.sonnim("audience", "calculate", '{"recency":7,"membership":"VIP"}')
        self.assertRegex(told, r"(?m)^Size +0$")
        told = self.sonnim("audience", "snapshot", "주문한 사람", 'count("주문") >= 1')
        audience = next(line.split()[1] for line in told.splitlines() if line.startswith("Id"))
        self.assertIn("주문한 사람", self.sonnim("audience", "list"))
        self.assertRegex(self.sonnim("audience", "refresh", audience), r"(?m)^Size +1$")
        self.assertIn('"kind":"snapshot"', self.sonnim("audience", "get", audience, "--json"))
        told = self.sonnim("audience", "overlap", audience, 'count("주문") >= 1', '{"recency":7}')
        self.assertRegex(told, rf"(?m)^{audience} +주문한 사람 +snapshot +1$")
        self.assertRegex(told, r"(?m)^\[0,1,2\] +1$")
        self.assertRegex(told, r"(?m)^\[0\] +0$")
        told = json.loads(self.sonnim("audience", "overlap", audience, audience, "--json"))
        self.assertEqual((told["union"], len(told["regions"])), (1, 3))
        self.sonnim("audience", "overlap", audience, code=2)
        self.sonnim("audience", "overlap", *[audience] * 6, code=2)
        self.sonnim("audience", "delete", audience)
        self.sonnim("audience", "get", audience, code=1)
        self.sonnim("audience", "calculate", "count(", code=1)

    def test_a_change_is_previewed(self):
        self.make_segment("seen", {"event": "Seen", "op": "gte", "value": 1})
        self.track("lee")
        file = self.server.directory / "change.json"
        file.write_text('{"expression":{"event":"Seen","op":"gte","value":2}}')
        told = self.sonnim("segment", "preview", str(file), "--segment", "seen")
        self.assertIn("Live version  1", told)
        self.assertIn("Would enter   0", told)
        self.assertIn("Live version  -", self.sonnim("segment", "preview", str(file)))

    def test_a_user_is_explained(self):
        self.make_segment("busy", {"event": "Seen", "within": "1h", "op": "gte", "value": 2})
        self.track("kim")
        told = self.sonnim("user", "explain", "kim", "--segment", "busy")
        self.assertIn("Member      no", told)
        self.assertIn("이벤트가 1회로 기준(2회 이상)을 충족하지 못하므로", told)
        tree = json.loads(self.sonnim("user", "explain", "kim", "--segment", "busy", "--json"))
        self.assertEqual(tree["tree"]["value"], 1)
        self.sonnim("user", "explain", "kim", code=2)


class Lost(ServerCase):
    """A server that goes away while a command talks to it."""
    flags = ("--partitions", "2", "--job-bandwidth", "512KiB")
    stays = True
    rows = 30000

    def command(self, *arguments, address=None):
        return subprocess.Popen(
            [SONNIM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "SONNIM_URL": f"http://{address or self.server.address}",
                 "SONNIM_TOKEN": self.server.token})

    def test_a_connection_that_ends_amidst_a_request_is_told_from_none(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def hang_up():
                for _ in range(2):
                    peer = listener.accept()[0]
                    peer.recv(1 << 16)
                    peer.close()
            thread = threading.Thread(target=hang_up)
            thread.start()
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            _, told = (get := self.command("segment", "list", address=address)).communicate()
            self.assertEqual(get.returncode, 3)
            self.assertIn(f"{address}: the connection ended amidst the request: ", told)
            _, told = (post := self.command("source", "create", "x",
                                            address=address)).communicate()
            self.assertEqual(post.returncode, 3)
            self.assertIn("amidst the request, which may have been carried out: ", told)
            thread.join()
        _, told = (none := self.command("segment", "list", address=address)).communicate()
        self.assertEqual(none.returncode, 3)
        self.assertIn("connect", told)

    def test_an_import_and_who_watches_it_go_on_over_a_kill(self):
        file = self.server.directory / "rows.csv"
        with open(file, "w", encoding="utf-8") as out:
            out.write("userId,event,messageId,properties.note\n")
            for i in range(self.rows):
                out.write(f"u{i},Seen,row-{i},{'x' * 80}\n")
        loading = self.command("import", str(file))
        while not (running := self.client.items("/api/v1/jobs?kind=import&state=running")):
            self.assertIsNone(loading.poll())
        watching = self.command("job", "watch", running[0]["id"])
        self.assertIn("running", watching.stdout.readline())
        self.client.close()
        self.server.kill()
        self.server.start()
        said, told = loading.communicate(timeout=300)
        self.assertEqual(loading.returncode, 0, told)
        self.assertIn(f"{self.rows:,} accepted", said)
        said, told = watching.communicate(timeout=300)
        self.assertEqual(watching.returncode, 0, told)
        self.assertIn("done", said)

    def test_a_job_that_is_over_is_not_cancelled(self):
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.make_segment("quick", {"event": "Seen", "op": "gte", "value": 1})
        while not (done := self.client.items("/api/v1/jobs?kind=backfill&state=done")):
            pass
        _, told = (late := self.command("job", "cancel", done[0]["id"])).communicate()
        self.assertEqual(late.returncode, 1)
        self.assertIn("done already", told)
