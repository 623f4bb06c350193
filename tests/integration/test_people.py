"""People: how they come, log in, go on and out, and what keeps others from doing so."""
import base64
import concurrent.futures
import email as email_module
import json
import pathlib
import re
import shutil
import tempfile
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone
from email.header import decode_header, make_header

from case import ServerCase
from program import Node
from server import Client, Server, contents
from totp import App

PASSWORD = "a long one that only I know"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class PeopleCase(ServerCase):
    number = 0

    def anybody(self):
        client = Client(self.server.address)
        self.addCleanup(client.close)
        return client

    def add(self, *roles, **more):
        PeopleCase.number += 1
        wish = {"email": f"p{PeopleCase.number}@example.com", "name": "Kim",
                "password": PASSWORD, "roles": list(roles or ["viewer"]), **more}
        return self.client.expect(201, "POST", "/api/v1/people", wish).json

    def login(self, email, password=PASSWORD, **more):
        return self.anybody().request("POST", "/api/v1/auth/login",
                                      {"email": email, "password": password, **more})

    def logged_in(self, *roles):
        """A client of a new person, and what he was given."""
        person = self.add(*roles)
        answer = self.login(person["email"])
        self.assertEqual(answer.status, 200, answer)
        client = Client(self.server.address, answer.json["access_token"])
        self.addCleanup(client.close)
        return client, answer.json

    def metric(self, name):
        for line in self.client.expect(200, "GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " ") or line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(name)


class Registration(PeopleCase):
    def test_an_invitation_makes_one_person_who_is_logged_in(self):
        invited = self.client.expect(201, "POST", "/api/v1/invitations",
                                     {"email": "Lee@example.com", "roles": ["analyst"]}).json
        wish = {"invitation": invited["invitation"], "name": "Lee", "password": PASSWORD}
        grant = self.anybody().expect(201, "POST", "/api/v1/auth/register", wish)
        self.assertEqual(grant.headers["Cache-Control"], "no-store")
        user = grant.json["user"]
        self.assertEqual((user["email"], user["roles"]), ("Lee@example.com", ["analyst"]))
        me = Client(self.server.address, grant.json["access_token"])
        self.addCleanup(me.close)
        self.assertEqual(me.get("/api/v1/users/me"), user)
        self.refused(self.anybody().request("POST", "/api/v1/auth/register", wish), 401,
                     "UNAUTHORIZED", "invitation")
        self.assertEqual(self.login("lee@EXAMPLE.com").status, 200)

    def test_nobody_comes_without_an_invitation(self):
        withdrawn = self.client.expect(201, "POST", "/api/v1/invitations",
                                       {"email": "x@example.com", "roles": ["viewer"]}).json
        self.client.expect(204, "DELETE", f"/api/v1/invitations/{withdrawn['id']}")
        for text in ("sni_" + "A" * 43, "x", withdrawn["invitation"], self.server.token):
            answer = self.anybody().request("POST", "/api/v1/auth/register", {
                "invitation": text, "name": "x", "password": PASSWORD})
            self.refused(answer, 401, "UNAUTHORIZED", "invitation")

    def test_the_text_of_an_invitation_is_shown_once(self):
        made = self.client.expect(201, "POST", "/api/v1/invitations",
                                  {"email": "y@example.com", "roles": ["viewer"]}).json
        listed = self.client.expect(200, "GET", "/api/v1/invitations?limit=1000")
        self.assertNotIn(made["invitation"].encode(), listed.body)
        self.assertIn(made["id"].encode(), listed.body)

    def test_a_bad_wish_is_refused_with_its_place(self):
        good = {"email": "z@example.com", "name": "Z", "password": PASSWORD, "roles": ["viewer"]}
        for change, field in [({"email": "z"}, "email"), ({"email": "a@b@c"}, "email"),
                              ({"email": "a b@c"}, "email"), ({"password": "short"}, "password"),
                              ({"password": "aaaaaaaaaaaaaaa"}, "password"),
                              ({"password": "Z@example.com"}, "password"),
                              ({"roles": []}, "roles"), ({"roles": ["king"]}, "roles"),
                              ({"roles": "admin"}, "roles"), ({"roles": ["viewer\0"]}, "roles"),
                              ({"name": ""}, "name"),
                              ({"name": "a\nb"}, "name"),
                              ({"subscription_tier": "gold"}, "subscription_tier"),
                              ({"admin": True}, "admin")]:
            with self.subTest(change=change):
                self.refused(self.client.request("POST", "/api/v1/people", {**good, **change}),
                             400, "VALIDATION_ERROR", field)

    def test_an_address_is_one_persons_only(self):
        person = self.add()
        answer = self.client.request("POST", "/api/v1/people", {
            "email": person["email"].upper(), "name": "x", "password": PASSWORD,
            "roles": ["viewer"]})
        self.refused(answer, 409, "CONFLICT", "email")


class FirstStart(unittest.TestCase):
    def start(self, *flags):
        server = Server("--partitions", "2", *flags)
        server.start()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def register(self, server, token, **more):
        client = Client(server.address)
        self.addCleanup(client.close)
        return client.request("POST", "/api/v1/auth/register", {
            "invitation": token, "name": "First", "password": PASSWORD, **more})

    def test_the_setup_token_makes_the_first_admin_once(self):
        place = pathlib.Path(tempfile.mkdtemp(dir="/tmp")) / "setup"
        self.addCleanup(shutil.rmtree, place.parent)
        server = self.start("--setup-token-file", str(place))
        self.assertEqual(place.stat().st_mode & 0o777, 0o600)
        token = place.read_text().strip()
        self.assertNotIn(token.encode(), (server.data / "store.db").read_bytes())
        self.assertNotIn(token.encode(), server.log_file.read_bytes())
        listed = server.client().get("/api/v1/invitations")["items"]
        self.assertEqual([(each["email"], each["roles"], each["expires_at"])
                          for each in listed], [(None, ["admin"], None)])
        self.assertEqual(self.register(server, token).status, 400)
        self.assertEqual(self.register(server, token, email="nobody").status, 400)
        made = self.register(server, token, email="first@example.com")
        self.assertEqual((made.status, made.json["user"]["roles"]), (201, ["admin"]), made)
        again = self.register(server, token, email="second@example.com")
        self.assertEqual(again.status, 401, again)

    def test_the_setup_token_is_void_once_there_is_a_person(self):
        place = pathlib.Path(tempfile.mkdtemp(dir="/tmp")) / "setup"
        self.addCleanup(shutil.rmtree, place.parent)
        server = self.start("--setup-token-file", str(place))
        client = server.client()
        self.addCleanup(client.close)
        client.expect(201, "POST", "/api/v1/people", {
            "email": "a@example.com", "name": "A", "password": PASSWORD, "roles": ["viewer"]})
        self.assertEqual(client.get("/api/v1/invitations")["items"], [])
        refused = self.register(server, place.read_text().strip(), email="b@example.com")
        self.assertEqual(refused.status, 401, refused)

    def test_an_invitation_says_the_address_itself(self):
        client = self.start().client()
        self.addCleanup(client.close)
        self.assertEqual(client.get("/api/v1/invitations")["items"], [])  # nobody would learn it
        invited = client.expect(201, "POST", "/api/v1/invitations",
                                {"email": "c@example.com", "roles": ["viewer"]}).json
        refused = client.request("POST", "/api/v1/auth/register", {
            "invitation": invited["invitation"], "email": "d@example.com", "name": "D",
            "password": PASSWORD})
        self.assertEqual((refused.status, refused.json["error"]["details"]["field"]),
                         (400, "email"))


class Logins(PeopleCase):
    def test_a_login_gives_a_token_of_the_promised_shape(self):
        _, grant = self.logged_in("analyst", "operator")
        claims = claims_of(grant["access_token"])
        user = grant["user"]
        self.assertEqual(claims["exp"], claims["iat"] + 3600)
        self.assertEqual((claims["sub"], claims["user_id"]), (user["id"], user["id"]))
        self.assertEqual((claims["email"], claims["subscription_tier"]), (user["email"], "free"))
        self.assertEqual(claims["iss"], "sonnim")
        self.assertEqual(set(claims["permissions"]), set(user["permissions"]))
        self.assertEqual(set(claims["permissions"]), {
            "audience.read", "segment.read", "dimension.read", "job.read", "user.read",
            "job.write", "metrics.read", "audit.read"})
        header = json.loads(base64.urlsafe_b64decode(grant["access_token"].split(".")[0] + "=="))
        self.assertEqual((header["alg"], header["typ"]), ("HS256", "JWT"))
        self.assertIn(header["kid"], [key["kid"] for key in
                                      self.client.get("/api/v1/signing-keys")["items"]])

    def test_wrong_passwords_and_unknown_addresses_are_told_apart_by_nothing(self):
        known, off = self.add(), self.add()
        self.client.expect(200, "PUT", f"/api/v1/people/{off['id']}", {"active": False})
        before = self.metric("sonnim_login_passwords_total")
        answers = [self.login(email, password) for email, password in [
            (known["email"], "wrong, but long enough"), ("nobody@example.com", PASSWORD),
            (off["email"], PASSWORD)]]
        # The same work too: a password is compared each time.
        self.assertEqual(self.metric("sonnim_login_passwords_total"), before + 3)
        texts = set()
        for answer in answers:
            error = self.refused(answer, 401, "UNAUTHORIZED")
            texts.add(json.dumps([error["message"], error["details"]]))
        self.assertEqual(len(texts), 1)

    def test_a_guesser_waits_and_a_known_device_goes_on(self):
        person, other = self.add(), self.add()
        device = self.login(person["email"]).json["device_token"]
        foreign = self.login(other["email"]).json["device_token"]
        for _ in range(6):
            self.refused(self.login(person["email"], "wrong, but long enough"), 401)
        answer = self.login(person["email"])
        self.refused(answer, 429, "RATE_LIMITED")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        for no_device in (foreign, device[:30] + device[31:] + "A", "snd_x"):
            self.refused(self.login(person["email"], device_token=no_device), 429)
        self.assertEqual(self.login(other["email"]).status, 200)
        self.assertEqual(self.login(person["email"], device_token=device).status, 200)

    def test_a_guesser_of_nobody_waits_alike(self):
        for _ in range(6):
            self.refused(self.login("none@example.com", "wrong, but long enough"), 401)
        self.refused(self.login("none@example.com"), 429, "RATE_LIMITED")

    def test_out_is_out_at_once(self):
        client, grant = self.logged_in()
        client.expect(200, "GET", "/api/v1/segments")
        client.expect(204, "POST", "/api/v1/auth/logout")
        self.refused(client.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")
        self.refused(self.anybody().request("POST", "/api/v1/auth/refresh", {
            "refresh_token": grant["refresh_token"]}), 401)

    def test_the_password_is_changed_and_ends_other_sessions(self):
        client, grant = self.logged_in()
        email = grant["user"]["email"]
        second = Client(self.server.address, self.login(email).json["access_token"])
        self.addCleanup(second.close)
        second.expect(200, "GET", "/api/v1/users/me")
        self.refused(client.request("PUT", "/api/v1/auth/password", {
            "current_password": "not this one", "password": PASSWORD + "!"}), 401,
            "UNAUTHORIZED", "current_password")
        client.expect(204, "PUT", "/api/v1/auth/password",
                      {"current_password": PASSWORD, "password": PASSWORD + "!"})
        client.expect(200, "GET", "/api/v1/users/me")
        self.refused(second.request("GET", "/api/v1/users/me"), 401)
        self.refused(self.login(email), 401)
        self.assertEqual(self.login(email, PASSWORD + "!").status, 200)


class Refreshing(PeopleCase):
    def refresh(self, token):
        return self.anybody().request("POST", "/api/v1/auth/refresh", {"refresh_token": token})

    def test_a_refresh_token_is_good_once_and_then_kills_the_family(self):
        client, first = self.logged_in()
        second = self.refresh(first["refresh_token"])
        self.assertEqual(second.status, 200)
        renewed = Client(self.server.address, second.json["access_token"])
        self.addCleanup(renewed.close)
        renewed.expect(200, "GET", "/api/v1/users/me")
        client.expect(200, "GET", "/api/v1/users/me")
        before = self.metric("sonnim_login_reuses_total")
        self.refused(self.refresh(first["refresh_token"]), 401, "UNAUTHORIZED")
        self.assertEqual(self.metric("sonnim_login_reuses_total"), before + 1)
        for each in (client, renewed):
            self.refused(each.request("GET", "/api/v1/users/me"), 401)
        self.refused(self.refresh(second.json["refresh_token"]), 401)

    def test_a_made_up_refresh_token_ends_nobodys_session(self):
        client, grant = self.logged_in()
        token = grant["refresh_token"]
        for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[:20] + token[24:],
                      "snd_" + token[4:], "", "x" * 600, grant["device_token"]):
            answer = self.refresh(wrong)
            self.assertIn(answer.status, (400, 401), answer)
        client.expect(200, "GET", "/api/v1/users/me")
        self.assertEqual(self.refresh(token).status, 200)

    def test_sessions_are_listed_and_ended(self):
        client, grant = self.logged_in()
        other = Client(self.server.address, self.login(grant["user"]["email"]).json["access_token"])
        self.addCleanup(other.close)
        sessions = client.get("/api/v1/auth/sessions")["items"]
        self.assertEqual([each["current"] for each in sessions], [True, False])
        self.assertEqual(sessions[0]["address"], "127.0.0.1")
        client.expect(204, "DELETE", f"/api/v1/auth/sessions/{sessions[1]['id']}")
        self.refused(other.request("GET", "/api/v1/users/me"), 401)
        stranger, _ = self.logged_in()
        self.refused(stranger.request("DELETE", f"/api/v1/auth/sessions/{sessions[0]['id']}"), 404)
        client.expect(204, "DELETE", f"/api/v1/auth/sessions/{sessions[0]['id']}")
        self.refused(client.request("GET", "/api/v1/users/me"), 401)

    def test_all_others_are_ended_at_once(self):
        client, grant = self.logged_in()
        self.login(grant["user"]["email"])
        self.login(grant["user"]["email"])
        client.expect(204, "DELETE", "/api/v1/auth/sessions")
        self.assertEqual(len(client.get("/api/v1/auth/sessions")["items"]), 1)
        path = f"/api/v1/people/{grant['user']['id']}/sessions"
        self.assertEqual(self.client.get(path)["total"], 1)
        self.client.expect(204, "DELETE", path)
        self.refused(client.request("GET", "/api/v1/users/me"), 401)


class Me(PeopleCase):
    def test_settings_are_kept_as_a_whole(self):
        client, _ = self.logged_in()
        self.assertEqual(client.get("/api/v1/users/settings"), {})
        wish = {"language": "ko", "timezone": "Asia/Seoul", "notifications": {"email": False}}
        self.assertEqual(client.expect(200, "PUT", "/api/v1/users/settings", wish).json, wish)
        self.assertEqual(client.get("/api/v1/users/settings"), wish)
        client.expect(200, "PUT", "/api/v1/users/settings", {"language": "en"})
        self.assertEqual(client.get("/api/v1/users/settings"), {"language": "en"})
        for bad, field in [({"language": "fr"}, "language"), ({"timezone": "Mars/X"}, "timezone"),
                           ({"notifications": {"email": 1}}, "notifications"), ({"x": 1}, "x")]:
            self.refused(client.request("PUT", "/api/v1/users/settings", bad), 400,
                         "VALIDATION_ERROR", field)

    def test_a_name_is_ones_own_to_change_and_roles_are_not(self):
        client, _ = self.logged_in()
        self.assertEqual(client.expect(200, "PUT", "/api/v1/users/me", {"name": "민"}).json["name"],
                         "민")
        self.refused(client.request("PUT", "/api/v1/users/me", {"name": "x", "roles": ["admin"]}),
                     400, "VALIDATION_ERROR", "roles")

    def test_a_subscription_is_changed_by_who_may_change_settings(self):
        client, _ = self.logged_in()
        self.assertEqual(client.get("/api/v1/users/subscription"), {"subscription_tier": "free"})
        wish = {"subscription_tier": "premium"}
        self.refused(client.request("PUT", "/api/v1/users/subscription", wish), 403)
        admin, _ = self.logged_in("admin")
        self.assertEqual(admin.expect(200, "PUT", "/api/v1/users/subscription", wish).json, wish)

    def test_a_programs_token_is_nobody(self):
        for method, path in [("GET", "/api/v1/users/me"), ("POST", "/api/v1/auth/logout"),
                             ("GET", "/api/v1/auth/sessions")]:
            self.refused(self.client.request(method, path), 403, "FORBIDDEN")


class Roles(PeopleCase):
    def test_a_role_that_is_taken_away_holds_at_once(self):
        client, grant = self.logged_in("engineer")
        client.expect(200, "GET", "/api/v1/sources")
        path = f"/api/v1/people/{grant['user']['id']}"
        self.client.expect(200, "PUT", path, {"roles": ["viewer"]})
        self.refused(client.request("GET", "/api/v1/sources"), 403, "FORBIDDEN")
        client.expect(200, "GET", "/api/v1/segments")
        self.client.expect(200, "PUT", path, {"active": False})
        self.refused(client.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")

    def test_a_role_of_ones_own_holds_what_it_names(self):
        self.client.expect(200, "PUT", "/api/v1/roles/crm",
                           {"description": "회원", "permissions": ["user.read", "pii.read"]})
        client, grant = self.logged_in("crm", "viewer")
        self.assertIn("pii.read", grant["user"]["permissions"])
        self.refused(client.request("GET", "/api/v1/sources"), 403)
        self.refused(self.client.request("DELETE", "/api/v1/roles/crm"), 409, "CONFLICT")
        self.client.expect(200, "PUT", "/api/v1/roles/crm", {"permissions": ["user.read"]})
        self.assertNotIn("pii.read", client.get("/api/v1/users/me")["permissions"])
        self.client.expect(204, "DELETE", f"/api/v1/people/{grant['user']['id']}")
        self.client.expect(204, "DELETE", "/api/v1/roles/crm")
        for name in ("admin", "Upper", "two words"):
            answer = self.client.request("PUT", f"/api/v1/roles/{name.replace(' ', '%20')}",
                                         {"permissions": ["user.read"]})
            self.assertIn(answer.status, (400, 409), answer)

    def test_nobody_gives_what_he_lacks_and_touches_who_has_more(self):
        self.client.expect(200, "PUT", "/api/v1/roles/people",
                           {"permissions": ["person.write", "segment.read"]})
        client, _ = self.logged_in("people")
        admin = self.add("admin")
        for method, path, body in [
                ("POST", "/api/v1/people", {"email": "n@example.com", "name": "n",
                                            "password": PASSWORD, "roles": ["admin"]}),
                ("POST", "/api/v1/invitations", {"email": "n@example.com", "roles": ["engineer"]}),
                ("PUT", "/api/v1/roles/own", {"permissions": ["pii.read"]}),
                ("PUT", f"/api/v1/people/{admin['id']}", {"active": False}),
                ("DELETE", f"/api/v1/people/{admin['id']}/sessions", None),
                ("DELETE", f"/api/v1/people/{admin['id']}", None)]:
            with self.subTest(path=path):
                self.refused(client.request(method, path, body), 403, "FORBIDDEN")

    def test_nobody_changes_himself(self):
        client, grant = self.logged_in("admin")
        path = f"/api/v1/people/{grant['user']['id']}"
        self.refused(client.request("PUT", path, {"roles": ["viewer"]}), 409, "CONFLICT")
        self.refused(client.request("DELETE", path), 409, "CONFLICT")

    def test_names_are_lines_that_are_what_they_seem(self):
        for name in ("a\nb", "a\0b", "a\x1b[31mb", "a\u202eb", "a\u2066b", "a\u2028b", "a\x85b"):
            for path, wish in (
                    ("/api/v1/tokens", {"scopes": ["user.read"]}),
                    ("/api/v1/workspaces", {"slug": "names"}),
                    ("/api/v1/people", {"email": "n@example.com", "password": PASSWORD,
                                        "roles": ["viewer"]})):
                self.refused(self.client.request("POST", path, {"name": name, **wish}), 400,
                             "VALIDATION_ERROR", "name")
        self.client.expect(201, "POST", "/api/v1/tokens",
                           {"name": "김 손님 (서울)", "scopes": ["user.read"]})

    def test_of_two_who_take_it_from_one_another_only_the_first_does(self):
        for turn in range(12):
            both = [self.logged_in("admin") for _ in range(2)]
            paths = [f"/api/v1/people/{grant['user']['id']}" for _, grant in both]
            request = (("PUT", {"roles": ["viewer"]}), ("PUT", {"active": False}),
                       ("DELETE", None))[turn % 3]
            begin = threading.Barrier(2)

            def take(number):
                client = both[number][0]
                client.get("/api/v1/users/me")  # it is connected, and known
                begin.wait()
                return client.request(request[0], paths[1 - number], request[1]).status
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                statuses = sorted(pool.map(take, range(2)))
            self.assertIn(statuses, ([200, 401], [200, 403], [204, 401], [204, 403]), request)

    def test_a_token_that_a_person_made_allows_no_more_than_he_may(self):
        client, grant = self.logged_in("engineer")
        person = f"/api/v1/people/{grant['user']['id']}"
        made = client.expect(201, "POST", "/api/v1/tokens",
                             {"name": "x", "scopes": ["token.write", "segment.read"]}).json
        self.assertEqual(made["personId"], grant["user"]["id"])
        program = Client(self.server.address, made["token"])
        self.addCleanup(program.close)
        inherited = program.expect(201, "POST", "/api/v1/tokens",
                                   {"name": "y", "scopes": ["segment.read"]}).json
        self.assertEqual(inherited["personId"], grant["user"]["id"])
        other = Client(self.server.address, inherited["token"])
        self.addCleanup(other.close)
        self.client.expect(200, "PUT", person, {"roles": ["viewer"]})
        other.expect(200, "GET", "/api/v1/segments")
        self.refused(program.request("GET", "/api/v1/tokens"), 403, "FORBIDDEN")
        self.client.expect(200, "PUT", person, {"active": False})
        self.refused(other.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")
        self.client.expect(200, "PUT", person, {"active": True, "roles": ["engineer"]})
        program.expect(200, "GET", "/api/v1/tokens")
        self.client.expect(204, "DELETE", person)
        self.refused(other.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")
        left = {each["id"] for each in self.client.get("/api/v1/tokens?limit=1000")["items"]}
        self.assertFalse(left & {made["id"], inherited["id"]})

    def test_a_person_makes_tokens_with_no_more_than_he_has(self):
        client, _ = self.logged_in("engineer")
        self.refused(client.request("POST", "/api/v1/tokens", {"name": "x", "scopes": ["admin"]}),
                     403, "FORBIDDEN", "scopes[0]")
        client.expect(201, "POST", "/api/v1/tokens", {"name": "x", "scopes": ["events.write"]})


class Tokens(PeopleCase):
    def test_a_token_of_another_server_is_refused(self):
        client, grant = self.logged_in("admin")
        client.expect(200, "GET", "/api/v1/users/me")
        with Server("--partitions", "3") as other:
            stranger = Client(other.address, grant["access_token"])
            self.addCleanup(stranger.close)
            self.refused(stranger.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")

    def test_a_token_outlives_rotation_and_restart(self):
        client, grant = self.logged_in()
        before = self.client.get("/api/v1/signing-keys")["items"]
        after = self.client.expect(200, "POST", "/api/v1/signing-keys/rotate").json["items"]
        self.assertEqual(len(after), len(before) + 1)
        self.assertEqual([key["signs"] for key in after], [False] * len(before) + [True])
        client.expect(200, "GET", "/api/v1/users/me")
        self.server.stop()
        self.server.start()
        again = Client(self.server.address, grant["access_token"])
        self.addCleanup(again.close)
        again.expect(200, "GET", "/api/v1/users/me")
        answer = Client(self.server.address).request(
            "POST", "/api/v1/auth/refresh", {"refresh_token": grant["refresh_token"]})
        self.assertEqual(answer.status, 200, answer)

    def test_no_address_and_no_secret_of_people_is_in_the_log_or_the_data(self):
        person = self.add(email="very.secretive@example.com", name="Hidden Name")
        grant = self.login(person["email"]).json
        for path, content in [(self.server.log_file, self.server.log_file.read_bytes()),
                              *contents(self.server.data)]:
            for secret in (b"secretive", b"Hidden Name", PASSWORD.encode(),
                           grant["refresh_token"].encode(), grant["access_token"].encode()):
                self.assertNotIn(secret, content, path)


class PublishedKeys(PeopleCase):
    flags = ("--partitions", "3", "--token-algorithm", "EdDSA",
             "--public-url", "https://cdp.example.com")

    def test_the_public_key_of_a_token_is_published(self):
        client, grant = self.logged_in()
        client.expect(200, "GET", "/api/v1/users/me")
        keys = self.anybody().get("/.well-known/jwks.json")["keys"]
        header = json.loads(base64.urlsafe_b64decode(grant["access_token"].split(".")[0] + "=="))
        self.assertEqual(header["alg"], "EdDSA")
        self.assertEqual([(key["kty"], key["crv"]) for key in keys if key["kid"] == header["kid"]],
                         [("OKP", "Ed25519")])
        self.assertNotIn("d", keys[0])
        self.assertEqual(claims_of(grant["access_token"])["iss"], "https://cdp.example.com")
        self.assertLess(abs(claims_of(grant["access_token"])["iat"] - time.time()), 300)


class Sockets(PeopleCase):
    def open(self, token, path="/ws/jobs"):
        node = Node("socket.mjs", f"ws://{self.server.address}{path}", f"sonnim.bearer.{token}")
        self.addCleanup(node.__exit__)
        self.assertEqual(node.next(), {"open": f"sonnim.bearer.{token}"})
        return node

    def end_of(self, node):
        while True:
            message = node.next()
            if "closed" in message:
                return message["closed"]

    def test_a_permission_taken_away_closes_open_sockets(self):
        _, grant = self.logged_in("operator")
        _, other = self.logged_in("operator")
        node, stays = self.open(grant["access_token"]), self.open(other["access_token"])
        path = f"/api/v1/people/{grant['user']['id']}"
        self.client.expect(200, "PUT", path, {"roles": ["operator", "analyst"]})
        self.client.expect(200, "PUT", path, {"roles": ["marketing-manager"]})
        self.assertEqual(self.end_of(node), 1008)
        self.assertIn("jobs", stays.next())
        # Jobs may go on meanwhile; nothing but the client closes it.
        self.assertEqual([told for told in stays.close() if "job" not in told],
                         [{"closed": 1005}])

    def test_the_end_of_a_session_closes_open_sockets(self):
        client, grant = self.logged_in("operator")
        node = self.open(grant["access_token"])
        client.expect(204, "POST", "/api/v1/auth/logout")
        self.assertEqual(self.end_of(node), 1008)

    def test_a_role_that_loses_a_permission_closes_open_sockets(self):
        self.client.expect(200, "PUT", "/api/v1/roles/looker",
                           {"permissions": ["job.read", "pii.read"]})
        _, grant = self.logged_in("looker")
        node = self.open(grant["access_token"])
        self.client.expect(200, "PUT", "/api/v1/roles/looker", {"permissions": ["job.read"]})
        self.assertEqual(self.end_of(node), 1008)

    def test_a_deleted_token_closes_open_sockets_and_its_tickets(self):
        made = self.client.expect(201, "POST", "/api/v1/tokens",
                                  {"name": "x", "scopes": ["job.read"]}).json
        program = Client(self.server.address, made["token"])
        self.addCleanup(program.close)
        node = self.open(made["token"])
        ticket = program.expect(201, "POST", "/api/v1/ws-tickets").json["ticket"]
        self.client.expect(204, "DELETE", f"/api/v1/tokens/{made['id']}")
        self.assertEqual(self.end_of(node), 1008)
        late = Node("socket.mjs", f"ws://{self.server.address}/ws/jobs?ticket={ticket}")
        self.addCleanup(late.__exit__)
        self.assertEqual(late.next(), {"refused": 401})

    def test_a_token_that_expires_closes_its_sockets(self):
        for seconds in (2, 10, 50, 250):  # until it is open before
            end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
            made = self.client.request("POST", "/api/v1/tokens", {
                "name": "short", "scopes": ["job.read"],
                "expiresAt": end.isoformat(timespec="milliseconds").replace("+00:00", "Z")})
            if made.status == 400:
                continue
            protocol = f"sonnim.bearer.{made.json['token']}"
            node = Node("socket.mjs", f"ws://{self.server.address}/ws/jobs", protocol)
            self.addCleanup(node.__exit__)
            told = node.next()
            if told != {"refused": 401}:
                break
        self.assertEqual(told, {"open": protocol})
        self.assertEqual(self.end_of(node), 1008)


class Resets(PeopleCase):
    @classmethod
    def setUpClass(cls):
        cls.smtp = Node("smtp.mjs")
        cls.addClassCleanup(cls.smtp.__exit__)
        cls.flags = ("--partitions", "3", "--smtp-plain", "--smtp-url",
                     f"smtp://127.0.0.1:{cls.smtp.next()['port']}", "--mail-from",
                     "cdp@example.com", "--reset-url", "https://cdp.example.com/reset#")
        super().setUpClass()

    def ask(self, email):
        return self.anybody().request("POST", "/api/v1/auth/reset-request", {"email": email})

    def reset(self, token, password=PASSWORD + "?"):
        return self.anybody().request("POST", "/api/v1/auth/reset",
                                      {"reset_token": token, "password": password})

    def token_for(self, email):
        self.assertEqual(self.ask(email).status, 202)
        mail = self.smtp.next()
        self.assertEqual((mail["from"], mail["to"]), ("cdp@example.com", [email]))
        message = email_module.message_from_string(mail["message"])
        text = message.get_payload(decode=True).decode()
        self.assertIn("비밀번호", text)
        self.assertEqual(str(make_header(decode_header(message["Subject"]))),
                         "Sonnim 비밀번호 재설정 / password reset")
        return re.search(r"https://cdp\.example\.com/reset#(\S+)", text)[1]

    def test_a_mailed_token_sets_a_new_password_once(self):
        client, grant = self.logged_in()
        email = grant["user"]["email"]
        token = self.token_for(email)
        self.refused(self.reset(token, "short"), 400, "VALIDATION_ERROR", "password")
        self.assertEqual(self.reset(token).status, 204)
        self.refused(client.request("GET", "/api/v1/users/me"), 401)
        self.refused(self.login(email), 401)
        self.assertEqual(self.login(email, PASSWORD + "?").status, 200)
        self.refused(self.reset(token, PASSWORD + "!"), 401, "UNAUTHORIZED", "reset_token")

    def test_a_new_password_does_not_go_around_the_second_factor(self):
        client, grant = self.logged_in()
        email = grant["user"]["email"]
        app = App(client.expect(200, "POST", "/api/v1/auth/totp",
                                {"password": PASSWORD}).json["secret"])
        client.expect(200, "POST", "/api/v1/auth/totp/confirm", {"code": app.code()})
        self.assertEqual(self.reset(self.token_for(email)).status, 204)
        answer = self.login(email, PASSWORD + "?")
        self.assertEqual((answer.status, answer.json["challenge"]), (200, "totp"))

    def test_the_newest_change_of_a_person_makes_a_token_void(self):
        _, grant = self.logged_in()
        token = self.token_for(grant["user"]["email"])
        path = f"/api/v1/people/{grant['user']['id']}"
        self.client.expect(200, "PUT", path, {"active": False})
        self.client.expect(200, "PUT", path, {"active": True})
        self.refused(self.reset(token), 401, "UNAUTHORIZED", "reset_token")

    def test_nobody_learns_who_has_an_account(self):
        known = self.add()
        answers = [self.ask(email) for email in ("nobody@example.com", known["email"])]
        self.assertEqual([(answer.status, answer.body) for answer in answers], [(202, b"")] * 2)
        for email in ("other@example.com", known["email"]):
            asked = 1
            while (answer := self.ask(email)).status == 202:
                asked += 1
            self.refused(answer, 429, "RATE_LIMITED")
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.refused(self.ask(email.upper()), 429, "RATE_LIMITED")
        for _ in range(asked):  # what came for him
            self.assertEqual(self.smtp.next()["to"], [known["email"]])

    def test_a_made_up_token_sets_nothing(self):
        _, grant = self.logged_in()
        token = self.token_for(grant["user"]["email"])
        for wrong in (token[:-1] + ("A" if token[-1] != "A" else "Q"), "snp_x",
                      grant["refresh_token"], grant["device_token"],
                      "snp_" + grant["refresh_token"][4:]):
            self.refused(self.reset(wrong), 401, "UNAUTHORIZED", "reset_token")
        self.assertEqual(self.reset(token).status, 204)


class MailingInClear(PeopleCase):
    """Behind a server for mails that offers no TLS."""
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.smtp = Node("smtp.mjs", *cls.options)
        cls.addClassCleanup(cls.smtp.__exit__)
        cls.flags = ("--partitions", "3", "--smtp-url",
                     f"smtp://127.0.0.1:{cls.smtp.next()['port']}")
        super().setUpClass()

    def test_no_mail_goes_to_a_server_that_proves_nothing(self):
        person = self.add()
        self.anybody().expect(202, "POST", "/api/v1/auth/reset-request",
                              {"email": person["email"]})
        while self.metric("sonnim_mails_failed_total") == 0:
            time.sleep(0.05)
        self.assertEqual(self.metric("sonnim_mails_sent_total"), 0)
        log = self.server.log_file.read_text()
        self.assertIn("a mail was not sent", log)
        self.assertNotIn(person["email"], log)


class MailingToAStranger(MailingInClear):
    """Behind one whose certificate nobody has signed."""
    options = ("--tls",)


class NoMails(PeopleCase):
    def test_without_a_server_for_mails_nothing_is_promised(self):
        self.refused(self.anybody().request("POST", "/api/v1/auth/reset-request",
                                            {"email": "x@example.com"}), 400, "UNSUPPORTED")
