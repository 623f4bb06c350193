"""The second factor: how it is turned on, asked for, lost and taken off."""
import base64
import urllib.parse

from server import Client, contents
from test_people import PASSWORD, PeopleCase
from totp import App


class TotpCase(PeopleCase):
    def enrol(self, *roles):
        """A person with a second factor: his client, what he is, his app, recovery codes."""
        client, grant = self.logged_in(*roles)
        secret = client.expect(200, "POST", "/api/v1/auth/totp", {"password": PASSWORD}).json
        app = App(secret["secret"])
        codes = client.expect(200, "POST", "/api/v1/auth/totp/confirm", {"code": app.code()}).json
        return client, grant["user"], app, codes["recovery_codes"]

    def second(self, ticket, code, **more):
        return self.anybody().request("POST", "/api/v1/auth/login/totp",
                                      {"ticket": ticket, "code": code, **more})

    def challenge(self, person, password=PASSWORD, **more):
        answer = self.login(person["email"], password, **more)
        self.assertEqual((answer.status, answer.json["challenge"]), (200, "totp"), answer)
        self.assertEqual(set(answer.json), {"challenge", "ticket", "expires_in"})
        return answer.json["ticket"]


class Enrolment(TotpCase):
    def test_a_login_asks_for_a_code_once_it_is_confirmed(self):
        client, grant = self.logged_in()
        person = grant["user"]
        other = self.login(person["email"]).json["access_token"]
        self.assertEqual(client.get("/api/v1/auth/totp"),
                         {"on": False, "pending": False, "recovery_codes_left": 0})
        begun = client.expect(200, "POST", "/api/v1/auth/totp", {"password": PASSWORD})
        self.assertEqual(begun.headers["Cache-Control"], "no-store")
        uri = urllib.parse.urlsplit(begun.json["otpauth_uri"])
        values = dict(urllib.parse.parse_qsl(uri.query))
        self.assertEqual((uri.scheme, uri.netloc, values["secret"], values["digits"]),
                         ("otpauth", "totp", begun.json["secret"], "6"))
        self.assertEqual(urllib.parse.unquote(uri.path), f"/sonnim:{person['email']}")
        self.assertEqual(self.login(person["email"]).json["user"]["id"], person["id"])
        app = App(begun.json["secret"])
        self.refused(client.request("POST", "/api/v1/auth/totp/confirm", {"code": app.wrong()}),
                     401, "UNAUTHORIZED", "code")
        codes = client.expect(200, "POST", "/api/v1/auth/totp/confirm", {"code": app.code()}).json
        self.assertEqual(len(set(codes["recovery_codes"])), 10)
        self.assertEqual(client.get("/api/v1/auth/totp"),
                         {"on": True, "pending": False, "recovery_codes_left": 10})
        self.assertTrue(client.get("/api/v1/users/me")["totp"])
        stranger = Client(self.server.address, other)
        self.addCleanup(stranger.close)
        self.refused(stranger.request("GET", "/api/v1/users/me"), 401, "UNAUTHORIZED")
        ticket = self.challenge(person)
        let_in = self.second(ticket, app.code())
        self.assertEqual((let_in.status, let_in.json["user"]["id"]), (200, person["id"]))

    def test_the_password_is_asked_for_and_one_that_is_on_is_not_begun_anew(self):
        client, _ = self.logged_in()
        for body in ({}, {"password": "wrong, but long enough"}):
            self.refused(client.request("POST", "/api/v1/auth/totp", body), 401, "UNAUTHORIZED",
                         "password")
        self.refused(client.request("POST", "/api/v1/auth/totp/confirm", {"code": "123456"}), 404,
                     "NOT_FOUND")
        client, _, app, _ = self.enrol()
        self.refused(client.request("POST", "/api/v1/auth/totp", {"password": PASSWORD}), 409,
                     "CONFLICT")
        self.refused(client.request("POST", "/api/v1/auth/totp/confirm", {"code": app.code()}),
                     409, "CONFLICT")

    def test_it_is_turned_off_with_password_and_code(self):
        client, person, app, recovery = self.enrol()
        for password, code, field in [("wrong, but long enough", app.code(), "password"),
                                      (PASSWORD, app.wrong(), "code")]:
            self.refused(client.request("POST", "/api/v1/auth/totp/disable",
                                        {"password": password, "code": code}),
                         401, "UNAUTHORIZED", field)
        client.expect(204, "POST", "/api/v1/auth/totp/disable",
                      {"password": PASSWORD, "code": recovery[0]})
        self.assertIn("access_token", self.login(person["email"]).json)

    def test_neither_secret_nor_recovery_codes_lie_in_the_data_or_the_log(self):
        _, _, app, recovery = self.enrol()
        raw = base64.b32decode(app.secret)
        for file, content in contents(self.server.directory):
            if file.name not in ("token", "address"):
                for secret in (app.secret.encode(), raw, recovery[0].encode(),
                               recovery[0].replace("-", "").encode()):
                    self.assertNotIn(secret, content, file)


