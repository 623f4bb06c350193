"""Several workspaces in one server: found by path or by the key alone, shut off from each other,
opened by whoever asks, closed when nobody does, and gone when they are deleted."""
import base64
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
import unittest
import urllib.parse

from case import START, ServerCase
from instants import write_instant
from program import Node
from sdk import Sdk, wait_arrived
from server import (SONNIM, Client, Refused, Server, remove_directory, temporary_directory)
from small_disk import fill, mount

PASSWORD = "a long one that only I know"
MINUTE = {"event": "Seen", "within": "60s", "op": "gte", "value": 1}
DEADLINE_SECONDS = 300


class Workspace:
    """One that was made, and its administrator's client."""

    def __init__(self, server, answer):
        self.server = server
        self.id, self.slug = answer["id"], answer["slug"]
        self.token, self.key = answer["token"], answer["writeKey"]
        self.client = server.client(self.token)

    def renew(self):
        """Behind a restart, which may be at another address."""
        self.client.close()
        self.client = self.server.client(self.token)

    def track(self, user, **message):
        return self.client.expect(200, "POST", "/v1/track",
                                  {"userId": user, "event": "Seen", **message}, key=self.key)

    def events(self, user):
        position = self.client.position
        answer = self.client.request(
            "GET", f"/api/v1/users/{urllib.parse.quote(user)}/events?limit=1000",
            headers={} if position is None else {"X-Sonnim-Min-Position": position})
        if answer.status not in (200, 404):
            raise Refused(f"{user}: {answer!r}")
        return answer.json["items"] if answer.status == 200 else []


def make(server, slug, **more):
    client = server.client()
    try:
        return Workspace(server, client.expect(
            201, "POST", "/api/v1/workspaces", {"slug": slug, "name": slug, **more}).json)
    finally:
        client.close()


def is_open(server, slug):
    client = server.client()
    try:
        return client.get(f"/api/v1/workspaces/{slug}")["open"]
    finally:
        client.close()


def wait_closed(server, slug):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_open(server, slug):
        if time.monotonic() > deadline:
            raise Refused(f"{slug} stays open:\n{server.log_tail()}")
        time.sleep(0.05)


def places(server, workspace):
    return [place / "workspaces" / workspace.id
            for place in (server.data, server.directory / "keyring", server.directory / "backup")]


