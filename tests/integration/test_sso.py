"""Single sign-on: logins by OpenID Connect, against the provider oidc-provider and against one of
our own that lies."""
import base64
import hashlib
import http.client
import json
import threading
import time
import urllib.parse

from case import ServerCase
from liar import Liar, by_secret, part, public_key, signed
from program import Node
from server import ANSWER_SECONDS_MAX, Client, Server, contents
from test_people import PASSWORD, claims_of
from totp import App

MAPPING = {"analysts": ["analyst"], "operators": ["operator", "viewer"], "chiefs": ["admin"]}


class Browser:
    """Follows redirects by hand, and keeps cookies by host and port."""

    def __init__(self):
        self.cookies = {}

    def get(self, url, headers=None):
        parts = urllib.parse.urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        connection = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_SECONDS_MAX)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = dict(headers or {})
        if jar:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in jar.items())
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                pair = value.split(";")[0]
                key, _, text = pair.partition("=")
                if "max-age=0" in value.lower() or not text:
                    jar.pop(key, None)
                else:
                    jar[key] = text
        connection.close()
        return Answer(answer, body)


class Answer:
    def __init__(self, answer, body):
        self.status = answer.status
        self.all_headers = answer.getheaders()
        self.headers = dict(self.all_headers)
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.headers["Location"]

    def __repr__(self):
        return f"{self.status} {self.headers.get('Location')} {self.body[:400]!r}"


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


class SsoCase(ServerCase):
    @property
    def base(self):
        return f"http://{self.server.address}"

    def put(self, name, **wish):
        return self.client.expect(200, "PUT", f"/api/v1/sso-providers/{name}", wish).json

    def start(self, browser, name, query=""):
        answer = browser.get(f"{self.base}/api/v1/auth/oidc/{name}/start{query}")
        self.assertEqual(answer.status, 302, answer)
        return answer.location

    def refused(self, answer, status, code=None, field=None):
        self.assertEqual(answer.status, status, answer)
        error = answer.json["error"]
        if code:
            self.assertEqual(error["code"], code, answer)
        if field:
            self.assertEqual(error["details"].get("field"), field, answer)
        return error

    def client_of(self, grant):
        client = Client(self.server.address, grant["access_token"])
        self.addCleanup(client.close)
        return client


