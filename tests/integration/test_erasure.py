"""A person with a marked id, e-mail address and text is sent through every path, then erased:
behind that nothing of him is found, neither in the files, nor by any key that there still is
(unseal.c), nor in what the server answers, nor in an earlier backup that is restored.

Each search is shown to find what it is for before the erasure."""
import base64
import json
import os
import pathlib
import random
import secrets
import shutil
import subprocess
import time
import unittest
import urllib.parse

from privacy import REQUESTS, carry_out, upload, wait
from server import remove_directory, temporary_directory
from test_backup import Place, metric, take, wait_archived
from transfer import fetch_export, start_export, start_import

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ("--events-tail", "4KiB", "--events-erased-rewrite", "0ms", "--journal-file-bytes", "1MiB")


class Marks:
    """A person of whom each value can be told from everything else."""

    def __init__(self):
        self.token = "zq" + secrets.token_hex(9)
        self.user = f"erase-{self.token}"
        self.visitor = f"visitor-{self.token}"
        self.email = f"{self.token}@example.com"
        self.name = f"김{self.token}"
        self.text = f"비밀메모 {self.token} " + "아무도 읽을 수 없어야 하는 긴 글입니다. " * 4

    def patterns(self):
        """By name: bytes as they would stand somewhere in clear, however written."""
        found = {"token": self.token.encode()}
        for name, text in (("user", self.user), ("visitor", self.visitor), ("email", self.email),
                           ("name", self.name), ("text", self.text[:24])):
            raw = text.encode()
            found[name] = raw
            for shift in range(3):  # whatever stands before it
                coded = base64.b64encode(b"\0" * shift + raw)
                found[f"{name}-base64-{shift}"] = coded[4 if shift else 0:-4]
            found[f"{name}-hex"] = raw.hex().encode()
            found[f"{name}-HEX"] = raw.hex().upper().encode()
            found[f"{name}-utf16le"] = text.encode("utf-16-le")
            found[f"{name}-utf16be"] = text.encode("utf-16-be")
            found[f"{name}-json"] = json.dumps(text)[1:-1].encode()
            found[f"{name}-url"] = urllib.parse.quote(text).encode()
        return found


class Unsealer:
    """Searches files, with every key of a keyring."""

    def __init__(self, directory):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise unittest.SkipTest("there is no compiler")
        self.program = directory / "unseal"
        subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-w", "-o",
                        str(self.program), str(HERE / "unseal.c"), "-lcrypto", "-lzstd", "-lz"],
                       check=True, timeout=300)
        self.pattern_file = directory / "patterns"

    def find(self, keyring, marks, *roots):
        """{(path, how, name)}; the server does not run."""
        self.pattern_file.write_text("".join(
            f"{name} {value.hex()}\n" for name, value in marks.patterns().items()))
        paths = [path for root in roots for path in sorted(pathlib.Path(root).rglob("*"))
                 if path.is_file() and not path.is_socket()]
        done = subprocess.run([str(self.program), str(keyring), str(self.pattern_file)],
                              input="".join(f"{path}\n" for path in paths), capture_output=True,
                              text=True, timeout=600, check=True)
        return {tuple(line.split("\t")) for line in done.stdout.splitlines()}


class ErasureCase(unittest.TestCase):
    def setUp(self):
        self.place = Place(*FLAGS)
        self.addCleanup(self.place.close)
        self.work = temporary_directory()
        self.addCleanup(remove_directory, self.work)
        self.unsealer = Unsealer(self.work)
        self.client = self.place.start()
        self.key = self.place.server.make_key()
        self.marks = Marks()

    @property
    def directory(self):
        return self.place.server.directory

    def send(self, *messages):
        answer = self.client.expect(200, "POST", "/v1/batch", {"batch": list(messages)},
                                    key=self.key)
        return answer

    def restart(self):
        self.place.server.stop()
        self.client = self.place.start()

    def crowd(self, count=8):
        """Others, so that files of everything are written."""
        for round_ in range(30):
            self.send(*({"type": "track", "userId": f"other-{i}", "event": "Seen",
                         "properties": {"n": round_, "note": "남의 글 " * 12}}
                        for i in range(count)))