class Workspaces(ServerCase):
    flags = ("--partitions", "3", "--workspace-idle", "1s")

    def make(self, slug, **more):
        workspace = make(self.server, slug, **more)
        self.addCleanup(workspace.client.close)
        return workspace

    def test_the_same_user_id_is_another_person_in_each_workspace(self):
        one, two = self.make("persons-one"), self.make("persons-two")
        one.track("kim", properties={"where": "one"})
        two.track("kim", properties={"where": "two"})
        self.track("kim", properties={"where": "home"})
        self.assertEqual([e["properties"]["where"] for e in one.events("kim")], ["one"])
        self.assertEqual([e["properties"]["where"] for e in two.events("kim")], ["two"])
        self.assertEqual([e["properties"]["where"] for e in self.events("kim")], ["home"])

    def test_a_key_alone_leads_to_its_workspace_wherever_it_stands(self):
        shop = self.make("keys")
        nobody = Client(self.server.address)
        self.addCleanup(nobody.close)
        body = {"userId": "kim", "event": "Seen"}
        nobody.expect(200, "POST", "/v1/track", body, key=shop.key)
        nobody.expect(200, "POST", "/v1/track", {**body, "writeKey": shop.key})
        nobody.expect(200, "POST", "/v1/track", {**body, "writeKey": shop.key},
                      headers={"Authorization": f"Bearer {shop.key}"})
        nobody.expect(200, "POST", f"/beacon/v1/batch?writeKey={shop.key}",
                      {"batch": [{"type": "track", **body}]})
        nobody.expect(200, "GET", "/pixel/v1/track?" + urllib.parse.urlencode(
            {"writeKey": shop.key, "userId": "kim", "event": "Seen"}))
        nobody.expect(200, "POST", "/w/keys/v1/track", body, key=shop.key)
        settings = nobody.get(f"/v1/projects/{shop.key}/settings")
        self.assertEqual(settings["integrations"]["Segment.io"]["apiKey"], shop.key)
        self.assertEqual(len(shop.events("kim")), 6)
        self.assertEqual(self.client.request("GET", "/api/v1/users/kim/profile").status, 404)

    def test_segments_sdk_reaches_its_workspace_by_the_key_alone_and_by_the_path(self):
        shop = self.make("sdk")
        for host in (f"http://{self.server.address}", f"http://{self.server.address}/w/sdk"):
            sdk = Sdk("segment-node", host, shop.key)
            with sdk.program:
                sdk.wait_ready()
                for i in range(7):
                    sdk.track(host[-3:], i)
                wait_arrived(shop.client, [f"{host[-3:]}-segment-node"], 7)
                sdk.close()

    def test_what_shows_nothing_of_another_is_the_default_workspaces(self):
        shop = self.make("shown")
        path = "/w/shown/api/v1/segments"
        self.assertEqual(shop.client.get(path)["items"], [])
        self.assertEqual(shop.client.get("/w/shown/api/segments")["items"], [])
        self.refused(self.client.request("GET", path), 401, "UNAUTHORIZED")
        self.refused(shop.client.request("GET", "/w/default/api/v1/segments"), 401)
        self.refused(self.client.request("GET", "/w/nowhere/api/v1/segments"), 404, "NOT_FOUND")
        self.client.get("/w/default/api/v1/segments")
        unknown = Client(self.server.address, shop.token[:-4] + "AAAA")
        self.addCleanup(unknown.close)
        self.refused(unknown.request("GET", "/api/v1/segments"), 401)
        for other in ("sonnim_0123abcd_" + "A" * 43, "wk_0123abcd_" + "A" * 32):
            stranger = Client(self.server.address, other)
            self.addCleanup(stranger.close)
            self.refused(stranger.request("GET", "/api/v1/segments"), 401)
            self.refused(self.client.request("POST", "/v1/track", {"userId": "a", "event": "b"},
                                             key=other), 401)

    def test_a_workspace_that_nobody_uses_is_closed_and_opened_by_the_next_who_does(self):
        shop = self.make("lazy")
        shop.track("kim")
        wait_closed(self.server, "lazy")
        self.assertEqual(len(shop.events("kim")), 1)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_open(self.server, "lazy"):  # it may be closed again before we ask
            self.assertLess(time.monotonic(), deadline)
            shop.events("kim")
        wait_closed(self.server, "lazy")
        threads = [threading.Thread(target=self._track_alone, args=(shop, i)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(shop.events("kim")), 9)

    def _track_alone(self, shop, number):
        client = Client(self.server.address)
        client.expect(200, "POST", "/v1/track", {
            "userId": "kim", "event": "Seen", "messageId": f"m{number}", "writeKey": shop.key})
        client.close()

    def test_a_window_that_ends_while_it_is_closed_ends_at_its_exact_instant(self):
        shop = self.make("timers")
        shop.client.set_clock(START)
        shop.client.expect(201, "POST", "/api/v1/segments",
                           {"key": "minute", "name": "minute", "expression": MINUTE})
        shop.client.wait_live("minute")
        shop.track("kim")
        wait_closed(self.server, "timers")
        shop.client.set_clock(START + 90_000)
        history = shop.client.items("/api/v1/users/kim/segments/history")
        self.assertEqual([(row["change"], row["at"], row["cause"]) for row in history],
                         [("entered", write_instant(START), "event"),
                          ("exited", write_instant(START + 60_000), "expiry")])

    def ask(self, path, method="GET", body=None, **headers):
        client = Client(self.server.address, "")
        answer = client.request(method, path, body, headers)
        client.close()
        return answer

    def test_nobody_opens_a_closed_workspace_by_what_can_be_refused_without(self):
        shop = self.make("refusing")
        wait_closed(self.server, "refusing")
        opened = self.metric("sonnim_workspaces_opened_total")
        at, other = "/w/refusing", "sonnim_0123abcd_" + "A" * 43
        bearer = {"Authorization": f"Bearer {self.server.token}"}
        event = {"userId": "u", "event": "Seen"}
        basic = {"Authorization": "Basic " + base64.b64encode(b"wk_0123abcd_x:").decode()}
        ticket = f"wst_{shop.id[:8]}_" + "A" * 30
        socket = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        for answer, status in (
                (self.ask(f"{at}/api/v1/segments"), 401),
                (self.ask(f"{at}/metrics"), 401),
                (self.ask(f"{at}/api/v1/segments", **bearer), 401),
                (self.ask(f"{at}/api/v1/users/me", Authorization=f"Bearer {other}"), 401),
                (self.ask(f"{at}/api/v1/segments", Authorization="Bearer x"), 401),
                (self.ask(f"{at}/v1/track", "POST", event), 401),
                (self.ask(f"{at}/v1/track", "POST", {**event, "writeKey": "wk_0123abcd_x"}), 401),
                (self.ask(f"{at}/v1/track", "POST", event, **basic), 401),
                (self.ask(f"{at}/beacon/v1/batch?writeKey=x", "POST", {"batch": [event]}), 401),
                (self.ask(f"{at}/v1/track", "POST", b"{"), 400),
                (self.ask(f"{at}/v1/projects/wk_x/settings"), 404),
                (self.ask(f"{at}/ws/audiences", **socket), 401),
                (self.ask(f"{at}/ws/audiences?ticket={ticket}", **socket), 401),
                (self.ask(f"/ws/audiences?ticket={ticket}", **socket), 401),
                (self.ask(f"{at}/openapi.json"), 200), (self.ask(f"{at}/v1/m", "POST", {}), 200),
                (self.ask(f"{at}/.well-known/jwks.json"), 200)):
            self.assertEqual(answer.status, status, answer)
        for path in ("/health/live", "/health/ready", "/api/v1/events/health"):
            answer = self.ask(at + path)
            self.assertEqual((answer.status, answer.json["status"]), (200, "closed"), path)
        self.assertEqual(self.metric("sonnim_workspaces_opened_total"), opened)
        self.assertFalse(is_open(self.server, "refusing"))
        shop.track("kim")
        self.assertEqual(self.ask(f"{at}/health/ready").json["status"], "ready")

    def test_public_keys_are_told_while_it_is_closed(self):
        with Server("--workspace-idle", "1s", "--token-algorithm", "EdDSA", clock="wall") as server:
            shop = make(server, "shop")
            client = server.client(token="")
            keys = client.get("/w/shop/.well-known/jwks.json")
            self.assertEqual(len(keys["keys"]), 1)
            wait_closed(server, "shop")
            self.assertEqual(client.get("/w/shop/.well-known/jwks.json"), keys)
            self.assertFalse(is_open(server, "shop"))
            shop.client.close()
            client.close()

    def test_health_and_refused_requests_do_not_keep_a_workspace_open(self):
        shop = self.make("probed")
        shop.track("kim")
        stop = threading.Event()

        def probe():
            client = Client(self.server.address, "")
            while not stop.wait(0.05):
                client.request("GET", "/w/probed/health/ready")
                client.request("GET", "/w/probed/api/v1/segments")
                client.request("GET", "/w/probed/.well-known/jwks.json")
                client.request("POST", "/w/probed/v1/track", {"userId": "u", "event": "e"}, key="x")
            client.close()
        thread = threading.Thread(target=probe)
        thread.start()
        try:
            wait_closed(self.server, "probed")
        finally:
            stop.set()
            thread.join()

    def metric(self, name, path="/metrics", client=None):
        text = (client or self.client).request("GET", path).body.decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])

    def test_metrics_of_a_workspace_have_nothing_of_the_server(self):
        shop = self.make("measured")
        shop.track("kim")
        own = shop.client.request("GET", "/w/measured/metrics").body.decode()
        self.assertIn("\nsonnim_ingest_accepted_total 1\n", own)
        for name in ("process_", "sonnim_http_connections", "sonnim_http_websockets",
                     "sonnim_http_body_bytes", "sonnim_workspaces", "sonnim_disk_free",
                     "sonnim_memory_resident", "sonnim_tls_"):
            self.assertNotIn(f"\n{name}", own)
        home = self.client.request("GET", "/metrics").body.decode()
        for name in ("process_start_time_seconds", "sonnim_http_connections", "sonnim_workspaces",
                     "sonnim_disk_free_bytes", "sonnim_memory_resident_bytes"):
            self.assertIn(f"\n{name} ", home)

    def test_a_websocket_keeps_its_workspace_open(self):
        shop = self.make("socket")
        ticket = shop.client.expect(201, "POST", "/api/v1/ws-tickets", {}).json["ticket"]
        shop.track("kim")
        node = Node("socket.mjs",
                    f"ws://{self.server.address}/ws/users/kim/segments?ticket={ticket}")
        self.addCleanup(node.__exit__)
        self.assertEqual(node.next(), {"open": ""})
        self.assertEqual(node.next()["userId"], "kim")
        time.sleep(2.5)  # more than twice what it may be idle
        self.assertTrue(is_open(self.server, "socket"))
        node.__exit__()
        wait_closed(self.server, "socket")

    def test_a_deleted_workspace_leaves_no_file_and_no_key(self):
        shop, socket = self.make("gone"), None
        shop.track("kim")
        socket = Node("socket.mjs", f"ws://{self.server.address}/w/gone/ws/users/kim/segments",
                      f"sonnim.bearer.{shop.token}")
        self.addCleanup(socket.__exit__)
        self.assertIn("open", socket.next())
        path = "/api/v1/workspaces/gone"
        self.refused(self.client.request("DELETE", path), 400, "VALIDATION_ERROR", "confirm")
        self.refused(self.client.request("DELETE", path + "?confirm=other"), 400)
        self.assertTrue(places(self.server, shop)[0].exists())
        self.client.expect(204, "DELETE", path + "?confirm=gone")
        for place in places(self.server, shop):
            self.assertFalse(place.exists(), place)
        self.refused(shop.client.request("GET", "/api/v1/segments"), 401)
        self.refused(shop.client.request("GET", "/w/gone/api/v1/segments"), 404)
        self.refused(self.client.request("GET", path), 404)
        actions = [record["action"] for record in self.client.items("/api/v1/audit")]
        self.assertIn("workspace.delete", actions)
        again = self.make("gone")
        self.assertNotEqual(again.id, shop.id)
        self.assertEqual(again.events("kim"), [])

    def test_wishes_that_cannot_be_are_refused(self):
        def wish(**more):
            return self.client.request("POST", "/api/v1/workspaces",
                                       {"slug": "wishes", "name": "Wishes", **more})
        for field, value in (("slug", "Upper"), ("slug", "default"), ("slug", "a/b"),
                             ("slug", "x" * 41), ("name", ""), ("partitions", 0),
                             ("partitions", 2000), ("retentionDays", 1)):
            self.refused(wish(**{field: value}), 400, "VALIDATION_ERROR", field)
        self.refused(wish(limits={"memoryBytes": 1}), 400, "VALIDATION_ERROR",
                     "limits.memoryBytes")
        self.refused(wish(limits={"unknown": 1}), 400)
        self.make("wishes")
        self.refused(wish(), 409, "CONFLICT")
        shop = self.make("inner")
        self.refused(shop.client.request("POST", "/api/v1/workspaces",
                                         {"slug": "nested", "name": "n"}), 404)

    def test_limits_change_at_once_and_hold(self):
        shop = self.make("limits", limits={"profiles": 2})
        made = self.client.get("/api/v1/workspaces/limits")
        self.assertEqual(made["limits"],
                         {"memoryBytes": None, "diskBytes": None, "profiles": 2})
        for i in range(2):
            shop.track(f"user-{i}")
        deadline = time.monotonic() + DEADLINE_SECONDS
        body = {"userId": "user-3", "event": "Seen"}
        while (answer := self.client.request("POST", "/v1/track", body,
                                             key=shop.key)).status == 200:
            self.assertLess(time.monotonic(), deadline)  # looked at some times a second
            body["userId"] += "x"
        self.refused(answer, 503)
        self.assertTrue(answer.headers["Retry-After"])
        version = f'"{made["version"]}"'
        self.client.expect(200, "PUT", "/api/v1/workspaces/limits",
                           {"name": "More", "limits": {"profiles": 1000}},
                           headers={"If-Match": version})
        self.refused(self.client.request("PUT", "/api/v1/workspaces/limits", {"name": "Late"},
                                         headers={"If-Match": version}), 412)
        while self.client.request("POST", "/v1/track", body, key=shop.key).status != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)


    def command(self, *arguments, token=None):
        done = subprocess.run(
            [SONNIM, *arguments, "--url", f"http://{self.server.address}"], capture_output=True,
            text=True, timeout=300, check=False,
            env={**os.environ, "SONNIM_TOKEN": token or self.server.token})
        return done.returncode, done.stdout + done.stderr

    def test_commands_make_list_and_delete_workspaces_and_go_there(self):
        code, told = self.command("workspace", "create", "told", "By a command", "--json")
        self.assertEqual(code, 0, told)
        made = json.loads(told)
        code, told = self.command("workspace", "list")
        self.assertIn("By a command", told)
        for flags in ((), ("--workspace", "told")):
            code, told = self.command("source", "list", *flags, token=made["token"])
            self.assertIn(made["writeKey"], told)
        code, told = self.command("source", "list", "--workspace", "told")
        self.assertEqual(code, 1, told)
        code, told = self.command("workspace", "delete", "told", "tolt")
        self.assertEqual((code, "confirm" in told), (1, True), told)
        code, told = self.command("workspace", "delete", "told", "told")
        self.assertEqual(code, 0, told)
        code, told = self.command("workspace", "show", "told")
        self.assertEqual(code, 1, told)