class Certified(SsoCase):
    """With oidc-provider."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = ("basic", "post", "public", "paged", "linking", "open")
        cls.provider = Node("oidc.mjs", *(
            f"http://{cls.server.address}/api/v1/auth/oidc/{name}/callback" for name in names))
        cls.addClassCleanup(cls.provider.__exit__)
        cls.issuer = cls.provider.next()["issuer"]

    def setUp(self):
        super().setUp()
        self.configure("basic", client_secret="a secret: with %")

    def configure(self, name, client_id="basic", **more):
        return self.put(name, issuer=self.issuer, client_id=client_id, **{
            "scopes": ["email", "profile", "groups"], "role_mapping": MAPPING, **more})

    def tell(self, **command):
        self.provider.send(**command)
        self.assertEqual(self.provider.next(), {})

    def comes(self, account, groups=("analysts",), **claims):
        self.tell(account=account, claims={
            "email": f"{account}@example.com", "email_verified": True, "name": account.title(),
            "groups": list(groups), **claims})

    def to_callback(self, browser, name, query=""):
        """The address of ours that the provider sends the browser to."""
        url = self.start(browser, name, query)
        for _ in range(6):
            if url.startswith(self.base):
                return url
            answer = browser.get(url)
            self.assertIn(answer.status, (302, 303), answer)
            url = urllib.parse.urljoin(url, answer.location)
        raise AssertionError(url)

    def login(self, name="basic", browser=None, query=""):
        browser = browser or Browser()
        return browser.get(self.to_callback(browser, name, query))

    def post(self, path, body, browser, **headers):
        """As a page of the server's own origin does."""
        somebody = Client(self.server.address)
        self.addCleanup(somebody.close)
        cookies = browser.cookies.get(self.server.address, {})
        return somebody.request("POST", path, body, {
            "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), "Origin": self.base,
            **headers})

    def test_a_person_is_made_at_the_first_login_and_known_at_the_next(self):
        self.comes("kim")
        first = self.login()
        self.assertEqual(first.status, 200, first)
        self.assertEqual(first.headers["Cache-Control"], "no-store")
        user = first.json["user"]
        self.assertEqual((user["email"], user["name"], user["roles"]),
                         ("kim@example.com", "Kim", ["analyst"]))
        self.client_of(first.json).expect(200, "GET", "/api/v1/segments")
        again = self.login()
        self.assertEqual(again.json["user"]["id"], user["id"])
        self.assertNotEqual(again.json["session_id"], first.json["session_id"])
        self.assertEqual(claims_of(again.json["access_token"])["sub"], user["id"])
        records = self.client.get("/api/v1/audit?action=auth.sso")["items"]
        self.assertEqual(records[0]["user_id"], f"person:{user['id']}")

    def test_secrets_go_in_header_or_body_and_public_clients_have_none(self):
        self.configure("post", "post", client_secret="post secret")
        self.configure("public", "public")
        self.comes("many")
        ids = {self.login(name).json["user"]["id"] for name in ("basic", "post", "public")}
        self.assertEqual(len(ids), 1)  # signed by RS256, ES256 and EdDSA
        self.configure("post", "post", client_secret="wrong")
        self.refused(self.login("post"), 503, "UNAVAILABLE")

    def test_the_browser_goes_with_state_nonce_and_pkce(self):
        browser = Browser()
        values = query_of(self.start(browser, "basic"))
        self.assertEqual((values["response_type"], values["code_challenge_method"]),
                         ("code", "S256"))
        self.assertEqual(values["scope"], "openid email profile groups")
        self.assertEqual(values["redirect_uri"], f"{self.base}/api/v1/auth/oidc/basic/callback")
        for name in ("state", "nonce", "code_challenge"):
            self.assertEqual(len(values[name]), 43)
        again = query_of(self.start(Browser(), "basic"))
        self.assertNotEqual(values["state"], again["state"])
        answer = Browser().get(f"{self.base}/api/v1/auth/oidc/basic/start")
        cookie = answer.headers["Set-Cookie"]
        self.assertRegex(cookie, "^sonnim-sso=sno_.*; Path=/; Max-Age=600; HttpOnly; SameSite=Lax$")

    def test_a_login_of_another_browser_or_another_state_is_refused(self):
        self.comes("kim")
        browser = Browser()
        url = self.to_callback(browser, "basic")
        self.refused(Browser().get(url), 401, "UNAUTHORIZED", "state")
        other = Browser()
        self.start(other, "basic")
        self.refused(other.get(url), 401, "UNAUTHORIZED", "state")
        values = query_of(url)
        for state in ("", "x", values["state"][:-1] + "_", values["state"] + "A"):
            changed = url.replace(values["state"], state)
            self.refused(browser.get(changed), 401, "UNAUTHORIZED", "state")
        # A cookie of one provider is good for no other.
        self.configure("post", "post", client_secret="post secret")
        self.refused(browser.get(url.replace("/basic/", "/post/")), 401, "UNAUTHORIZED", "state")
        self.assertEqual(browser.get(url).status, 200)

    def test_a_code_is_good_once_and_for_its_own_verifier(self):
        self.comes("kim")
        browser = Browser()
        url = self.to_callback(browser, "basic")
        cookies = dict(browser.cookies[self.server.address])
        self.assertEqual(browser.get(url).status, 200)
        self.assertNotIn("sonnim-sso", browser.cookies[self.server.address])
        browser.cookies[self.server.address] = cookies
        self.refused(browser.get(url), 401, "UNAUTHORIZED", "code")
        # A stolen code with the thief's own login: his verifier is not the one of the code.
        stolen = query_of(self.to_callback(Browser(), "basic"))["code"]
        thief = Browser()
        own = query_of(self.start(thief, "basic"))["state"]
        self.refused(thief.get(f"{self.base}/api/v1/auth/oidc/basic/callback?" +
                               urllib.parse.urlencode({"code": stolen, "state": own,
                                                       "iss": self.issuer})),
                     401, "UNAUTHORIZED", "code")

    def test_an_answer_of_another_issuer_or_with_an_error_is_refused(self):
        self.comes("kim")
        browser = Browser()
        url = self.to_callback(browser, "basic")
        values = query_of(url)
        self.assertEqual(values["iss"], self.issuer)
        for issuer in ("https://evil.example", None):
            told = {**values, "iss": issuer} if issuer else {
                name: value for name, value in values.items() if name != "iss"}
            self.refused(browser.get(url.split("?")[0] + "?" + urllib.parse.urlencode(told)),
                         401, "UNAUTHORIZED", "iss")
        denied = {"state": values["state"], "error": "access_denied",
                  "error_description": "<script>alert(1)</script>"}
        error = self.refused(browser.get(url.split("?")[0] + "?" + urllib.parse.urlencode(denied)),
                             403, "FORBIDDEN")
        self.assertIn("access_denied", json.dumps(error))
        self.assertNotIn("script", json.dumps(error))

    def test_groups_are_roles_anew_at_each_login_and_what_is_taken_away_is_gone(self):
        self.comes("lee", ["operators", "others"])
        grant = self.login().json
        self.assertEqual(grant["user"]["roles"], ["operator", "viewer"])
        client = self.client_of(grant)
        client.expect(200, "GET", "/api/v1/audit")
        self.comes("lee", ["analysts"])
        self.assertEqual(self.login().json["user"]["roles"], ["analyst"])
        self.assertEqual(client.request("GET", "/api/v1/audit").status, 403)
        self.comes("lee", [])
        self.refused(self.login(), 403, "FORBIDDEN")
        self.configure("open", "basic", client_secret="a secret: with %", default_roles=["viewer"])
        self.assertEqual(self.login("open").json["user"]["roles"], ["viewer"])

    def test_who_was_switched_off_is_refused(self):
        self.comes("off")
        grant = self.login().json
        self.client.expect(200, "PUT", f"/api/v1/people/{grant['user']['id']}", {"active": False})
        self.refused(self.login(), 403, "FORBIDDEN")

    def test_somebody_who_is_here_is_linked_only_by_a_setting_and_a_verified_address(self):
        person = self.invited("here@example.com")["user"]
        self.assertTrue(person["email_verified"])
        self.comes("here")
        self.refused(self.login(), 409, "CONFLICT", "email")
        self.configure("linking", client_secret="a secret: with %", link_by_email=True)
        self.comes("here", email_verified=False)
        self.refused(self.login("linking"), 409, "CONFLICT", "email")
        self.comes("here", email="HERE@example.com")
        linked = self.login("linking").json["user"]
        self.assertEqual((linked["id"], linked["roles"]), (person["id"], ["analyst"]))
        self.comes("here", email="elsewhere@example.com")
        self.assertEqual(self.login().json["user"]["id"], person["id"])

    def invited(self, email):
        """Who followed an admin's invitation."""
        invitation = self.client.expect(201, "POST", "/api/v1/invitations", {
            "email": email, "roles": ["viewer"]}).json["invitation"]
        return self.client.expect(201, "POST", "/api/v1/auth/register", {
            "invitation": invitation, "name": "Here", "password": PASSWORD}).json

    def test_nobody_is_linked_to_an_account_whose_address_was_never_verified(self):
        self.configure("linking", client_secret="a secret: with %", link_by_email=True)
        # A colleague makes an account under the address of somebody who has yet to come.
        waiting = self.client.expect(201, "POST", "/api/v1/people", {
            "email": "late@example.com", "name": "Late", "password": PASSWORD,
            "roles": ["viewer"]}).json
        self.assertFalse(waiting["email_verified"])
        self.comes("late", groups=["chiefs"])
        self.refused(self.login("linking"), 409, "CONFLICT", "email")
        self.assertEqual(self.client.get(f"/api/v1/people/{waiting['id']}")["roles"], ["viewer"])
        # One that a provider made without a word of whether it is his, by another provider.
        other = Liar()
        self.addCleanup(other.close)
        self.put("liar", issuer=other.issuer, client_id="c", default_roles=["viewer"])
        browser = Browser()
        values = query_of(self.start(browser, "liar"))
        now = int(time.time())
        other.token = (200, {"token_type": "Bearer", "id_token": signed({
            "iss": other.issuer, "aud": "c", "sub": "thief", "exp": now + 300, "iat": now,
            "nonce": values["nonce"], "email": "victim@example.com"})})
        back = urllib.parse.urlencode({"code": "x", "state": values["state"]})
        thief = browser.get(f"{self.base}/api/v1/auth/oidc/liar/callback?{back}")
        self.assertEqual(thief.status, 200, thief)
        self.assertFalse(thief.json["user"]["email_verified"])
        self.comes("victim", groups=["chiefs"])
        self.refused(self.login("linking"), 409, "CONFLICT", "email")

    def test_an_address_must_be_told_and_not_denied(self):
        self.comes("unverified", email_verified=False)
        self.refused(self.login(), 403, "FORBIDDEN")
        self.comes("silent", email=None)
        self.refused(self.login(), 403, "FORBIDDEN")

    def test_a_second_factor_is_asked_for_here_too(self):
        self.comes("careful")
        grant = self.login().json
        client = self.client_of(grant)
        app = App(client.expect(200, "POST", "/api/v1/auth/totp", {}).json["secret"])
        client.expect(200, "POST", "/api/v1/auth/totp/confirm", {"code": app.code()})
        answer = self.login().json
        self.assertEqual(answer["challenge"], "totp")
        let_in = Client(self.server.address)
        self.addCleanup(let_in.close)
        self.assertEqual(let_in.expect(200, "POST", "/api/v1/auth/login/totp", {
            "ticket": answer["ticket"], "code": app.code()}).json["user"]["id"],
            grant["user"]["id"])

    def at_once(self, urls, act):
        """Grants of who comes back by these while something happens to him."""
        answers, gate = [], threading.Barrier(len(urls) + 1)

        def come(browser, url):
            gate.wait(60)
            answers.append(browser.get(url))
        threads = [threading.Thread(target=come, args=pair) for pair in urls]
        for thread in threads:
            thread.start()
        gate.wait(60)
        act()
        for thread in threads:
            thread.join(60)
        self.assertEqual(len(answers), len(urls))
        return [answer.json for answer in answers if "access_token" in answer.json]

    def came_back(self, name, count=8):
        """As many browsers just before they come back."""
        self.comes(name)
        browsers = [Browser() for _ in range(count)]
        return [(browser, self.to_callback(browser, "basic")) for browser in browsers]

    def test_no_login_that_is_on_its_way_survives_switching_off_or_a_second_factor(self):
        for turn in range(3):
            name = f"racing{turn}"
            self.comes(name)
            grant = self.login().json
            person = f"/api/v1/people/{grant['user']['id']}"
            grants = self.at_once(self.came_back(name), lambda: self.client.expect(
                200, "PUT", person, {"active": False}))
            for each in grants:
                answer = self.client_of(each).request("GET", "/api/v1/users/me")
                self.assertEqual(answer.status, 401, answer)
            self.client.expect(200, "PUT", person, {"active": True})
            client = self.client_of(self.login().json)
            app = App(client.expect(200, "POST", "/api/v1/auth/totp", {}).json["secret"])
            grants = self.at_once(self.came_back(name), lambda: client.expect(
                200, "POST", "/api/v1/auth/totp/confirm", {"code": app.code()}))
            for each in grants:
                answer = self.client_of(each).request("GET", "/api/v1/users/me")
                self.assertEqual(answer.status, 401, answer)
            self.assertEqual(len(client.get("/api/v1/auth/sessions")["items"]), 1)

    def test_who_came_by_it_has_no_password(self):
        self.comes("nopassword")
        grant = self.login().json
        somebody = Client(self.server.address)
        self.addCleanup(somebody.close)
        for password in ("", " ", PASSWORD):
            answer = somebody.request("POST", "/api/v1/auth/login", {
                "email": "nopassword@example.com", "password": password})
            self.assertIn(answer.status, (400, 401), answer)
        answer = self.client_of(grant).request("PUT", "/api/v1/auth/password", {
            "current_password": "x", "password": PASSWORD})
        self.assertEqual(answer.status, 401, answer)

    def test_a_page_gets_a_code_that_is_good_once_and_in_its_browser(self):
        self.configure("paged", client_secret="a secret: with %", return_path="/login?from=sso")
        self.comes("paged")
        browser = Browser()
        answer = self.login("paged", browser)
        self.assertEqual(answer.status, 302, answer)
        path, _, code = answer.location.rpartition("&code=")
        self.assertEqual(path, "/login?from=sso")
        self.assertEqual(answer.body, b"")
        cookie = browser.cookies[self.server.address]["sonnim-sso"]
        somebody = Client(self.server.address)
        self.addCleanup(somebody.close)

        def exchange(with_cookie):
            headers = {"Cookie": f"a=b; sonnim-sso={with_cookie}"} if with_cookie else {}
            return somebody.request("POST", "/api/v1/auth/oidc/exchange", {"code": code},
                                    headers=headers)
        for other in (None, cookie[:-1], "x"):
            self.refused(exchange(other), 401, "UNAUTHORIZED", "code")
        self.assertEqual(exchange(cookie).json["user"]["email"], "paged@example.com")
        self.refused(exchange(cookie), 401, "UNAUTHORIZED", "code")

    def test_a_login_that_a_browser_keeps_has_its_refresh_token_in_a_cookie(self):
        self.comes("kept")
        browser = Browser()
        url = self.to_callback(browser, "basic", "?cookie=true")
        answer = browser.get(url)
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn("refresh_token", answer.json)
        cookies = [text for name, text in answer.all_headers if name == "Set-Cookie"]
        self.assertEqual(len(cookies), 2)
        self.assertRegex(cookies[1], r"^sonnim_refresh=snr_[^;]+; Path=/api; Max-Age=[0-9]+; "
                                     r"HttpOnly; SameSite=Strict$")
        self.assertEqual(list(browser.cookies[self.server.address]), ["sonnim_refresh"])
        refused = self.post("/api/v1/auth/refresh", {}, browser)
        self.assertEqual(refused.status, 403, refused)  # without the header that no form can send
        again = self.post("/api/v1/auth/refresh", {}, browser, **{"X-Sonnim-CSRF": "1"})
        self.assertEqual(again.status, 200, again)
        self.assertEqual(again.json["session_id"], answer.json["session_id"])
        # Who did not wish it at the start gets none, whatever the way back says.
        other = Browser()
        answer = other.get(self.to_callback(other, "basic") + "&cookie=true")
        self.assertIn("refresh_token", answer.json)
        self.assertEqual(other.cookies[self.server.address], {})

    def test_a_page_that_exchanges_a_code_gets_the_cookie_too(self):
        self.configure("paged", client_secret="a secret: with %", return_path="/login")
        self.comes("keptpage")
        browser = Browser()
        answer = self.login("paged", browser, "?cookie=true")
        path, _, code = answer.location.partition("?code=")
        self.assertEqual((answer.status, path), (302, "/login"))
        self.assertNotIn("sonnim_refresh", browser.cookies[self.server.address])
        foreign = self.post("/api/v1/auth/oidc/exchange", {"code": code}, browser,
                            Origin="https://evil.example")
        self.refused(foreign, 403, "FORBIDDEN", "cookie")
        kept = self.post("/api/v1/auth/oidc/exchange", {"code": code}, browser)
        self.assertEqual(kept.status, 200, kept)
        self.assertNotIn("refresh_token", kept.json)
        self.assertIn("sonnim_refresh=snr_", " ".join(kept.headers.get_all("Set-Cookie")))
        self.refused(self.post("/api/v1/auth/oidc/exchange", {"code": code}, browser),
                     401, "UNAUTHORIZED", "code")

    def test_another_site_s_page_begins_no_login_that_is_kept(self):
        url = f"{self.base}/api/v1/auth/oidc/basic/start?cookie="
        browser = Browser()
        self.refused(browser.get(f"{url}true", {"Sec-Fetch-Site": "cross-site"}),
                     403, "FORBIDDEN", "cookie")
        self.assertEqual(browser.cookies[self.server.address], {})
        self.assertEqual(browser.get(f"{url}true", {"Sec-Fetch-Site": "none"}).status, 302)
        self.assertEqual(browser.get(f"{url}false", {"Sec-Fetch-Site": "cross-site"}).status, 302)
        self.refused(browser.get(f"{url}yes"), 400, "VALIDATION_ERROR", "cookie")

    def test_new_keys_are_fetched_when_a_token_names_one(self):
        self.comes("rotated")
        user = self.login().json["user"]["id"]
        self.tell(keys="second")
        self.assertEqual(self.login().json["user"]["id"], user)

    def test_a_provider_that_is_down_is_told_and_the_rest_goes_on(self):
        self.comes("kim")
        browser = Browser()
        url = self.to_callback(browser, "basic")
        self.tell(down=True)
        try:
            error = self.refused(browser.get(url), 503, "UNAVAILABLE")
            self.assertIn('"basic"', json.dumps(error).replace("\\", ""))
            self.client.expect(200, "GET", "/api/v1/segments")
        finally:
            self.tell(down=False)
        self.put("nobody", issuer="http://127.0.0.1:9", client_id="x")
        self.refused(Browser().get(f"{self.base}/api/v1/auth/oidc/nobody/start"), 503,
                     "UNAVAILABLE")


