"""Who may do what: tokens, scopes, write keys."""
import base64

from case import ServerCase
from server import Client, contents

LEAF = {"event": "Seen", "op": "gte", "value": 1}


class Tokens(ServerCase):
    def test_without_a_token_nothing_is_answered(self):
        client = Client(self.server.address)
        self.addCleanup(client.close)
        for method, path in [("GET", "/api/v1/segments"), ("POST", "/api/v1/segments"),
                             ("GET", "/api/v1/users/u/profile"), ("POST", "/api/v1/events"),
                             ("GET", "/api/v1/tokens"), ("POST", "/api/v1/clock"),
                             ("GET", "/api/v1/changes"), ("GET", "/metrics"),
                             ("GET", "/api/v1/sources")]:
            with self.subTest(path=path):
                answer = client.request(method, path, {} if method == "POST" else None)
                self.refused(answer, 401, "UNAUTHORIZED")
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_a_wrong_token_is_refused(self):
        token = self.server.token
        for wrong in ("x", token[:-1], token + "x", token.upper(), "", "a" * 2000):
            with self.subTest(wrong=wrong[:8]):
                client = Client(self.server.address, wrong)
                self.addCleanup(client.close)
                self.refused(client.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")
        answer = self.client.request("GET", "/api/v1/segments",
                                     headers={"Authorization": f"Basic {token}"})
        self.refused(answer, 401, "UNAUTHORIZED")

    def test_a_token_does_only_what_its_scopes_allow(self):
        reader, _ = self.client_with("segment.read")
        self.assertEqual(reader.request("GET", "/api/v1/segments").status, 200)
        for method, path, body in [("POST", "/api/v1/segments", {"name": "x", "expression": LEAF}),
                                   ("GET", "/api/v1/users/u/profile", None),
                                   ("POST", "/api/v1/events", []),
                                   ("POST", "/api/v1/sources", {"name": "x"}),
                                   ("POST", "/api/v1/tokens", {"name": "x", "scopes": ["admin"]}),
                                   ("POST", "/api/v1/clock", {"now": 4102444800000})]:
            with self.subTest(path=path):
                self.refused(reader.request(method, path, body), 403, "FORBIDDEN")

    def test_nobody_grants_what_he_lacks(self):
        maker, _ = self.client_with("token.write", "user.read")
        answer = maker.request("POST", "/api/v1/tokens", {"name": "x", "scopes": ["admin"]})
        self.refused(answer, 403, "FORBIDDEN", "scopes[0]")
        maker.expect(201, "POST", "/api/v1/tokens", {"name": "x", "scopes": ["user.read"]})

    def test_a_revoked_token_is_refused_at_once(self):
        client, token_id = self.client_with("segment.read")
        client.expect(200, "GET", "/api/v1/segments")
        self.client.expect(204, "DELETE", f"/api/v1/tokens/{token_id}")
        self.refused(client.request("GET", "/api/v1/segments"), 401, "UNAUTHORIZED")
        self.refused(self.client.request("DELETE", f"/api/v1/tokens/{token_id}"), 404)

    def test_a_token_is_shown_once(self):
        made = self.client.expect(201, "POST", "/api/v1/tokens",
                                  {"name": "once", "scopes": ["user.read"]}).json
        listed = self.client.expect(200, "GET", "/api/v1/tokens?limit=1000")
        self.assertNotIn(made["token"].encode(), listed.body)
        self.assertIn(made["id"].encode(), listed.body)

    def test_a_token_makes_none_that_outlives_it(self):
        soon, later = "2100-01-01T00:00:00.000Z", "2100-01-01T00:00:00.001Z"
        made = self.client.expect(201, "POST", "/api/v1/tokens", {
            "name": "over in time", "scopes": ["admin"], "expiresAt": soon}).json
        program = self.server.client(token=made["token"])
        wish = {"name": "of it", "scopes": ["user.read"]}
        for more in ({}, {"expiresAt": None}, {"expiresAt": later}):
            error = self.refused(program.request("POST", "/api/v1/tokens", {**wish, **more}), 403,
                                 "FORBIDDEN")
            self.assertEqual(error["details"]["field"], "expiresAt")
        program.expect(201, "POST", "/api/v1/tokens", {**wish, "expiresAt": soon})

    def test_a_bad_wish_for_a_token_is_refused_with_its_place(self):
        for body, field in [({"name": "x", "scopes": []}, "scopes"),
                            ({"name": "x", "scopes": ["fly"]}, "scopes[0]"),
                            ({"name": "x", "scopes": "admin"}, "scopes"),
                            ({"scopes": ["admin"]}, "name"),
                            ({"name": "x", "scopes": ["admin"],
                              "expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
                            ({"name": "x", "scopes": ["admin"], "admin": True}, "admin")]:
            with self.subTest(body=body):
                self.refused(self.client.request("POST", "/api/v1/tokens", body), 400,
                             "VALIDATION_ERROR", field)

    def test_personal_values_are_shown_with_their_scope_only(self):
        self.client.expect(200, "PUT", "/api/v1/users/private/profile",
                           {"email": "min@example.com", "phone": "010-1234-5678",
                            "attributes": {"tier": "VIP", "first_name": "민"}})
        self.track("private", properties={"email": "min@example.com", "n": 1},
                   context={"ip": "192.0.2.7"})
        reader, _ = self.client_with("user.read")
        for what in ("profile", "events"):
            body = reader.expect(200, "GET", f"/api/v1/users/private/{what}").body.decode()
            for value in ("min@example.com", "010-1234-5678", "민", "192.0.2.7"):
                self.assertNotIn(value, body)
        seer, _ = self.client_with("user.read", "pii.read")
        profile = seer.expect(200, "GET", "/api/v1/users/private/profile").json
        self.assertEqual((profile["email"], profile["phone"], profile["attributes"]["first_name"]),
                         ("min@example.com", "010-1234-5678", "민"))
        event = seer.expect(200, "GET", "/api/v1/users/private/events").json["items"][0]
        self.assertEqual((event["properties"]["email"], event["context"]["ip"]),
                         ("min@example.com", "192.0.2.7"))

    def test_the_token_file_is_its_owners_alone(self):
        self.assertEqual((self.server.directory / "token").stat().st_mode & 0o777, 0o600)

    def test_no_secret_and_no_personal_value_is_in_the_log_or_the_data(self):
        self.client.expect(200, "PUT", "/api/v1/users/secretive-user-4711/profile",
                           {"email": "secretive@example.com"})
        self.track("secretive-user-4711", properties={"phone": "010-9999-8888"})
        found = [(self.server.log_file, self.server.log_file.read_bytes()),
                 *contents(self.server.data)]
        self.assertGreater(len(found), 3)
        for path, content in found:
            for secret in (b"secretive", b"010-9999-8888", self.server.token.encode()):
                self.assertNotIn(secret, content, path)


class WriteKeys(ServerCase):
    EVENT = {"userId": "k", "event": "Seen"}

    def send(self, key=None, body=None, **headers):
        client = Client(self.server.address)
        self.addCleanup(client.close)
        return client.request("POST", "/v1/track", body or self.EVENT, headers, key=key)

    def test_a_wrong_key_is_refused(self):
        for key in (None, "", "wrong", self.key + "x", "a" * 1000):
            with self.subTest(key=key):
                answer = self.send(key)
                self.refused(answer, 401, "UNAUTHORIZED")
        self.refused(self.send(body={**self.EVENT, "writeKey": "wrong"}), 401, "UNAUTHORIZED")
        self.refused(self.send(body={**self.EVENT, "writeKey": 5}), 401, "UNAUTHORIZED")

    def test_the_key_may_be_in_the_body(self):
        self.assertEqual(self.send(body={**self.EVENT, "writeKey": self.key}).status, 200)

    def test_the_colon_of_basic_may_be_missing(self):
        bare = base64.b64encode(self.key.encode()).decode()
        self.assertEqual(self.send(Authorization=f"Basic {bare}").status, 200)

    def test_a_token_is_no_write_key(self):
        self.refused(self.send(self.server.token), 401, "UNAUTHORIZED")

    def test_a_deleted_source_is_refused_at_once(self):
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "short-lived"}).json
        self.assertEqual(self.send(source["writeKey"]).status, 200)
        self.client.expect(204, "DELETE", f"/api/v1/sources/{source['id']}")
        self.refused(self.send(source["writeKey"]), 401, "UNAUTHORIZED")
        self.refused(self.client.request("GET", f"/api/v1/sources/{source['id']}"), 404)

    def test_a_source_can_be_renamed(self):
        source = self.client.expect(201, "POST", "/api/v1/sources", {"name": "before"}).json
        self.client.expect(200, "PUT", f"/api/v1/sources/{source['id']}", {"name": "after"})
        self.assertEqual(self.client.get(f"/api/v1/sources/{source['id']}"),
                         {**source, "name": "after"})

    def test_the_settings_route_answers_browser_SDKs(self):
        client = Client(self.server.address)
        self.addCleanup(client.close)
        settings = client.get(f"/v1/projects/{self.key}/settings")
        self.assertEqual(settings, {
            "integrations": {"Segment.io": {"apiKey": self.key,
                                            "apiHost": f"{self.server.address}/v1"}},
            "metrics": {"sampleRate": 0}})
        self.refused(client.request("GET", "/v1/projects/wrong/settings"), 404)