class Members(ServerCase):
    flags = ("--partitions", "3")

    def setUp(self):
        super().setUp()
        self.shop = make(self.server, f"m{time.monotonic_ns()}")
        self.addCleanup(self.shop.client.close)

    def person(self, name, *roles):
        email = f"{name}-{time.monotonic_ns()}@example.com"
        person = self.client.expect(201, "POST", "/api/v1/people", {
            "email": email, "name": name, "password": PASSWORD, "roles": list(roles)}).json
        return person, self.log_in(email)

    def log_in(self, email, path=""):
        answer = self.client.expect(200, "POST", f"{path}/api/v1/auth/login",
                                    {"email": email, "password": PASSWORD}).json
        client = Client(self.server.address, answer["access_token"])
        self.addCleanup(client.close)
        return client

    def members(self):
        return f"/api/v1/workspaces/{self.shop.id}/members"

    def switch(self, client):
        """Who he is there, and what he was given."""
        grant = client.expect(200, "POST", f"/api/v1/workspaces/{self.shop.slug}/switch").json
        there = Client(self.server.address, grant["access_token"])
        self.addCleanup(there.close)
        return there, grant

    def test_a_member_switches_and_has_the_roles_that_he_has_there(self):
        person, home = self.person("kim", "viewer")
        path = f"/api/v1/workspaces/{self.shop.slug}/switch"
        self.refused(home.request("POST", path), 404)
        self.client.expect(200, "PUT", f"{self.members()}/{person['id']}", {"roles": ["engineer"]})
        mine = home.get("/api/v1/users/me/workspaces")["items"]
        self.assertEqual([(w["slug"], w["roles"]) for w in mine], [(self.shop.slug, ["engineer"])])
        there, grant = self.switch(home)
        self.assertEqual(grant["user"]["roles"], ["engineer"])
        there.expect(201, "POST", "/api/v1/sources", {"name": "his"})
        self.refused(home.request("POST", "/api/v1/sources", {"name": "not his"}), 403)
        self.refused(there.request("GET", "/w/default/api/v1/segments"), 401)
        self.refused(home.request("GET", f"/w/{self.shop.slug}/api/v1/segments"), 401)
        refreshed = self.client.expect(
            200, "POST", f"/w/{self.shop.slug}/api/v1/auth/refresh",
            {"refresh_token": grant["refresh_token"]}).json
        self.assertEqual(Client(self.server.address, refreshed["access_token"]).request(
            "GET", "/api/v1/sources").status, 200)

    def test_nobody_logs_in_there_by_what_he_is_at_home(self):
        person, _ = self.person("lee", "viewer")
        self.client.expect(200, "PUT", f"{self.members()}/{person['id']}", {"roles": ["viewer"]})
        for password in (PASSWORD, "", "linked"):
            self.assertIn(self.client.request(
                "POST", f"/w/{self.shop.slug}/api/v1/auth/login",
                {"email": person["email"], "password": password}).status, (400, 401))

    def ended(self, client, there, grant):
        self.refused(there.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")
        self.refused(self.client.request("POST", f"/w/{self.shop.slug}/api/v1/auth/refresh",
                                         {"refresh_token": grant["refresh_token"]}), 401)
        client.close()

    def gone(self, end):
        person, home = self.person("park", "viewer")
        self.client.expect(200, "PUT", f"{self.members()}/{person['id']}", {"roles": ["viewer"]})
        there, grant = self.switch(home)
        there.get("/api/v1/segments")
        end(person, home)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while there.request("GET", "/api/v1/segments").status == 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.ended(home, there, grant)

    def test_a_session_there_ends_with_the_one_at_home(self):
        self.gone(lambda person, home: home.expect(204, "POST", "/api/v1/auth/logout"))

    def test_a_session_there_ends_with_the_membership(self):
        self.gone(lambda person, home: self.client.expect(
            204, "DELETE", f"{self.members()}/{person['id']}"))
        self.assertEqual(self.client.get(self.members())["items"], [])

    def test_a_session_there_ends_when_the_person_is_switched_off(self):
        self.gone(lambda person, home: self.client.expect(
            200, "PUT", f"/api/v1/people/{person['id']}", {"active": False}))

    def test_a_session_there_ends_with_the_person(self):
        def delete(person, home):
            self.client.expect(204, "DELETE", f"/api/v1/people/{person['id']}")
        self.gone(delete)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while "park" in json.dumps(self.shop.client.items("/api/v1/people")):
            self.assertLess(time.monotonic(), deadline)  # his name there too
            time.sleep(0.01)

    def test_a_token_that_he_made_there_rests_while_he_is_switched_off_at_home(self):
        person, home = self.person("choi", "viewer")
        self.client.expect(200, "PUT", f"{self.members()}/{person['id']}", {"roles": ["engineer"]})
        there, _ = self.switch(home)
        made = there.expect(201, "POST", "/api/v1/tokens",
                            {"name": "his", "scopes": ["segment.read"]}).json
        program = Client(self.server.address, made["token"])
        self.addCleanup(program.close)
        program.get("/api/v1/segments")
        for active, status in ((False, 401), (True, 200)):
            self.client.expect(200, "PUT", f"/api/v1/people/{person['id']}", {"active": active})
            deadline = time.monotonic() + DEADLINE_SECONDS
            while program.request("GET", "/api/v1/segments").status != status:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)

    def test_a_socket_there_is_closed_when_the_membership_ends(self):
        person, home = self.person("choi", "viewer")
        member = f"{self.members()}/{person['id']}"
        self.client.expect(200, "PUT", member, {"roles": ["analyst"]})
        _, grant = self.switch(home)
        self.shop.track("watched")
        node = Node("socket.mjs", f"ws://{self.server.address}/ws/users/watched/segments",
                    f"sonnim.bearer.{grant['access_token']}")
        self.addCleanup(node.__exit__)
        self.assertIn("open", node.next())
        self.assertEqual(node.next()["userId"], "watched")
        self.client.expect(204, "DELETE", member)
        self.assertEqual(node.next().get("closed"), 1008)

    def test_who_makes_a_workspace_is_its_administrator(self):
        _, home = self.person("founder", "admin")
        made = home.expect(201, "POST", "/api/v1/workspaces",
                           {"slug": f"f{time.monotonic_ns()}", "name": "Founded"}).json
        grant = home.expect(200, "POST", f"/api/v1/workspaces/{made['id']}/switch").json
        self.assertEqual(grant["user"]["roles"], ["admin"])

    def test_roles_must_be_there_and_members_people(self):
        person, _ = self.person("jung", "viewer")
        for roles in ([], ["unknown"], "viewer", [1]):
            self.refused(self.client.request("PUT", f"{self.members()}/{person['id']}",
                                             {"roles": roles}), 400, "VALIDATION_ERROR", "roles")
        self.refused(self.client.request("PUT", f"{self.members()}/nobody",
                                         {"roles": ["viewer"]}), 404)
        self.refused(self.client.request("DELETE", f"{self.members()}/{person['id']}"), 404)