class EveryPath(ErasureCase):
    def send_letters(self):
        """Rejected: of somebody unknown yet, of nobody, of the person, in a text that is cut."""
        m = self.marks
        self.send({"type": "track", "userId": m.user, "event": "Seen", "timestamp": "?"})
        self.send({"type": "track", "properties": {"who": m.user, "mail": m.email}, "event": "x"})
        self.send({"type": "track", "anonymousId": m.visitor, "properties": {"t": m.text}})
        for source in self.client.get("/api/v1/sources")["items"]:  # they are in the store by then
            self.client.get(f"/api/v1/sources/{source['id']}/dead-letters")

    def send_person(self):
        m = self.marks
        self.send({"type": "track", "anonymousId": m.visitor, "event": "Seen",
                   "properties": {"note": m.text}, "context": {"ip": "203.0.113.7"}})
        self.send({"type": "identify", "anonymousId": m.visitor, "userId": m.user,
                   "traits": {"email": m.email, "name": m.name, "city": "제주"}})
        for i in range(10):
            self.send({"type": "track", "userId": m.user, "event": "Seen",
                       "properties": {"note": m.text, "n": i}})
        self.send({"type": "track", "userId": m.user, "timestamp": "?", "event": m.text})

    def transfer(self):
        m = self.marks
        rows = f"userId,event,note\n{m.user},Imported,{m.text}\n,Imported,{m.text}\n"
        mapping = {"map": {"userId": "userId", "event": "event", "properties.note": "note"}}
        job = start_import(self.client, rows.encode(), mapping)
        self.client.get(f"/api/v1/jobs/{job}")
        self.end_jobs()
        for masked in (True, False):
            start_export(self.client, what=["events", "profiles"], masked=masked,
                         compression="gzip")
        audience = self.client.expect(200, "POST", "/api/v1/audience/calculate", {
            "expression": {"event": "Seen", "op": "gte", "value": 1}}).json
        self.client.expect(202, "POST", "/api/v1/audience/export", {
            "audience_id": audience["audience_id"], "format": "csv", "destination": "file",
            "mask": False})
        carry_out(self.client, "EXPORT", m.user)
        self.end_jobs()

    def end_jobs(self):
        for job in self.client.items("/api/v1/jobs"):
            end = time.monotonic() + 300
            while job["state"] in ("queued", "running") and time.monotonic() < end:
                time.sleep(0.02)
                job = self.client.get(f"/api/v1/jobs/{job['id']}")

    def look(self):
        """Reads of every kind, so that whatever they leave is there."""
        m = self.marks
        for what in ("profile", "events", "segments", "segments/history"):
            self.client.get(f"/api/v1/users/{m.user}/{what}")
        self.client.expect(200, "POST", "/api/v1/segments/preview", {
            "expression": {"event": "Seen", "op": "gte", "value": 2}})
        sources = self.client.get("/api/v1/sources")["items"]
        self.client.get(f"/api/v1/sources/{sources[0]['id']}/debug")
        self.client.get(f"/api/v1/audit?target={urllib.parse.quote('user_id:' + m.user)}")

    def wait_checkpoints(self):
        """Until all partitions have written what there is now."""
        def rounds():
            return metric(self.client, "sonnim_checkpoint_rounds_total")
        wanted, end = rounds() + 2 * 3, time.monotonic() + 300
        while rounds() < wanted:
            self.assertLess(time.monotonic(), end)
            self.send(*({"type": "track", "userId": f"other-{i}", "event": "Seen"}
                        for i in range(8)))  # a checkpoint is only made of what has changed
            time.sleep(0.05)

    def answers(self, client):
        """What the server says of everything that it lists."""
        said = []
        for path in ("/api/v1/segments/seen/members?limit=1000", "/api/v1/jobs?limit=1000",
                     "/api/v1/segments/seen/history?limit=1000", "/api/v1/audit?limit=1000",
                     "/api/v1/audiences", "/api/v1/event-types", REQUESTS,
                     "/api/v1/changes?partition=0", "/metrics"):
            said.append(client.request("GET", path).body)
        for source in client.get("/api/v1/sources")["items"]:
            for what in ("dead-letters?limit=1000", "debug", "types", "violations"):
                said.append(client.request("GET", f"/api/v1/sources/{source['id']}/{what}").body)
        job = start_export(client, what=["events", "profiles"], masked=False, compression="gzip")
        end = time.monotonic() + 300
        while client.get(f"/api/v1/jobs/{job}")["state"] in ("queued", "running"):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        said += fetch_export(client, job)[1].values()
        return b"\n".join(said)

    def assert_silent(self, client):
        said = self.answers(client)
        self.assertEqual([name for name, value in self.marks.patterns().items() if value in said],
                         [])
        self.assertEqual(client.request(
            "GET", f"/api/v1/users/{self.marks.user}/profile").status, 404)

    def find(self, server, *more):
        return self.unsealer.find(server.directory / "keyring", self.marks, server.directory, *more)

    def expect_places(self, found):
        """That the search finds him wherever he is."""
        places = {(pathlib.Path(path).relative_to(self.place.directory).as_posix(), how)
                  for path, how, _ in found}
        for part, opened in (("data/vault/persons.log", True), ("data/journal/", True),
                             ("data/checkpoints/", True), ("data/events/", True),
                             ("data/store.db", True), ("data/jobs/", False)):
            self.assertTrue([place for place, how in places
                             if part in place and ("opened" in how) == opened],
                            f"nothing is found in {part}: {sorted(places)}")
        opened = {how.rsplit(" ", 1)[1] for _, how, _ in found if "opened" in how}
        self.assertTrue([key for key in opened if key.startswith("letters-")], opened)
        self.assertGreaterEqual(len([key for key in opened if key.startswith("person-")]), 2)

    def test_behind_an_erasure_nothing_of_the_person_is_found_anywhere(self):
        self.client.expect(201, "POST", "/api/v1/segments", {
            "key": "seen", "name": "seen", "expression": {"event": "Seen", "op": "gte",
                                                          "value": 2}})
        self.client.wait_live("seen")
        self.send_letters()
        self.send_person()
        self.crowd()
        self.transfer()
        self.look()
        wait_archived(self.client)
        take(self.client)
        self.wait_checkpoints()
        self.place.server.stop()
        self.expect_places(self.find(self.place.server))

        self.client = self.place.start()
        said = self.answers(self.client)
        for name in ("user", "email", "name", "text"):
            self.assertIn(self.marks.patterns()[name], said)
        request = carry_out(self.client, "DELETE_ONLY", self.marks.user)
        self.assertEqual(request["state"], "FINISHED", request)
        self.assertEqual(request["counts"]["persons"], 2)
        self.assertGreaterEqual(request["counts"]["letters"], 3)
        self.assert_silent(self.client)
        self.crowd()
        self.restart()
        self.assert_silent(self.client)
        wait_archived(self.client)
        self.place.server.stop()
        self.assertEqual(self.find(self.place.server, self.place.place), set())
        self.look_at_the_earlier_backup()

    def look_at_the_earlier_backup(self):
        restored = self.place.restore()
        self.assertEqual(self.find(restored), set())
        with restored:
            client = restored.client()
            self.assert_silent(client)
            people = {row.get("userId") for row in
                      client.get("/api/v1/segments/seen/members")["items"]}
            self.assertEqual(people, {f"other-{i}" for i in range(8)})
            rows = client.get("/api/v1/segments/seen/history?limit=1000")["items"]
            self.assertEqual(len([row for row in rows if row["cause"] == "erasure"]), 1)
            client.close()
            restored.stop()
        self.assertEqual(self.find(restored), set())