class SecondStep(TotpCase):
    def test_a_code_counts_once(self):
        _, person, app, _ = self.enrol()
        code = app.code()
        self.assertEqual(self.second(self.challenge(person), code).status, 200)
        self.refused(self.second(self.challenge(person), code), 401, "UNAUTHORIZED", "code")

    def test_a_ticket_is_good_once_and_for_its_person_and_its_factor(self):
        client, person, app, recovery = self.enrol()
        ticket, second = self.challenge(person), self.challenge(person)
        self.assertEqual(self.second(ticket, recovery[1]).status, 200)
        for used in (ticket, second, ticket[:-2], "snt_" + "A" * 75, self.server.token, "x"):
            self.refused(self.second(used, recovery[2]), 401, "UNAUTHORIZED", "ticket")
        left = self.challenge(person)
        client.expect(204, "POST", "/api/v1/auth/totp/disable",
                      {"password": PASSWORD, "code": recovery[3]})
        self.refused(self.second(left, app.code()), 401, "UNAUTHORIZED", "ticket")

    def test_a_recovery_code_counts_once_however_it_is_written(self):
        client, person, _, recovery = self.enrol()
        written = recovery[4].replace("-", " ").upper()
        self.assertEqual(self.second(self.challenge(person), written).status, 200)
        self.refused(self.second(self.challenge(person), recovery[4]), 401, "UNAUTHORIZED", "code")
        self.assertEqual(client.get("/api/v1/auth/totp")["recovery_codes_left"], 9)
        _, other, _, _ = self.enrol()
        self.refused(self.second(self.challenge(other), recovery[5]), 401, "UNAUTHORIZED", "code")

    def test_wrong_codes_count_as_wrong_passwords_and_a_right_password_forgets_none(self):
        _, person, app, recovery = self.enrol()
        device = self.second(self.challenge(person), recovery[0]).json["device_token"]
        for _ in range(6):
            self.refused(self.second(self.challenge(person), app.wrong()), 401, "UNAUTHORIZED",
                         "code")
        refused = self.login(person["email"])
        self.refused(refused, 429, "RATE_LIMITED")
        self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)
        # Who has logged in from his device before is not kept out by it.
        ticket, code = self.challenge(person, device_token=device), app.code()
        self.refused(self.second(ticket, code), 429, "RATE_LIMITED")  # is not looked at
        self.assertEqual(self.second(ticket, code, device_token=device).status, 200)

    def test_the_password_alone_opens_nothing(self):
        _, person, _, _ = self.enrol()
        ticket = self.challenge(person)
        program = Client(self.server.address, ticket)
        self.addCleanup(program.close)
        self.refused(program.request("GET", "/api/v1/users/me"), 401, "UNAUTHORIZED")
        self.refused(self.anybody().request("POST", "/api/v1/auth/refresh",
                                            {"refresh_token": ticket}), 401, "UNAUTHORIZED")
        self.client.expect(200, "PUT", f"/api/v1/people/{person['id']}", {"active": False})
        self.refused(self.second(ticket, "123456"), 401, "UNAUTHORIZED", "ticket")


class Lost(TotpCase):
    def test_who_may_change_the_person_takes_it_off_and_the_trail_tells(self):
        _, person, _, _ = self.enrol()
        path = f"/api/v1/people/{person['id']}/totp"
        self.client.expect(204, "DELETE", path)
        self.assertIn("access_token", self.login(person["email"]).json)
        self.refused(self.client.request("DELETE", path), 404, "NOT_FOUND")
        records = self.client.get("/api/v1/audit?action=person.totp_reset")["items"]
        self.assertEqual(records[0]["target"], person["id"])

    def test_nobody_takes_it_off_who_has_less_or_is_himself(self):
        self.client.expect(200, "PUT", "/api/v1/roles/keeper",
                           {"permissions": ["person.write", "user.read"]})
        keeper, own, _, _ = self.enrol("keeper")
        _, admin, _, _ = self.enrol("admin")
        self.refused(keeper.request("DELETE", f"/api/v1/people/{admin['id']}/totp"), 403,
                     "FORBIDDEN")
        self.refused(keeper.request("DELETE", f"/api/v1/people/{own['id']}/totp"), 409, "CONFLICT")


class Required(TotpCase):
    flags = ("--partitions", "3", "--second-factor", "required")

    def test_who_has_none_may_do_only_what_is_his_own_until_he_has_one(self):
        person = self.add("admin")
        grant = self.login(person["email"]).json
        self.assertTrue(grant["totp_required"])
        client = Client(self.server.address, grant["access_token"])
        self.addCleanup(client.close)
        client.expect(200, "GET", "/api/v1/users/me")
        self.refused(client.request("GET", "/api/v1/segments"), 403, "FORBIDDEN")
        secret = client.expect(200, "POST", "/api/v1/auth/totp", {"password": PASSWORD}).json
        app = App(secret["secret"])
        client.expect(200, "POST", "/api/v1/auth/totp/confirm", {"code": app.code()})
        renewed = client.expect(200, "POST", "/api/v1/auth/refresh",
                                {"refresh_token": grant["refresh_token"]}).json
        self.assertFalse(renewed["totp_required"])
        again = Client(self.server.address, renewed["access_token"])
        self.addCleanup(again.close)
        again.expect(200, "GET", "/api/v1/segments")
        made = again.expect(201, "POST", "/api/v1/tokens",
                            {"name": "x", "scopes": ["segment.read"]}).json
        program = Client(self.server.address, made["token"])
        self.addCleanup(program.close)
        program.expect(200, "GET", "/api/v1/segments")
        self.client.expect(204, "DELETE", f"/api/v1/people/{person['id']}/totp")
        for each in (again, program):
            self.refused(each.request("GET", "/api/v1/segments"), 403, "FORBIDDEN")