class FullDisks(unittest.TestCase):
    BLOCKS = 3  # enough for the first of its files

    def test_one_for_which_there_is_no_room_is_not_made_and_can_be_made_later(self):
        with contextlib.ExitStack() as stack:
            self.addCleanup(stack.close)
            directory = temporary_directory()
            self.addCleanup(remove_directory, directory)
            mount(self, directory / "keyring", "8m")
            server = stack.enter_context(Server(directory=directory))
            client = server.client()
            ballast = fill(directory / "keyring", self.BLOCKS)
            wish = {"slug": "shop", "name": "Shop"}
            answer = client.request("POST", "/api/v1/workspaces", wish)
            self.assertEqual((answer.status, answer.code), (503, "NO_SPACE"), answer)
            self.assertIn("No space left", answer.json["error"]["message"])
            self.assertEqual(client.items("/api/v1/workspaces"), [])
            for place in (directory / "keyring", server.data):
                self.assertEqual(list((place / "workspaces").iterdir()), [])
            ballast.unlink()
            client.expect(201, "POST", "/api/v1/workspaces", wish)
            client.close()


class Strangers(unittest.TestCase):
    def test_an_address_opens_closed_workspaces_and_guesses_names_as_often_as_it_may_ask(self):
        near, far = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
        path = "/api/v1/segments"
        with Server("--trusted-proxies", "127.0.0.1", "--workspace-idle", "1s",
                    "--limit-address", "1", "--limit-address-burst", "20") as server:
            shop = make(server, "shop")
            server.client().expect(200, "GET", path)
            stranger = server.client(token="")
            code = shop.id[:8]
            got = [stranger.request("GET", f"/w/no-{i}{path}", headers=near) for i in range(60)]
            self.assertEqual({answer.status for answer in got}, {404, 429})
            refused = [answer for answer in got if answer.status == 429][0]
            self.assertEqual(refused.json["error"]["details"]["limit"], "address")
            wait_closed(server, "shop")
            for way in (dict(path=f"/w/shop{path}",
                             headers={"Authorization": f"Bearer sonnim_{code}_x"}),
                        dict(path="/w/shop/api/v1/auth/login", method="POST",
                             body={"email": "a@example.com", "password": PASSWORD}),
                        dict(path=path, headers={"Authorization": f"Bearer sonnim_{code}_x"}),
                        dict(path="/v1/track", method="POST", key=f"wk_{code}_x",
                             body={"userId": "u", "event": "Seen"})):
                self._ask_until_refused(server, stranger, near, **way)
                self.assertFalse(is_open(server, "shop"), way)
            status = 503
            while status == 503:
                status = stranger.request("GET", f"/w/shop{path}", headers={
                    **far, "Authorization": f"Bearer sonnim_{code}_x"}).status
            self.assertEqual(status, 401)
            # It is open now, and whoever is known there goes on, from that address too.
            self.assertEqual(shop.client.request("GET", path).status, 200)
            self.assertEqual(shop.client.request("GET", path, headers=near).status, 200)
            shop.client.close()

    def _ask_until_refused(self, server, stranger, near, path, method="GET", body=None, key=None,
                           headers=None):
        """Names that there are not empty the bucket; a drop may come back before we ask."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            for i in range(30):
                stranger.request("GET", f"/w/no-{i}/api/v1/segments", headers=near)
            status = stranger.request(method, path, body, headers={**near, **(headers or {})},
                                      key=key).status
            if status == 429:
                return
            while status == 503 and not is_open(server, "shop"):  # it takes longer than he waits
                self.assertLess(time.monotonic(), deadline, path)
            self.assertLess(time.monotonic(), deadline, path)
            wait_closed(server, "shop")


class Sender(threading.Thread):
    """Sends events of one workspace, one by one, until it is told to stop or the server is gone;
    `patient`: then it sends the same event again."""

    def __init__(self, server, key, patient=False):
        super().__init__(daemon=True)
        self.server, self.key, self.patient = server, key, patient
        self.acknowledged, self.count = set(), 0
        self.position = None  # of the last one
        self.stopping = False
        self.failure = None

    def run(self):
        client = Client(self.server.address)
        while not self.stopping and self.failure is None:
            number = f"m{self.count}"
            try:
                answer = client.request("POST", "/v1/track", {
                    "userId": "sender", "event": "Sent", "messageId": number,
                    "properties": {"number": number}}, key=self.key)
            except (OSError, ConnectionError, http.client.HTTPException):
                client.close()
                if not self.patient:
                    return
                continue
            if answer.status == 200:
                self.acknowledged.add(number)
                self.position = answer.position
                self.count += 1
            elif answer.status != 503:
                self.failure = answer
        client.close()

    def wait_for(self, count):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.acknowledged) < count:
            if time.monotonic() > deadline or self.failure is not None:
                raise Refused(f"{len(self.acknowledged)} of {count}: {self.failure!r}\n"
                              f"{self.server.log_tail()}")
            time.sleep(0.005)


class Crashes(unittest.TestCase):
    """Servers of their own, which are killed, or taken over."""

    def setUp(self):
        self.seed = int(os.environ.get("SONNIM_TEST_SEED", random.randrange(1 << 32)))
        print(f"SONNIM_TEST_SEED={self.seed}")
        self.random = random.Random(self.seed)
        self.directory = temporary_directory()
        self.addCleanup(remove_directory, self.directory)
        self.flags = ["--partitions", "2", "--backup-directory", str(self.directory / "backup"),
                      "--backup-key-file", str(self.make_key())]

    def make_key(self):
        path = self.directory / "backup.key"
        path.write_text("11" * 32 + "\n")
        path.chmod(0o600)
        return path

    def server(self, *flags, address="127.0.0.1:0"):
        server = Server(*self.flags, *flags, directory=self.directory, clock="wall",
                        address=address)
        self.addCleanup(server.kill)
        return server

    def sent(self, client, position):
        items = client.items("/api/v1/users/sender/events",
                             headers={"X-Sonnim-Min-Position": position})
        return [item["properties"]["number"] for item in items]

    def check_all(self, sender, client):
        found = self.sent(client, sender.position)
        self.assertEqual(len(found), len(set(found)), "an event is there twice")
        self.assertEqual(sender.acknowledged - set(found), set(), "an event is lost")

    def test_kill_9_under_load_loses_nothing_in_any_workspace(self):
        server = self.server()
        server.start()
        home_key = server.make_key()
        shops = [make(server, "one"), make(server, "two")]
        senders = {key: set() for key in (home_key, *(shop.key for shop in shops))}
        for _ in range(int(os.environ.get("SONNIM_TEST_WORKSPACE_KILLS", "3"))):
            running = []
            for key, before in senders.items():
                sender = Sender(server, key)
                sender.acknowledged, sender.count = before, len(before)
                running.append(sender)
                sender.start()
            for sender in running:
                sender.wait_for(len(sender.acknowledged) + self.random.randrange(1, 60))
            server.kill()
            for sender in running:
                sender.join()
                self.assertIsNone(sender.failure)
            server.start()
            home = server.client()
            self.check_all(running[0], home)
            home.close()
            for shop, sender in zip(shops, running[1:]):
                shop.renew()
                self.check_all(sender, shop.client)
        server.stop()

    def test_kill_9_amidst_making_and_deleting_leaves_whole_workspaces_or_none(self):
        server = self.server()
        for turn in range(int(os.environ.get("SONNIM_TEST_WORKSPACE_KILLS", "4"))):
            server.start()
            made, deleted = {}, set()
            changer = threading.Thread(target=self._make_and_delete,
                                       args=(server, turn, made, deleted), daemon=True)
            changer.start()
            time.sleep(self.random.random() * 0.4)
            server.kill()
            changer.join()
            server.start()
            client = server.client()
            there = {item["id"]: item for item in client.items("/api/v1/workspaces")}
            client.close()
            self.assertEqual({item["state"] for item in there.values()} - {"active"}, set())
            for place in (server.data, self.directory / "keyring"):
                found = place / "workspaces"
                names = {path.name for path in found.iterdir()} if found.exists() else set()
                self.assertEqual(names, set(there), place)
            for identity, workspace in made.items():
                if identity in deleted:
                    self.assertNotIn(identity, there)
                elif identity in there:  # else its deletion was on its way
                    workspace.renew()
                    self.assertEqual(len(workspace.events("kim")), 1)
            server.stop()

    @staticmethod
    def _make_and_delete(server, turn, made, deleted):
        client = server.client()
        try:
            for number in range(1000):
                workspace = make(server, f"w{turn}-{number}")
                workspace.track("kim")
                made[workspace.id] = workspace
                if number % 2 == 0:
                    client.expect(204, "DELETE", f"/api/v1/workspaces/{workspace.id}"
                                                 f"?confirm={workspace.slug}")
                    deleted.add(workspace.id)
        except (OSError, http.client.HTTPException, Refused):
            pass  # killed

    def test_a_successor_takes_over_all_workspaces(self):
        server = self.server()
        server.start()
        shops = [make(server, "one"), make(server, "two")]
        senders = [Sender(server, shop.key, patient=True) for shop in shops]
        for sender in senders:
            sender.start()
        for _ in range(2):
            for sender in senders:
                sender.wait_for(len(sender.acknowledged) + 20)
            old, server = server, self.server("--take-over", address=server.address)
            server.start()
            self.assertEqual(old.wait_end(), 0, old.log_tail())
        for sender in senders:
            sender.wait_for(len(sender.acknowledged) + 20)
            sender.stopping = True
        for sender, shop in zip(senders, shops):
            sender.join()
            shop.server = server
            shop.renew()
            self.check_all(sender, shop.client)
        server.stop()

    def test_one_workspace_is_backed_up_and_restored_by_itself(self):
        server = self.server()
        server.start()
        shop, other = make(server, "shop"), make(server, "other")
        shop.track("kim")
        other.track("lee")
        self.assertEqual(self.take(shop.client)["state"], "done")
        home = server.client()
        self.assertEqual(self.take(home)["state"], "done")
        home.close()
        server.stop()
        places = {name: self.directory / name / "workspaces" / shop.id
                  for name in ("data", "keyring", "backup")}
        shutil.rmtree(places["data"])
        self.restore(*places.values())
        apart = self.directory / "apart"
        self.restore(apart, self.directory / "keyring", self.directory / "backup")
        self.assertTrue((apart / "store.db").exists())
        self.assertFalse((apart / "workspaces").exists())  # home's has nothing of the others
        server.start()
        for workspace, user in ((shop, "kim"), (other, "lee")):
            workspace.renew()
            self.assertEqual(len(workspace.events(user)), 1)
        server.stop()

    def restore(self, data, keyring, backup):
        done = subprocess.run([SONNIM, "restore", "--from", str(backup), "--data", str(data),
                               "--keyring", str(keyring), "--backup-key-file",
                               str(self.directory / "backup.key")],
                              capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    @staticmethod
    def take(client):
        job = client.expect(200, "POST", "/api/v1/backups").json
        deadline = time.monotonic() + DEADLINE_SECONDS
        while job["state"] in ("queued", "running") and time.monotonic() < deadline:
            time.sleep(0.01)
            job = client.get(f"/api/v1/jobs/{job['id']}")
        return job

    def test_one_that_cannot_be_opened_harms_nobody(self):
        server = self.server()
        server.start()
        shop, other = make(server, "broken"), make(server, "sound")
        shop.track("kim")
        server.stop()
        (self.directory / "keyring" / "workspaces" / shop.id / "master.key").unlink()
        server.start()
        shop.renew()
        answer = shop.client.request("GET", "/api/v1/segments")
        self.assertEqual(answer.status, 503, answer)
        self.assertTrue(answer.headers["Retry-After"])
        other.renew()
        other.track("lee")
        home = server.client()
        health = home.get("/health/ready")
        self.assertEqual((health["status"], health["workspaces"]["failed"]), ("ready", 1))
        self.assertIn(b"\nsonnim_workspaces_failed 1\n", home.request("GET", "/metrics").body)
        self.assertEqual(home.get("/api/v1/workspaces/broken")["state"], "failed")
        home.close()
        (self.directory / "keyring" / "workspaces" / other.id / "master.key").chmod(0o644)
        found = {(row["workspace"], row["check"], row["state"]): row["text"]
                 for row in self.doctor(server)}
        self.assertIn("broken", found[shop.id, "workspace", "warning"])
        self.assertIn("master.key can be read", found[other.id, "keyring", "warning"])
        self.assertEqual({row[2] for row in found if row[0] is None} - {"ok", "warning"}, set())
        server.stop()

    def test_the_doctor_looks_at_every_workspace(self):
        server = self.server()
        server.start()
        sound, changed = make(server, "sound"), make(server, "changed")
        for shop in (sound, changed):
            shop.track("kim")
            shop.client.close()
        server.stop()
        trails = self.directory / "data" / "workspaces" / changed.id / "audit"
        trail = next(trails.glob("*.jsonl"))
        trail.write_bytes(trail.read_bytes()[:-40])
        rows = self.doctor(server)
        self.assertEqual([row["check"] for row in rows if row["workspace"] == sound.id
                          and row["state"] == "ok"], ["workspace"])
        self.assertEqual([row["check"] for row in rows if row["workspace"] == changed.id
                          and row["state"] == "warning"], ["audit"])

    def test_the_doctor_names_a_store_that_is_none_and_a_keyring_of_others(self):
        server = self.server()
        server.start()
        broken, changed, other = (make(server, slug) for slug in ("broken", "changed", "other"))
        for shop in (broken, changed, other):
            shop.client.close()
        server.stop()
        keys = self.directory / "keyring" / "workspaces"
        shutil.copy(keys / other.id / "keys.log", keys / changed.id / "keys.log")
        store = self.directory / "data" / "workspaces" / broken.id / "store.db"
        store.write_bytes(b"none" * 1024 + store.read_bytes()[4096:])
        found = {(row["workspace"], row["check"], row["state"]): row["text"]
                 for row in self.doctor(server)}
        self.assertIn("store.db", found[broken.id, "store", "failure"])
        self.assertIn("another workspace", found[changed.id, "keyring", "failure"])
        self.assertIn((other.id, "workspace", "ok"), found)

    def doctor(self, server):
        done = subprocess.run(
            [SONNIM, "doctor", "--json", "--data", self.directory / "data", "--keyring",
             self.directory / "keyring", "--url", f"http://{server.address}"],
            env={**os.environ, "SONNIM_TOKEN": server.token}, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=300)
        self.assertIn(done.returncode, (0, 1), done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_no_more_are_open_than_may_be(self):
        server = self.server("--workspaces-open-max", "1")
        server.start()
        shops = [make(server, f"shop-{i}") for i in range(3)]
        for _ in range(2):
            for shop in shops:
                deadline = time.monotonic() + DEADLINE_SECONDS
                while shop.client.request("GET", "/api/v1/segments").status == 503:
                    self.assertLess(time.monotonic(), deadline)
                client = server.client()
                items = client.items("/api/v1/workspaces")
                client.close()
                self.assertEqual([item["slug"] for item in items if item["open"]], [shop.slug])
        server.stop()
