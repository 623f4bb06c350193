"""Every route and every WebSocket of the OpenAPI document, asked as every role, by programs with
one scope each, and with every kind of token that must not do: no surprise in any of them."""
import base64
import hashlib
import hmac
import json
import time

from case import ServerCase
from server import Client, Server

PASSWORD = "a long one that only I know"
ROLES = ("admin", "marketing-manager", "analyst", "engineer", "operator", "viewer")
UNKNOWN = "00000000-0000-4000-8000-000000000000"

# What each role may: written out here a second time, so that a change of
# src/access/role.c is a change here as well.
READS = {"audience.read", "segment.read", "dimension.read", "job.read"}
MAY = {
    "marketing-manager": READS | {"user.read", "audience.write", "audience.export",
                                  "segment.write", "campaign.send"},
    "analyst": READS | {"user.read"},
    "engineer": READS | {"events.write", "source.write", "dimension.write", "destination.write",
                         "job.write", "token.write", "metrics.read"},
    "operator": {"job.read", "job.write", "metrics.read", "audit.read"},
    "viewer": READS,
}

# Everything that nobody has to be known for.
PUBLIC = {
    ("POST", "/v1/m"), ("GET", "/v1/projects/{writeKey}/settings"),
    ("GET", "/api/v1/events/health"), ("GET", "/api/v1/audience/exports/{id}/file"),
    ("POST", "/api/v1/auth/register"), ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/login/totp"), ("GET", "/api/v1/auth/oidc/{name}/start"),
    ("GET", "/api/v1/auth/oidc/{name}/callback"), ("POST", "/api/v1/auth/oidc/exchange"),
    ("POST", "/api/v1/auth/refresh"), ("POST", "/api/v1/auth/reset-request"),
    ("POST", "/api/v1/auth/reset"), ("GET", "/.well-known/jwks.json"),
    ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/openapi.json"),
}
# Of people only: what is one's own.
OWN = {"/api/v1/auth/logout", "/api/v1/auth/password", "/api/v1/auth/sessions",
       "/api/v1/auth/sessions/{id}", "/api/v1/auth/totp", "/api/v1/auth/totp/confirm",
       "/api/v1/auth/totp/disable", "/api/v1/users/me", "/api/v1/users/settings",
       "/api/v1/users/subscription", "/api/v1/users/me/workspaces",
       "/api/v1/workspaces/{id}/switch"}
# What would end who asks.
HARMFUL = ("POST", "/api/v1/auth/logout")

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def forgeries(token):
    """What a thief of a token, or somebody without any, could make of it."""
    head, claims, signature = token.split(".")
    header, body = decoded(head), decoded(claims)
    more = {**body, "permissions": ["admin"]}

    def signed(header_, body_, key):
        text = f"{part(header_)}.{part(body_)}"
        code = hmac.new(key, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"

    now = int(time.time())
    yield "alg none", f"{part({**header, 'alg': 'none'})}.{claims}."
    yield "alg none, kept signature", f"{part({**header, 'alg': 'None'})}.{claims}.{signature}"
    yield "another alg", f"{part({**header, 'alg': 'HS512'})}.{claims}.{signature}"
    yield "an alg with public keys", f"{part({**header, 'alg': 'RS256'})}.{claims}.{signature}"
    yield "no kid", f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{claims}.{signature}"
    yield "a wrong kid", f"{part({**header, 'kid': UNKNOWN})}.{claims}.{signature}"
    yield "a kid that is a path", signed({**header, "kid": "../../dev/null"}, more, b"")
    yield "signed with the kid", signed(header, more, header["kid"].encode())
    yield "signed with nothing", signed(header, more, b"")
    yield "a key of its own", signed({**header, "jwk": {"kty": "oct", "k": "AA"}}, more, b"\0")
    yield "more permissions", f"{head}.{part(more)}.{signature}"
    yield "expired", signed(header, {**body, "iat": now - 7200, "exp": now - 3600}, b"x")
    yield "not yet valid", signed(header, {**body, "iat": now + 900, "exp": now + 4500}, b"x")
    yield "another audience", f"{head}.{part({**body, 'aud': UNKNOWN})}.{signature}"
    yield "another issuer", f"{head}.{part({**body, 'iss': 'https://evil'})}.{signature}"
    yield "a cut signature", token[:-2]
    yield "a changed signature", token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]
    yield "no signature", f"{head}.{claims}."
    yield "two parts", f"{head}.{claims}"
    yield "four parts", token + ".AA"