class Interrupted(ErasureCase):
    COUNT = int(os.environ.get("ERASURE_PERSONS", "3000"))
    KILLS = int(os.environ.get("ERASURE_KILLS", "5"))

    def test_kills_at_random_instants_leave_nobody_half_erased(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", "0")) or time.time_ns()
        print(f"     SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        names = [f"kill-{i}" for i in range(self.COUNT)]
        for begin in range(0, self.COUNT, 500):
            self.send(*({"type": "identify", "userId": name, "anonymousId": f"v-{name}",
                         "traits": {"email": f"{name}@example.com"}}
                        for name in names[begin:begin + 500]))
        m = self.marks
        self.send({"type": "identify", "userId": m.user, "traits": {"email": m.email}},
                  {"type": "track", "userId": "stays", "event": "Seen"})
        body = "userId\n" + "".join(f"{name}\n" for name in [*names, m.user, "never-seen"])
        request = upload(self.client, "DELETE_ONLY", body.encode())
        for _ in range(self.KILLS):
            time.sleep(chance.random() * 0.25)
            self.place.server.kill()
            self.place.server.spawn()
        self.place.server.wait_ready()
        self.client = self.place.server.client()
        ended = wait(self.client, request)
        print(f"     {ended['counts']}")
        self.assertEqual(ended["state"], "PARTIAL_SUCCESS", ended)
        self.assertEqual((ended["counts"]["done"], ended["counts"]["unknown"]),
                         (self.COUNT + 1, 1), ended)
        self.assertEqual(self.client.request("GET", "/api/v1/users/stays/profile").status, 200)
        for name in chance.sample(names, 20) + [m.user]:
            subject = self.client.get(f"/api/v1/privacy/subjects?userId={name}")
            self.assertFalse(subject["known"])
            self.assertIn("erased", [entry["what"] for entry in subject["history"]])
        total = self.client.expect(200, "POST", "/api/v1/audience/calculate", {
            "expression": {"event": "*", "op": "gte", "value": 0}}).json["total_users"]
        self.assertEqual(total, 1)
        self.place.server.stop()
        self.assertEqual(self.unsealer.find(self.directory / "keyring", m, self.directory), set())


if __name__ == "__main__":
    unittest.main()
