"""Backups of a running server, the archive behind them, and restores: the restored server has the
same memberships, histories, events and the same change stream."""
import os
import random
import re
import secrets
import shutil
import subprocess
import threading
import time
import unittest

from case import START
from server import SONNIM, Refused, Server, remove_directory, temporary_directory
from small_disk import fill, mount
from transfer import fetch_export, start_export, start_import

PARTITIONS = 3
MINUTE = 60_000
SEGMENTS = {
    "buyers": {"event": "Bought", "within": "10m", "op": "gte", "value": 2},
    "big": {"event": "Bought", "aggregate": "sum", "property": "revenue", "op": "gte",
            "value": 500},
    "quiet": {"event": "Bought", "op": "eq", "value": 0},
    "gold": {"and": [{"trait": "tier", "op": "eq", "value": "gold"},
                     {"not": {"segment": "quiet"}}]},
}


class Place:
    """A server with backups, and what is restored from them."""

    def __init__(self, *flags):
        self.directory = temporary_directory()
        self.place = self.directory / "backups"
        self.key_file = self.directory / "key"
        self.key_file.write_text(secrets.token_hex(32) + "\n")
        self.key_file.chmod(0o600)
        self.server = Server(
            "--partitions", str(PARTITIONS), "--journal-file-bytes", "1MiB",
            "--checkpoint-interval", "200ms", "--events-tail", "64KiB", "--events-part-rows", "256",
            "--backup-directory", str(self.place), "--backup-key-file", str(self.key_file),
            "--backup-archive-interval", "1s", *flags, directory=self.directory / "origin")
        self.server.directory.mkdir()
        self.restored = 0

    def close(self):
        self.server.kill()
        remove_directory(self.directory)

    def start(self):
        self.server.start()
        return self.server.client()

    def restore(self, *flags, check=True, data=None, key=None):
        """A server that is not started, over what was restored; or the process."""
        if data is None:
            self.restored += 1
            data = self.directory / f"restored-{self.restored}"
            data.mkdir()
            shutil.copytree(self.server.directory / "keyring", data / "keyring")
            shutil.copy(self.server.directory / "token", data / "token")
        done = subprocess.run(self.restore_command(data, *flags, key=key), capture_output=True,
                              text=True, timeout=300, check=False)
        if not check:
            return done
        if done.returncode != 0:
            raise Refused(done.stderr)
        return Server(directory=data)

    def restore_command(self, data, *flags, key=None):
        return [SONNIM, "restore", "--from", str(self.place), "--data", str(data / "data"),
                "--keyring", str(data / "keyring"), "--backup-key-file", str(key or self.key_file),
                *flags]