class Matrix(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        admin = cls.server.client()
        cls.document = admin.get("/openapi.json")
        cls.routes = [(method.upper(), path, operation)
                      for path, operations in cls.document["paths"].items()
                      for method, operation in operations.items()]
        cls.people = {role: cls.log_in(admin, role) for role in ROLES}
        cls.other = cls.make_other(admin)
        admin.close()

    @classmethod
    def log_in(cls, admin, role):
        email = f"{role}@example.com"
        admin.expect(201, "POST", "/api/v1/people",
                     {"email": email, "name": role, "password": PASSWORD, "roles": [role]})
        return admin.expect(200, "POST", "/api/v1/auth/login",
                            {"email": email, "password": PASSWORD}).json

    def ask(self, method, path, token, **more):
        """A request that names nothing which exists, and says nothing that could be taken."""
        for name in ("{id}", "{letterId}", "{personId}"):
            path = path.replace(name, UNKNOWN)
        for name in ("{name}", "{table}", "{writeKey}"):
            path = path.replace(name, "unknown")
        client = Client(self.server.address, token)
        self.addCleanup(client.close)
        body = {"unknown": True} if method in ("POST", "PUT", "PATCH") else None
        answer = client.request(method, path, body, **more)
        client.close()
        return answer

    def secured(self):
        for method, path, operation in self.routes:
            if any("token" in way for way in operation["security"]):
                yield method, path, operation

    def test_nothing_but_what_must_be_is_open(self):
        for method, path, operation in self.routes:
            ways = operation["security"]
            if (method, path) in PUBLIC:
                self.assertEqual(ways, [], path)
            elif path.startswith(("/v1/", "/beacon/", "/pixel/")):
                self.assertIn({"writeKey": []}, ways, path)
            else:
                self.assertEqual([list(way) for way in ways], [["token"]], path)
                self.assertTrue(operation.get("x-scope") or path in OWN
                                or path == "/api/v1/ws-tickets", path)

    def expected(self, path, scope, may, person):
        """Whether he is let in: what becomes of it then is another matter."""
        if path in OWN and not person:
            return False
        return scope is None or may is None or scope in may

    def check(self, path, operation, answer, may, person):
        let_in = self.expected(path, operation.get("x-scope"), may, person)
        self.assertNotEqual(answer.status, 401, answer)
        self.assertLess(answer.status, 500, answer)
        self.assertEqual(answer.status != 403, let_in, answer)

    def test_a_role_does_what_it_may_and_nothing_else(self):
        for role in ROLES:
            token, may = self.people[role]["access_token"], MAY.get(role)
            if may is not None:
                self.assertEqual(set(self.people[role]["user"]["permissions"]), may)
            for method, path, operation in self.secured():
                if (method, path) != HARMFUL and not path.startswith("/ws/"):
                    with self.subTest(role=role, route=f"{method} {path}"):
                        answer = self.ask(method, path, token)
                        self.check(path, operation, answer, may, True)

    def test_a_program_does_what_its_one_scope_allows_and_nothing_else(self):
        scopes = {operation["x-scope"] for _, _, operation in self.secured()
                  if "x-scope" in operation}
        self.assertGreater(len(scopes), 15)
        for scope in sorted(scopes):
            program, _ = self.client_with(scope)
            for method, path, operation in self.secured():
                if not path.startswith("/ws/"):
                    with self.subTest(scope=scope, route=f"{method} {path}"):
                        answer = self.ask(method, path, program.token)
                        self.check(path, operation, answer, {scope}, False)

    def bad_tokens(self):
        yield "no token", None
        yield "an empty one", ""
        yield "a write key", self.key
        yield "a token that was never made", "sonnim_" + "A" * 43
        yield "a refresh token", self.people["admin"]["refresh_token"]
        yield "a device token", self.people["admin"]["device_token"]
        ended = self.client.expect(200, "POST", "/api/v1/auth/login", {
            "email": "admin@example.com", "password": PASSWORD}).json
        ender = Client(self.server.address, ended["access_token"])
        ender.expect(204, "POST", "/api/v1/auth/logout")
        ender.close()
        yield "one whose session has ended", ended["access_token"]
        for seconds in (2, 10, 50):  # until it is not over before it arrives
            soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
            made = self.client.request("POST", "/api/v1/tokens", {
                "name": "soon over", "scopes": ["admin"], "expiresAt": soon})
            if made.status != 400:
                break
        self.assertEqual(made.status, 201, made)
        made = made.json
        while Client(self.server.address, made["token"]).request(
                "GET", "/api/v1/segments").status == 200:
            time.sleep(0.1)
        yield "an expired one", made["token"]
        with Server("--partitions", "3") as other:
            client = other.client()
            yield "a program's of another workspace", other.token
            yield "a person's of another workspace", self.log_in(client, "admin")["access_token"]
            client.close()

    def test_whoever_is_not_known_is_refused_everywhere(self):
        tokens = list(self.bad_tokens())
        for what, token in tokens:
            for method, path, _ in self.secured():
                with self.subTest(token=what, route=f"{method} {path}"):
                    answer = self.ask(method, path, token,
                                      headers=UPGRADE if path.startswith("/ws/") else None)
                    self.refused(answer, 401, "UNAUTHORIZED")

    def test_forged_tokens_are_refused(self):
        for what, token in forgeries(self.people["viewer"]["access_token"]):
            with self.subTest(forgery=what):
                self.refused(self.ask("GET", "/api/v1/segments", token), 401, "UNAUTHORIZED")
                self.refused(self.ask("GET", "/api/v1/users/me", token), 401, "UNAUTHORIZED")

    def test_collection_takes_a_write_key_and_nothing_else(self):
        tokens = [person["access_token"] for person in self.people.values()]
        for method, path, operation in self.routes:
            if {"writeKey": []} not in operation["security"]:
                continue
            for token in (*tokens, self.server.token, None):
                with self.subTest(route=f"{method} {path}"):
                    self.refused(self.ask(method, path, token), 401, "UNAUTHORIZED")

    def test_a_socket_opens_for_whom_it_may_and_for_nobody_else(self):
        self.make_segment("seen", {"event": "Seen", "op": "gte", "value": 1})
        self.track("someone")
        sockets = [(path, operation["x-scope"]) for _, path, operation in self.secured()
                   if path.startswith("/ws/")]
        self.assertGreaterEqual(len(sockets), 6)
        for path, scope in sockets:
            real = (path.replace("segments/{id}", "segments/seen")
                    .replace("users/{id}", "users/someone").replace("sources/{id}", "sources/api"))
            for role in ROLES:
                may = MAY.get(role)
                with self.subTest(role=role, socket=path):
                    answer = self.ask("GET", real, None, headers={
                        **UPGRADE, "Sec-WebSocket-Protocol":
                        f"sonnim.bearer.{self.people[role]['access_token']}"})
                    expected = 403 if may is not None and scope not in may else 101
                    if expected == 101 and "{id}" in real:  # a job that there is not
                        expected = 404
                    self.assertEqual(answer.status, expected, answer)

    # ---- Another workspace of the same server ----

    @classmethod
    def make_other(cls, admin):
        """Its path, its tokens of a program and of each role, and its write key."""
        made = admin.expect(201, "POST", "/api/v1/workspaces",
                            {"slug": "other", "name": "Other"}).json
        its_admin, tokens = Client(cls.server.address, made["token"]), {"program": made["token"]}
        for role in ROLES:
            body = {"email": f"{role}@other.example.com", "password": PASSWORD}
            its_admin.expect(201, "POST", "/api/v1/people",
                             {**body, "name": role, "roles": [role]})
            tokens[role] = its_admin.expect(200, "POST", "/w/other/api/v1/auth/login",
                                            body).json["access_token"]
        its_admin.close()
        return "/w/other", tokens, made["writeKey"]

    def other_workspace(self):
        there, tokens, key = self.other
        admin = Client(self.server.address, tokens["program"])
        self.addCleanup(admin.close)
        return there, tokens, key, admin

    def ours(self):
        return {"program": self.server.token,
                **{role: person["access_token"] for role, person in self.people.items()}}

    def test_a_token_of_one_workspace_is_refused_everywhere_in_another(self):
        there, theirs, _, _ = self.other_workspace()
        for place, tokens in ((there, self.ours()), ("/w/default", theirs)):
            for who, token in tokens.items():
                for method, path, _ in self.secured():
                    socket = path.startswith("/ws/")
                    with self.subTest(place=place, who=who, route=f"{method} {path}"):
                        answer = self.ask(method, place + path, token,
                                          headers=UPGRADE if socket else None)
                        self.refused(answer, 401, "UNAUTHORIZED")
                    if socket:
                        answer = self.ask(method, place + path, None, headers={
                            **UPGRADE, "Sec-WebSocket-Protocol": f"sonnim.bearer.{token}"})
                        self.refused(answer, 401, "UNAUTHORIZED")

    def test_a_token_of_another_workspace_acts_there_and_does_what_it_may(self):
        """Without a prefix too: the roles' permissions are the same, what they are over is not."""
        there, theirs, _, _ = self.other_workspace()
        managed = ("/api/v1/workspaces", "/api/v1/users/me/workspaces")
        for role in ROLES:
            for method, path, operation in self.secured():
                if (method, path) == HARMFUL or path.startswith("/ws/"):
                    continue
                for place in ("", there):
                    with self.subTest(place=place, role=role, route=f"{method} {path}"):
                        answer = self.ask(method, place + path, theirs[role])
                        self.check(path, operation, answer, MAY.get(role), True)
                        if path.startswith(managed[0]) and answer.status != 403:
                            self.assertEqual(answer.status, 404, answer)

    def test_nothing_of_one_workspace_is_seen_in_another(self):
        there, theirs, _, admin = self.other_workspace()
        mark = f"mark{time.monotonic_ns()}"
        self.make_segment(mark, {"event": mark, "op": "gte", "value": 1})
        self.track(mark, event=mark, properties={mark: mark})
        self.client.expect(200, "POST", "/v1/identify",
                           {"userId": mark, "traits": {"name": mark}}, key=self.key)
        self.client.expect(201, "POST", "/api/v1/sources", {"name": mark})
        self.client.expect(201, "POST", "/api/v1/tokens", {"name": mark, "scopes": ["admin"]})
        self.client.expect(200, "PUT", f"/api/v1/roles/{mark}",
                           {"description": mark, "permissions": ["segment.read"]})
        paths = [path for method, path, _ in self.secured()
                 if method == "GET" and not path.startswith("/ws/")]
        for path in sorted(paths, key=lambda path: "{" in path):  # the trail tells what was asked
            for place in ("", there):
                with self.subTest(place=place, route=path):
                    for name in ("{id}", "{name}", "{letterId}", "{personId}", "{table}"):
                        path = path.replace(name, mark)
                    answer = admin.request("GET", place + path)
                    told = answer.body.replace(path.encode(), b"")
                    self.assertTrue(answer.status != 200 or mark.encode() not in told, answer)
        self.assertIn(mark, json.dumps(self.client.items("/api/v1/segments")))

    def test_a_write_key_of_one_workspace_sends_nothing_to_another(self):
        there, _, key, admin = self.other_workspace()
        user = f"sent{time.monotonic_ns()}"
        body = {"userId": user, "event": "Seen"}
        self.refused(self.client.request("POST", there + "/v1/track", body, key=self.key), 401)
        self.refused(self.client.request("POST", "/w/default/v1/track", body, key=key), 401)
        self.refused(self.client.request("POST", "/w/default/v1/track", {**body, "writeKey": key}),
                     401)
        self.client.expect(200, "POST", "/v1/track", body, key=key)
        self.assertEqual(self.client.request("GET", f"/api/v1/users/{user}/profile").status, 404)
        self.assertEqual(admin.request("GET", f"/api/v1/users/{user}/profile").status, 200)

    def test_a_socket_of_another_workspace_opens_there_for_whom_it_may(self):
        there, theirs, key, admin = self.other_workspace()
        admin.expect(201, "POST", "/api/v1/segments", {
            "key": "seen", "name": "seen", "expression": {"event": "Seen", "op": "gte",
                                                          "value": 1}})
        admin.wait_live("seen")
        admin.expect(200, "POST", "/v1/track", {"userId": "someone", "event": "Seen"}, key=key)
        for _, path, operation in self.secured():
            if not path.startswith("/ws/"):
                continue
            real = (path.replace("segments/{id}", "segments/seen")
                    .replace("users/{id}", "users/someone").replace("sources/{id}", "sources/api"))
            for role in ROLES:
                may, scope = MAY.get(role), operation["x-scope"]
                for place in ("", there):
                    with self.subTest(place=place, role=role, socket=path):
                        answer = self.ask("GET", place + real, None, headers={
                            **UPGRADE, "Sec-WebSocket-Protocol": f"sonnim.bearer.{theirs[role]}"})
                        expected = 403 if may is not None and scope not in may else 101
                        if expected == 101 and "{id}" in real:
                            expected = 404
                        self.assertEqual(answer.status, expected, answer)