class Lies(SsoCase):
    """With a provider that says whatever it wants."""

    def setUp(self):
        super().setUp()
        self.liar = Liar()
        self.addCleanup(self.liar.close)
        self.configure()

    def configure(self, **more):
        self.put("liar", **{"issuer": self.liar.issuer, "client_id": "sonnim",
                            "client_secret": "s", "default_roles": ["viewer"], **more})

    def begun(self):
        """A browser that is at the provider, and what it was sent with."""
        browser = Browser()
        return browser, query_of(self.start(browser, "liar"))

    def claims(self, values, **more):
        now = int(time.time())
        return {key: value for key, value in {
            "iss": self.liar.issuer, "aud": "sonnim", "sub": "someone", "iat": now,
            "exp": now + 300, "nonce": values["nonce"],
            "email": f"{self.liar.issuer.rsplit(':', 1)[1]}@example.com",
            "groups": [], **more}.items() if value is not None}

    def back(self, browser, values, token=None, **more):
        if token is not None:
            self.liar.token = {"id_token": token, "access_token": "an access token", **more}
        return browser.get(f"{self.base}/api/v1/auth/oidc/liar/callback?code=x&state="
                           f"{values['state']}")

    def login(self, header=None, sign=None, claims=None, **changes):
        browser, values = self.begun()
        token = signed(self.claims(values, **changes) if claims is None else claims,
                       header, **({"sign": sign} if sign else {}))
        return self.back(browser, values, token)

    def test_who_tells_the_truth_is_believed(self):
        at_hash = part(hashlib.sha256(b"an access token").digest()[:16])
        for changes in ({}, {"aud": ["sonnim"]}, {"aud": ["sonnim", "b"], "azp": "sonnim"},
                        {"at_hash": at_hash}, {"email_verified": "true"}, {"nbf": 1},
                        {"exp": time.time() + 300.5}):
            with self.subTest(changes=changes):
                self.assertEqual(self.login(**changes).status, 200)
        self.assertEqual(self.login(header={"alg": "RS256"}).status, 200)  # any key, no kid
        headers = self.liar.asked[-1][1]
        self.assertEqual(headers["Authorization"], "Basic " +
                         base64.b64encode(b"sonnim:s").decode())

    def test_claims_that_are_not_of_this_login_are_refused(self):
        now = time.time()
        for changes, field in [
                ({"iss": "https://evil.example"}, "iss"), ({"iss": None}, "iss"),
                ({"aud": "another"}, "aud"), ({"aud": None}, "aud"), ({"aud": []}, "aud"),
                ({"aud": ["another"]}, "aud"), ({"aud": ["sonnim", "b"]}, "azp"),
                ({"azp": "another"}, "azp"), ({"azp": 1}, "azp"),
                ({"exp": now - 61}, "exp"), ({"exp": None}, "exp"), ({"exp": "never"}, "exp"),
                ({"iat": now + 7200}, "iat"), ({"iat": now - 700}, "iat"), ({"iat": None}, "iat"),
                ({"nbf": now + 7200}, "nbf"), ({"nonce": "another"}, "nonce"),
                ({"nonce": None}, "nonce"), ({"nonce": 1}, "nonce"), ({"sub": ""}, "sub"),
                ({"sub": None}, "sub"), ({"sub": "x" * 256}, "sub"),
                ({"at_hash": part(b"another access token")}, "at_hash")]:
            with self.subTest(changes=changes):
                self.refused(self.login(**changes), 401, "UNAUTHORIZED", field)

    def test_a_nonce_of_another_login_is_refused(self):
        _, other = self.begun()
        self.refused(self.login(nonce=other["nonce"]), 401, "UNAUTHORIZED", "nonce")

    def test_a_token_that_is_not_signed_by_a_published_key_is_refused(self):
        key = public_key()
        modulus = base64.urlsafe_b64decode(key["n"] + "==")
        other = {"keys": [{**key, "kid": "other", "alg": "RS512"},
                          {**key, "kid": "encrypts", "use": "enc"}, public_key()]}
        self.liar.keys = other
        for header, sign in [
                ({"alg": "none"}, lambda text: b""), ({"alg": "None", "kid": "lies"}, None),
                ({"alg": "HS256", "kid": "lies"}, by_secret(modulus)),
                ({"alg": "HS256", "kid": "lies"}, by_secret(json.dumps(key).encode())),
                ({"alg": "HS256"}, by_secret(b"s")),
                ({"alg": "RS512", "kid": "other"}, None), ({"alg": "RS256", "kid": "other"}, None),
                ({"alg": "RS256", "kid": "encrypts"}, None),
                ({"alg": "ES256", "kid": "lies"}, None), ({"alg": "EdDSA", "kid": "lies"}, None),
                ({"alg": "RS256", "kid": "nobody's"}, None),
                ({"alg": "RS256", "kid": "lies", "crit": ["exp"]}, None),
                ({"alg": "RS256", "kid": "x", "jwk": key}, None), ({"kid": "lies"}, None),
                ({"alg": "RS256", "kid": "lies"}, lambda text: b"\0" * 256),
                ({"alg": "RS256", "kid": "lies"}, lambda text: b"")]:
            with self.subTest(header=header):
                self.refused(self.login(header=header, sign=sign), 401, "UNAUTHORIZED")
        browser, values = self.begun()
        good = signed(self.claims(values))
        head, claims, signature = good.split(".")
        more = part({**self.claims(values), "sub": "another"})
        for token in (f"{head}.{more}.{signature}", f"{head}.{claims}.", f"{head}.{claims}",
                      good + ".AA", "", "x", "A" * 40000):
            with self.subTest(token=token[:60]):
                answer = self.back(browser, values, token)
                self.assertIn(answer.status, (401, 503), answer)
        self.assertEqual(self.back(browser, values, good).status, 200)

    def test_a_key_that_is_new_is_fetched_and_one_that_is_gone_is_not_believed(self):
        self.assertEqual(self.login().status, 200)
        fetched = sum(path == "/keys" for path, _, _ in self.liar.asked)
        self.assertEqual((self.login().status, fetched), (200, 1))
        self.liar.keys = {"keys": [public_key("next")]}
        self.assertEqual(self.login(header={"alg": "RS256", "kid": "next"}).status, 200)
        self.assertEqual(sum(path == "/keys" for path, _, _ in self.liar.asked), 2)
        self.refused(self.login(), 401, "UNAUTHORIZED")

    def test_what_the_token_lacks_is_asked_of_userinfo_if_it_is_of_the_same_person(self):
        self.configure(role_mapping={"a": ["analyst"]}, default_roles=[])
        self.liar.userinfo = {"sub": "another", "email": "x@example.com", "groups": ["a"]}
        self.refused(self.login(email=None, groups=None), 401, "UNAUTHORIZED", "sub")
        self.liar.userinfo = {"sub": "asked", "email": "asked@example.com", "groups": "a"}
        answer = self.login(sub="asked", email=None, groups=None)
        self.assertEqual(answer.json["user"]["roles"], ["analyst"])
        path, headers, _ = self.liar.asked[-1]
        self.assertEqual((path, headers["Authorization"]), ("/userinfo", "Bearer an access token"))

    def test_a_provider_that_answers_nonsense_is_told_apart(self):
        for token in ((200, b"<html>"), (200, b"[]"), (200, {}), (500, b""), (302, {}, [
                ("Location", f"{self.liar.issuer}/keys")]), (200, b"x" * 300_000),
                      (400, {"error": "invalid_client"})):
            with self.subTest(token=str(token)[:60]):
                browser, values = self.begun()
                self.liar.token = token
                self.refused(self.back(browser, values), 503, "UNAVAILABLE")
        self.liar.token = (400, {"error": "invalid_grant"})
        browser, values = self.begun()
        self.refused(self.back(browser, values), 401, "UNAUTHORIZED", "code")

    def test_a_document_that_leads_elsewhere_is_not_followed(self):
        good = dict(self.liar.document)
        for change in ({"issuer": "https://evil.example"}, {"jwks_uri": "http://evil.example/k"},
                       {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": None},
                       {"authorization_endpoint": "javascript:alert(1)"},
                       {"authorization_endpoint": "http://evil.example"},
                       {"issuer": None}):
            with self.subTest(change=change):
                other = Liar()
                self.addCleanup(other.close)
                other.document = {**other.document, **change}
                self.put("liar", issuer=other.issuer, client_id="x", client_secret=None,
                         default_roles=["viewer"])
                self.refused(Browser().get(f"{self.base}/api/v1/auth/oidc/liar/start"), 503,
                             "UNAVAILABLE")
        self.configure()
        for document in ((302, {}, [("Location", "/keys")]), (200, b"x" * 300_000)):
            self.liar.document = document
            self.refused(Browser().get(f"{self.base}/api/v1/auth/oidc/liar/start"), 503,
                         "UNAVAILABLE")
        self.liar.document = good
        self.assertEqual(self.login().status, 200)

    def test_a_role_that_is_gone_lets_nobody_in(self):
        self.client.expect(200, "PUT", "/api/v1/roles/passing", {"permissions": ["user.read"]})
        self.configure(default_roles=["passing"])
        self.client.expect(204, "DELETE", "/api/v1/roles/passing")
        self.refused(self.login(), 403, "FORBIDDEN")

    def test_names_and_addresses_that_cannot_be_are_left_out(self):
        self.assertEqual(self.login(sub="odd", email="odd@example.com", name="a\u0007b")
                         .json["user"]["name"], "odd@example.com")
        self.refused(self.login(sub="odder", email="no address"), 400, "VALIDATION_ERROR", "email")
        self.liar.userinfo = {"sub": "oddest"}
        self.refused(self.login(sub="oddest", email=["a@example.com"]), 403, "FORBIDDEN")


class Providers(SsoCase):
    GOOD = {"issuer": "https://login.example.com", "client_id": "sonnim",
            "client_secret": "very secret", "role_mapping": {"a": ["viewer"]}}

    def test_a_provider_is_configured_and_its_secret_never_comes_out(self):
        made = self.put("company", **self.GOOD)
        self.assertEqual((made["has_secret"], made["redirect_uri"]),
                         (True, f"{self.base}/api/v1/auth/oidc/company/callback"))
        kept = self.put("company", **{k: v for k, v in self.GOOD.items() if k != "client_secret"})
        self.assertTrue(kept["has_secret"])
        self.assertEqual(kept["created_at"], made["created_at"])
        for answer in (self.client.request("GET", "/api/v1/sso-providers"),
                       self.client.request("GET", "/api/v1/sso-providers/company")):
            self.assertNotIn(b"very secret", answer.body)
        for file, content in contents(self.server.data):
            self.assertNotIn(b"very secret", content, file)
        self.refused(self.client.request("PUT", "/api/v1/sso-providers/company", {
            "issuer": "https://evil.example.com", "client_id": "sonnim"}),
            400, "VALIDATION_ERROR", "client_secret")
        self.assertEqual(self.client.get("/api/v1/sso-providers/company")["issuer"],
                         self.GOOD["issuer"])
        self.assertFalse(self.put("company", **{**self.GOOD, "client_secret": None})["has_secret"])
        self.client.expect(204, "DELETE", "/api/v1/sso-providers/company")
        self.refused(self.client.request("GET", "/api/v1/sso-providers/company"), 404)
        self.refused(Browser().get(f"{self.base}/api/v1/auth/oidc/company/start"), 404)

    def test_a_bad_wish_is_refused_with_its_place(self):
        for change, field in [({"issuer": "http://login.example.com"}, "issuer"),
                              ({"issuer": "http://127.0.0.1.example.com"}, "issuer"),
                              ({"issuer": "https://a@login.example.com"}, "issuer"),
                              ({"issuer": "file:///etc/passwd"}, "issuer"),
                              ({"issuer": "https://a/?b"}, "issuer"), ({"issuer": 1}, "issuer"),
                              ({"client_id": ""}, "client_id"),
                              ({"client_id": "a\nb"}, "client_id"),
                              ({"scopes": ["a b"]}, "scopes"),
                              ({"role_mapping": {"a": ["king"]}}, "role_mapping"),
                              ({"role_mapping": ["a"]}, "role_mapping"),
                              ({"role_mapping": {}, "default_roles": ["king"]}, "default_roles"),
                              ({"return_path": "https://evil.example"}, "return_path"),
                              ({"return_path": "//evil.example"}, "return_path"),
                              ({"return_path": "/\\evil.example"}, "return_path"),
                              ({"active": "yes"}, "active"), ({"unknown": 1}, "unknown")]:
            with self.subTest(change=change):
                self.refused(self.client.request("PUT", "/api/v1/sso-providers/bad",
                                                 {**self.GOOD, **change}),
                             400, "VALIDATION_ERROR", field)
        self.refused(self.client.request("PUT", "/api/v1/sso-providers/Bad", self.GOOD), 400,
                     "VALIDATION_ERROR", "name")

    def test_nobody_gives_by_a_provider_what_he_lacks(self):
        keeper, _ = self.client_with("settings.write", "audience.read", "segment.read",
                                     "dimension.read", "job.read")
        keeper.expect(200, "PUT", "/api/v1/sso-providers/small", self.GOOD)
        self.refused(keeper.request("PUT", "/api/v1/sso-providers/small", {
            **self.GOOD, "role_mapping": {"a": ["admin"]}}), 403, "FORBIDDEN", "role_mapping")
        self.refused(keeper.request("PUT", "/api/v1/sso-providers/small", {
            **self.GOOD, "link_by_email": True}), 403, "FORBIDDEN", "link_by_email")

    def test_behind_https_the_cookie_is_bound_to_the_host(self):
        liar = Liar()
        self.addCleanup(liar.close)
        with Server("--partitions", "2", "--public-url", "https://cdp.example.com") as server:
            client = server.client()
            self.addCleanup(client.close)
            client.expect(200, "PUT", "/api/v1/sso-providers/company", {
                "issuer": liar.issuer, "client_id": "c", "default_roles": ["viewer"]})
            answer = client.expect(302, "GET", "/api/v1/auth/oidc/company/start")
            self.assertRegex(answer.headers["Set-Cookie"],
                             "^__Host-sonnim-sso=sno_.*; Path=/; .*; SameSite=Lax; Secure$")
            self.assertEqual(query_of(answer.headers["Location"])["redirect_uri"],
                             "https://cdp.example.com/api/v1/auth/oidc/company/callback")

    def test_a_login_is_kept_over_tls_only(self):
        liar = Liar()
        self.addCleanup(liar.close)
        with Server("--partitions", "2", "--public-url", "https://cdp.example.com",
                    "--trusted-proxies", "127.0.0.1") as server:
            client = server.client()
            self.addCleanup(client.close)
            client.expect(200, "PUT", "/api/v1/sso-providers/company", {
                "issuer": liar.issuer, "client_id": "c", "default_roles": ["viewer"]})
            path = "/api/v1/auth/oidc/company/start?cookie=true"
            far = {"X-Forwarded-For": "203.0.113.7"}
            self.refused(client.request("GET", path, headers=far), 400, "VALIDATION_ERROR",
                         "cookie")
            answer = client.request("GET", path, headers={**far, "X-Forwarded-Proto": "https"})
            self.assertEqual(answer.status, 302, answer)
            bound = answer.headers["Set-Cookie"].split(";")[0]
            back = {"state": query_of(answer.headers["Location"])["state"], "code": "x"}
            self.refused(client.request(
                "GET", f"/api/v1/auth/oidc/company/callback?{urllib.parse.urlencode(back)}",
                headers={**far, "Cookie": bound}), 400, "VALIDATION_ERROR", "cookie")

    def test_plain_http_is_for_this_machine_only(self):
        with Server("--partitions", "2", "--public-url", "http://cdp.example.com") as server:
            client = server.client()
            self.addCleanup(client.close)
            client.expect(200, "PUT", "/api/v1/sso-providers/company", self.GOOD)
            self.refused(client.request("GET", "/api/v1/auth/oidc/company/start"), 400)