def wait_job(client, job, seconds=300):
    deadline = time.monotonic() + seconds
    while job["state"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise Refused(f"not done: {job}")
        time.sleep(0.01)
        job = client.get(f"/api/v1/jobs/{job['id']}")
    if job["state"] != "done":
        raise Refused(f"{job}")
    return job


def wait_idle(client):
    """The backup that a start makes by itself, and whatever else there is."""
    for job in client.items("/api/v1/jobs"):
        if job["state"] in ("queued", "running"):
            wait_job(client, job)


def metric(client, name):
    text = client.expect(200, "GET", "/metrics").body.decode()
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return None if found is None else float(found[1])


def wait_archived(client, seconds=300):
    """Everything that was accepted before this call is archived."""
    began = time.monotonic()
    while True:
        lag = metric(client, "sonnim_archive_lag_seconds")
        if lag is not None and lag < time.monotonic() - began:
            return
        if time.monotonic() - began > seconds:
            raise Refused(f"not archived: lag {lag}")
        time.sleep(0.05)


def take(client):
    return wait_job(client, client.expect(200, "POST", "/api/v1/backups").json)


class Traffic:
    """Events, traits, visitors who become users, a clock that goes on."""

    def __init__(self, client, key, seed):
        self.client = client
        self.key = key
        self.random = random.Random(seed)
        self.now = START
        self.count = 0
        self.users = [f"user-{number}" for number in range(24)]

    def send(self, messages):
        self.client.expect(200, "POST", "/v1/batch", {"batch": messages}, key=self.key)

    def message(self):
        self.count += 1
        chance = self.random.random()
        message = {"messageId": f"m-{self.count}", "userId": self.random.choice(self.users)}
        if chance < 0.1:
            return {**message, "type": "identify", "traits":
                    {"tier": self.random.choice(["gold", "silver"]), "email": "kim@example.com"}}
        if chance < 0.15:
            return {**message, "type": "identify", "anonymousId": f"visitor-{self.count - 3}"}
        if chance < 0.3:
            del message["userId"]
            message["anonymousId"] = f"visitor-{self.count}"
        return {**message, "type": "track", "event": "Bought",
                "properties": {"revenue": self.random.randrange(1, 90), "note": "x" * 200}}

    def rounds(self, count):
        for _ in range(count):
            self.send([self.message() for _ in range(60)])
            self.now += self.random.randrange(1, MINUTE)
            self.client.set_clock(self.now)


def copy(source, target):
    """Without what was allocated ahead of the keyring's entries of 64 bytes."""
    with open(source, "rb") as file:
        content = file.read()
    if source.endswith(".log"):
        content = content[:(len(content.rstrip(b"\0")) + 63) // 64 * 64]
    with open(target, "wb") as file:
        file.write(content)
    return target


def state_of(client):
    """What anybody can see, but for the instants of the answers."""
    state = {"changes": [], "users": {}}
    for partition in range(PARTITIONS):
        after, rows = 0, []
        while True:
            items = client.get(f"/api/v1/changes?partition={partition}&after={after}&limit=1000")
            if not items["items"]:
                break
            rows += items["items"]
            after = len(rows)
        state["changes"].append(rows)
    for segment in client.items("/api/v1/segments"):
        state[segment["key"]] = (segment["id"], segment["state"], segment["liveVersion"],
                                 segment["text"],
                                 client.items(f"/api/v1/segments/{segment['key']}/members"))
    for number in range(24):
        user = {}
        for what in ("profile", "segments", "segments/history", "events"):
            answer = client.request("GET", f"/api/v1/users/user-{number}/{what}")
            user[what] = answer.json.get("items", answer.json) if answer.status == 200 else None
            if what == "profile" and user[what]:
                user[what].pop("as_of", None)
        state["users"][number] = user
    state["sources"] = client.items("/api/v1/sources")
    return state


class Backup(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print(f"SONNIM_TEST_SEED={seed}", flush=True)
        self.seed = seed
        self.random = random.Random(seed)

    def place(self, *flags):
        place = Place(*flags)
        self.addCleanup(place.close)
        return place

    def begin(self, place, rounds=3):
        client = place.start()
        self.addCleanup(client.close)
        key = place.server.make_key()
        client.set_clock(START)
        for name, expression in SEGMENTS.items():
            client.expect(201, "POST", "/api/v1/segments",
                          {"key": name, "name": name, "expression": expression})
            client.wait_live(name)
        traffic = Traffic(client, key, self.seed)
        traffic.rounds(rounds)
        return client, traffic

    def compare(self, server, expected):
        with server:
            client = server.client()
            for name in SEGMENTS:
                client.wait_live(name)
            found = state_of(client)
            client.close()
        self.assertEqual(found.keys(), expected.keys())
        for name, value in expected.items():
            self.assertEqual(found[name], value, name)

    def test_a_restore_has_the_same_state_and_the_same_change_stream(self):
        place = self.place()
        client, traffic = self.begin(place, rounds=8)
        wait_idle(client)
        sender = threading.Thread(target=traffic.rounds, args=(8,))
        sender.start()
        other = place.server.client()
        taken = take(other)["result"]
        sender.join()
        traffic.rounds(4)
        wait_archived(client)
        expected = state_of(client)
        self.assertGreater(sum(len(rows) for rows in expected["changes"]), 100)
        self.assertIn(taken["backup"], [row["id"] for row in client.items("/api/v1/backups")])
        other.close()
        place.server.kill()
        self.compare(place.restore(), expected)

    def test_the_audit_trail_is_restored_and_says_itself_what_is_missing(self):
        place = self.place()
        client, _ = self.begin(place)
        kept = client.expect(201, "POST", "/api/v1/sources", {"name": "kept"}).json["id"]
        take(client)
        lost = client.expect(201, "POST", "/api/v1/sources", {"name": "lost"}).json["id"]
        client.close()
        place.server.kill()
        restored = place.restore()
        self.assertTrue(list((restored.data / "audit").glob("*.jsonl")))
        self.assertFalse((restored.data / "audit" / "intentions").exists())
        restored.start()
        self.addCleanup(restored.kill)
        client = restored.client()
        self.assertEqual(len(client.items(f"/api/v1/audit?target={kept}")), 1)
        self.assertEqual(client.items("/api/v1/audit?outcome=unknown"), [])
        self.assertEqual(client.items(f"/api/v1/audit?target={lost}"), [])
        gap = client.items("/api/v1/audit?action=audit.break")
        self.assertEqual([record["details"]["reason"] for record in gap], ["cut"])
        self.assertEqual(len(client.items("/api/v1/audit?action=backup.restored")), 1)
        client.close()
        restored.stop()
        command = [SONNIM, "audit", "verify", "--data", str(restored.data), "--keyring",
                   str(restored.directory / "keyring")]
        whole = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(whole.returncode, 1)
        self.assertIn("missing", whole.stdout)
        behind = subprocess.run([*command, "--from", str(gap[0]["seq"])], capture_output=True,
                                text=True, check=False)
        self.assertEqual(behind.returncode, 0, behind.stdout)

    def test_an_instant_is_restored_as_it_was(self):
        place = self.place()
        client, traffic = self.begin(place)
        wait_idle(client)
        states = {}
        for part in range(4):
            if part == 2:
                take(client)
            traffic.rounds(2)
            states[traffic.now] = state_of(client)
            traffic.now += 1  # what comes next is stamped behind it
            client.set_clock(traffic.now)
            wait_archived(client)
        place.server.kill()
        for instant, expected in states.items():
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant // 1000))
            self.compare(place.restore("--to-time", f"{text}.{instant % 1000:03}Z"), expected)

    def test_a_consumer_that_had_got_further_is_set_back_to_where_the_restore_ends(self):
        place = self.place()
        client, traffic = self.begin(place)
        wait_idle(client)
        kept = state_of(client)["changes"]
        instant = traffic.now
        traffic.now += 1
        client.set_clock(traffic.now)
        traffic.rounds(2)
        page = client.get("/api/v1/changes?cursor=&limit=1000")
        self.assertGreater(page["total"], sum(len(rows) for rows in kept))
        client.expect(200, "PUT", "/api/v1/consumers/mailer", {"cursor": page["next"]})
        client.close()
        place.server.stop()
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant // 1000))
        with place.restore("--to-time", f"{text}.{instant % 1000:03}Z") as server:
            client = server.client()
            client.set_clock(instant + 30 * MINUTE)  # time alone changes something
            page = client.get("/api/v1/changes?consumer=mailer&limit=1000")
            rows = state_of(client)["changes"]
            client.close()
        self.assertEqual([rows[i][:len(kept[i])] for i in range(PARTITIONS)], kept)
        new = {row["id"] for i in range(PARTITIONS) for row in rows[i][len(kept[i]):]}
        self.assertEqual({row["id"] for row in page["items"]}, new)

    def test_definitions_whose_records_were_cut_off_become_live_again(self):
        place = self.place("--backup-archive-interval", "5m")
        client, traffic = self.begin(place)
        wait_idle(client)
        before = traffic.now
        traffic.rounds(1)
        client.expect(201, "POST", "/api/v1/segments",
                      {"key": "late", "name": "late", "expression": SEGMENTS["quiet"]})
        client.wait_live("late")
        client.expect(200, "PUT", "/api/v1/segments/big",
                      {"expression": {**SEGMENTS["big"], "value": 900}})
        client.wait_live("big", 2)
        client.close()
        place.server.stop()  # everything since the backup is one step
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before // 1000))
        server = place.restore("--to-time", f"{text}.{before % 1000:03}Z")
        with server:
            client = server.client()
            client.wait_live("late")
            client.wait_live("big", 2)
            client.close()

    def test_a_restored_server_goes_on_and_is_backed_up(self):
        place = self.place()
        client, traffic = self.begin(place)
        wait_idle(client)
        wait_archived(client)
        place.server.kill()
        server = place.restore()
        server.flags = place.server.flags[2:]
        server.start()
        self.addCleanup(server.kill)
        client = server.client()
        traffic.client = client
        traffic.rounds(3)
        wait_idle(client)
        wait_archived(client)
        expected = state_of(client)
        client.close()
        server.kill()
        place.server = server  # its keyring is the present one
        self.compare(place.restore(), expected)

    def test_files_of_jobs_are_in_no_backup_and_what_is_asked_for_says_so(self):
        place = self.place("--job-threads", "1", "--backup-archive-interval", "5m")
        client, _ = self.begin(place)
        wait_idle(client)
        done = start_export(client, what=["events"])
        wait_job(client, client.get(f"/api/v1/jobs/{done}"))
        rows = "userId,event\n" + "".join(f"i-{i % 5},Imported\n" for i in range(100_000))
        # While one runs, another waits, and the backup goes before it.
        state = None
        while state != "queued":
            start_import(client, rows.encode())
            half = start_import(client, rows.encode())
            backup = client.expect(200, "POST", "/api/v1/backups").json
            state = client.get(f"/api/v1/jobs/{half}")["state"]
            wait_job(client, backup)
        place.server.kill()

        server = place.restore()
        server.start()
        self.addCleanup(server.kill)
        client = server.client()
        self.addCleanup(client.close)
        for path in (f"/api/v1/exports/{done}/files/manifest.json",
                     f"/api/v1/jobs/{done}/files/manifest.json"):
            self.assertEqual(client.expect(410, "GET", path).code, "GONE")
        with self.assertRaisesRegex(Refused, "'GONE'.*was uploaded is not there"):
            wait_job(client, client.get(f"/api/v1/jobs/{half}"))
        again = start_export(client, what=["events"])
        wait_job(client, client.get(f"/api/v1/jobs/{again}"))
        fetch_export(client, again)
        client.expect(404, "GET", f"/api/v1/exports/{again}/files/none")

    def test_kill_9_during_backups_their_care_and_the_archive_loses_nothing(self):
        place = self.place("--backup-keep", "0s")
        client, traffic = self.begin(place)
        for number in range(6):
            client.expect(200, "POST", "/api/v1/backups")
            if number > 2:
                client.expect(200, "POST", "/api/v1/backups/prune")
                client.expect(200, "POST", "/api/v1/backups/verify")
            traffic.rounds(1)
            time.sleep(self.random.random() * 0.3)
            place.server.kill()
            client.close()
            client = place.start()
            traffic.client = client
            traffic.rounds(1)
        wait_idle(client)  # those that were killed went on by themselves
        verified = wait_job(client, client.expect(200, "POST", "/api/v1/backups/verify").json)
        self.assertEqual((verified["result"]["damaged"], verified["result"]["missing"]), (0, 0))
        self.assertFalse((place.server.data / "pinned").exists())
        wait_archived(client)
        expected = state_of(client)
        client.close()
        place.server.kill()
        self.compare(place.restore(), expected)

    def test_kill_9_during_a_restore_is_never_taken_for_whole(self):
        place = self.place()
        client, _ = self.begin(place, rounds=6)
        wait_idle(client)
        wait_archived(client)
        expected = state_of(client)
        client.close()
        place.server.kill()
        server = place.restore()  # how long one takes
        data = server.directory
        refused = 0
        for _ in range(8):
            shutil.rmtree(server.data, ignore_errors=True)
            process = subprocess.Popen(place.restore_command(data), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(self.random.random() * 0.03)
            process.kill()
            process.wait()
            if (server.data / "restoring").exists():
                with self.assertRaises(Refused) as raised:
                    server.start()
                self.assertIn("interrupted", str(raised.exception))
                refused += 1
                if refused == 3:
                    break
        if not (server.data / "restoring").exists():  # it was faster than the last kill
            shutil.rmtree(server.data, ignore_errors=True)
        place.restore(data=data)
        self.compare(server, expected)

    def test_a_full_place_is_told_harms_nobody_and_is_made_up_for_once_there_is_room(self):
        place = self.place()
        mount(self, place.place, "16m")
        client, traffic = self.begin(place)
        wait_idle(client)
        wait_archived(client)
        ballast = fill(place.place)
        traffic.rounds(2)
        job = client.expect(200, "POST", "/api/v1/backups").json
        deadline = time.monotonic() + 300
        while job["error"] is None or not metric(client, "sonnim_archive_failing"):
            self.assertLess(time.monotonic(), deadline, job)
            time.sleep(0.05)
            job = client.get(f"/api/v1/jobs/{job['id']}")
        self.assertEqual(job["error"]["code"], "NO_SPACE")
        self.assertIn(job["state"], ("queued", "running", "failed"))
        traffic.rounds(2)  # events are taken as ever
        ballast.unlink()
        wait_archived(client)
        self.assertEqual(metric(client, "sonnim_archive_failing"), 0)
        expected = state_of(client)
        client.close()
        place.server.kill()
        self.compare(place.restore(), expected)

    def test_a_restore_that_met_a_full_disk_goes_on_once_there_is_room(self):
        place = self.place()
        client, _ = self.begin(place)
        wait_idle(client)
        wait_archived(client)
        expected = state_of(client)
        client.close()
        place.server.kill()
        small = place.directory / "small"
        mount(self, small, "512k")
        shutil.copytree(place.server.directory / "keyring", small / "keyring", copy_function=copy)
        shutil.copy(place.server.directory / "token", small / "token")
        done = place.restore(data=small, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space", done.stderr)
        with self.assertRaises(Refused):
            Server(directory=small).start()
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True, timeout=300)
        place.restore(data=small)
        self.compare(Server(directory=small), expected)

    def test_what_cannot_be_restored_is_refused_with_the_reason(self):
        place = self.place()
        client, traffic = self.begin(place)
        wait_idle(client)
        client.close()
        place.server.stop()
        other = place.directory / "other"
        other.write_text(secrets.token_hex(32))
        other.chmod(0o600)
        future = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(traffic.now // 1000 + 3600))
        for flags, key, reason in ((("--to-time", "1969-01-01T00:00:00Z"), None, "oldest backup"),
                                   (("--to-time", future), None, "reaches up to"),
                                   (("--backup", "none"), None, "there is no backup none"),
                                   ((), other, "backup key")):
            done = place.restore(*flags, check=False, key=key)
            self.assertEqual(done.returncode, 1, reason)
            self.assertIn(reason, done.stderr)
        objects = sorted((place.place / "objects").rglob("*"), key=str)
        objects = [path for path in objects if path.is_file()]
        broken = max(objects, key=lambda path: path.stat().st_size)
        content = broken.read_bytes()
        for damage in (content[:-1] + bytes([content[-1] ^ 1]), None):
            broken.unlink(missing_ok=True)
            if damage is not None:
                broken.write_bytes(damage)
            done = place.restore(check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(broken.name, done.stderr)

    def test_backups_hold_neither_keys_nor_anything_in_clear(self):
        place = self.place()
        client, _ = self.begin(place)
        wait_idle(client)
        client.close()
        place.server.stop()
        master = (place.server.directory / "keyring" / "master.key").read_bytes().strip()
        wrapped = (place.server.directory / "keyring" / "keys.log").read_bytes()[64:128]
        for path in place.place.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                for secret in (b"kim@example.com", b"user-1", b"Bought", master, wrapped,
                               bytes.fromhex(master.decode())):
                    self.assertNotIn(secret, content, path)
        server = place.restore()
        names = {path.name for path in server.data.rglob("*")}
        self.assertFalse(names & {"keys.log", "master.key"})
        shutil.rmtree(server.directory / "keyring")
        with self.assertRaises(Refused):
            server.start()

    def test_commands_and_the_api_tell_what_there_is(self):
        place = self.place()
        client, _ = self.begin(place)
        wait_idle(client)
        environment = {**os.environ, "SONNIM_URL": f"http://{place.server.address}",
                       "SONNIM_TOKEN": place.server.token}

        def run(*arguments):
            return subprocess.run([SONNIM, "backup", *arguments], capture_output=True, text=True,
                                  timeout=300, check=False, env=environment)
        made = run("now")
        self.assertEqual(made.returncode, 0, made.stderr)
        listed = client.items("/api/v1/backups")
        self.assertTrue(any(backup["id"] in made.stdout for backup in listed), made.stdout)
        for backup in listed:
            self.assertIn(backup["id"], run("list").stdout)
            self.assertFalse(backup["damaged"])
        self.assertIn("Damaged", run("verify").stdout)
        self.assertIn("Removed", run("prune").stdout)
        self.assertEqual(metric(client, "sonnim_archive_begun"), 1)
        self.assertLess(metric(client, "sonnim_backup_age_seconds"), 3600)
        for path in (place.place / "objects").rglob("*"):
            if path.is_file():
                path.write_bytes(b"not an object")
        failed = run("verify")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("damaged", failed.stderr)
        names = [row["name"] for row in client.items("/api/v1/schedules")]
        self.assertTrue({"backup", "backup-prune", "backup-verify"} <= set(names), names)

    def test_a_backup_is_made_every_day_by_itself(self):
        place = self.place()
        client, _ = self.begin(place, rounds=1)
        wait_idle(client)

        def scheduled():
            return [job for job in client.items("/api/v1/jobs?kind=backup")
                    if job["schedule"] == "backup" and job["state"] == "done"]
        before = len(scheduled())
        client.set_clock(START + 2 * 86_400_000)
        deadline = time.monotonic() + 300
        while len(scheduled()) == before:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.assertIn(scheduled()[0]["result"]["backup"],
                      [row["id"] for row in client.items("/api/v1/backups")])

    def test_without_a_place_backups_are_refused_with_the_reason(self):
        with Server() as server:
            client = server.client()
            for method, path in (("GET", ""), ("POST", ""), ("POST", "/verify"),
                                 ("POST", "/prune")):
                answer = client.request(method, f"/api/v1/backups{path}")
                self.assertEqual((answer.status, answer.code), (409, "CONFLICT"))
                self.assertIn("--backup-directory", answer.json["error"]["message"])
            client.close()

    def test_a_bad_place_or_key_stops_the_start_with_the_reason(self):
        place = self.place()
        flags = place.server.flags
        for change, reason in ((("--backup-directory", str(place.server.data / "b")), "outside"),
                               (("--backup-key-file", str(place.directory / "none")), "none"),
                               (("--backup-key-command", "true"), "one of")):
            place.server.flags = [*flags, *change]
            with self.assertRaises(Refused) as raised:
                place.server.start()
            self.assertIn(reason, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
