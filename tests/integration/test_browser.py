"""What browsers are told: headers of every answer, which origins may use what, and the cookie that
keeps somebody logged in."""
import unittest

from case import START
from server import Server

SHOP = "https://shop.example"
APP = "https://app.example"


class Headers(unittest.TestCase):
    def test_no_answer_may_run_be_framed_or_be_kept(self):
        with Server() as server:
            client = server.client()
            for method, path in (("GET", "/api/v1/sources"), ("GET", "/health/live"),
                                 ("GET", "/nowhere"), ("POST", "/api/v1/segments"),
                                 ("GET", "/openapi.json")):
                headers = client.request(method, path).headers
                self.assertEqual(headers["Content-Security-Policy"],
                                 "default-src 'none'; frame-ancestors 'none'", path)
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(headers["Referrer-Policy"], "no-referrer")
                self.assertIn("camera=()", headers["Permissions-Policy"])
                self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")
                self.assertEqual(headers["Cross-Origin-Opener-Policy"], "same-origin")
                self.assertEqual(headers["Cache-Control"], "no-store")
                self.assertNotIn("Strict-Transport-Security", headers)

    def test_what_the_server_answers_by_itself_has_them_too(self):
        with Server() as server:
            headers = server.client().request("GET", "/health/live",
                                              headers={"X": "x" * 9000}).headers
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])

    def test_behind_a_proxy_with_tls_strict_transport_is_asked_for(self):
        with Server("--trusted-proxies", "127.0.0.1") as server:
            headers = server.client().request("GET", "/health/live", headers={
                "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}).headers
            self.assertEqual(headers["Strict-Transport-Security"], "max-age=31536000")

    def test_collection_stays_usable_from_pages_of_other_origins(self):
        with Server() as server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            answer = client.request("POST", "/v1/track", {"userId": "u", "event": "Seen"},
                                    {"Origin": SHOP}, key=key)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
            self.assertEqual(answer.headers["Cross-Origin-Resource-Policy"], "cross-origin")
            pixel = client.request("GET", f"/pixel/v1/page?writeKey={key}&anonymousId=1")
            self.assertEqual(pixel.headers["Cross-Origin-Resource-Policy"], "cross-origin")
            settings = client.request("GET", f"/v1/projects/{key}/settings")
            self.assertEqual(settings.headers["Access-Control-Allow-Origin"], "*")


class Origins(unittest.TestCase):
    def test_a_source_that_names_origins_is_closed_to_others(self):
        with Server() as server:
            client = server.client()
            client.set_clock(START)
            source = client.expect(201, "POST", "/api/v1/sources", {
                "name": "shop", "allowedOrigins": [SHOP, "https://*.b.example"]}).json
            key, event = source["writeKey"], {"userId": "u", "event": "Seen"}
            for origin, status in ((SHOP, 200), ("https://a.b.example", 200), (APP, 403),
                                   ("https://xb.example", 403), ("null", 403)):
                answer = client.request("POST", "/v1/track", event, {"Origin": origin}, key=key)
                self.assertEqual(answer.status, status, origin)
                self.assertEqual(answer.headers["Access-Control-Allow-Origin"],
                                 origin if status == 200 else None)
                self.assertIn("Origin", answer.headers["Vary"])
            for origin, status in ((SHOP, 204), (APP, 403)):
                asked = client.request("OPTIONS", f"/beacon/v1/batch?writeKey={key}",
                                       headers={"Origin": origin,
                                                "Access-Control-Request-Method": "POST"})
                self.assertEqual(asked.status, status, asked)

    def test_the_api_is_for_its_own_pages_and_those_that_are_named(self):
        with Server("--cors-origins", f"{APP},https://*.b.example:8443") as server:
            client = server.client()
            for origin, named in ((APP, True), ("https://a.b.example:8443", True),
                                  ("https://a.b.example", False), (SHOP, False),
                                  ("https://app.example.evil.example", False), ("null", False)):
                answer = client.request("GET", "/api/v1/sources", headers={"Origin": origin})
                self.assertEqual(answer.headers["Access-Control-Allow-Origin"],
                                 origin if named else None, origin)
                self.assertEqual(answer.headers["Vary"], "Origin")
                asked = client.request("OPTIONS", "/api/v1/sources", headers={
                    "Origin": origin, "Access-Control-Request-Method": "DELETE"})
                self.assertEqual(asked.status, 204 if named else 403, origin)
                self.assertEqual("DELETE" in asked.headers.get("Access-Control-Allow-Methods", ""),
                                 named)

    def test_without_named_origins_no_page_of_another_is_let_in(self):
        with Server() as server:
            client = server.client()
            answer = client.request("GET", "/api/v1/sources", headers={"Origin": APP})
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
            own = client.request("OPTIONS", "/api/v1/sources",
                                 headers={"Origin": f"http://{server.address}"})
            self.assertEqual(own.status, 204)

    def test_what_is_no_origin_is_refused_at_the_start(self):
        server = Server("--cors-origins", "app.example")
        server.spawn()
        self.assertNotEqual(server.wait_end(), 0)


PASSWORD = "a long one that only I know"


class Cookie(unittest.TestCase):
    """A login that a browser keeps."""

    def setUp(self):
        self.server = Server("--trusted-proxies", "127.0.0.1", clock="wall")
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.server.client().expect(201, "POST", "/api/v1/people", {
            "email": "kim@example.com", "name": "Kim", "roles": ["viewer"],
            "password": PASSWORD})
        self.origin = f"http://{self.server.address}"

    def login(self, headers=None, **more):
        client = self.server.client(token="none")
        return client.request("POST", "/api/v1/auth/login", {
            "email": "kim@example.com", "password": PASSWORD, "cookie": True, **more}, headers)

    def refresh(self, cookie, headers=None):
        client = self.server.client(token="none")
        return client.request("POST", "/api/v1/auth/refresh", {}, {
            "Cookie": f"theme=dark; {cookie}", "Origin": self.origin, "X-Sonnim-CSRF": "1",
            **(headers or {})})

    @staticmethod
    def cookie_of(answer):
        return answer.headers["Set-Cookie"].split(";")[0]

    def test_the_refresh_token_is_in_a_cookie_that_no_script_reads_and_nowhere_else(self):
        answer = self.login()
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn("refresh_token", answer.json)
        cookie = answer.headers["Set-Cookie"]
        self.assertRegex(cookie, r"^sonnim_refresh=snr_[^;]+; Path=/api; Max-Age=[0-9]+; "
                                 r"HttpOnly; SameSite=Strict$")
        self.assertNotIn(answer.json["access_token"], cookie)
        again = self.refresh(self.cookie_of(answer))
        self.assertEqual(again.status, 200, again)
        self.assertNotIn("refresh_token", again.json)
        self.assertNotEqual(self.cookie_of(again), self.cookie_of(answer))

    def test_over_tls_it_is_secure_and_elsewhere_there_is_none(self):
        far = {"X-Forwarded-For": "203.0.113.7"}
        self.assertEqual(self.login(far).status, 400)
        answer = self.login({**far, "X-Forwarded-Proto": "https"})
        self.assertEqual(answer.status, 200, answer)
        self.assertRegex(answer.headers["Set-Cookie"],
                         r"^__Secure-sonnim_refresh=.*; SameSite=Strict; Secure$")

    def test_no_page_of_another_origin_can_use_it(self):
        cookie = self.cookie_of(self.login())
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                        {"X-Sonnim-CSRF": ""}, {"Sec-Fetch-Site": "cross-site"},
                        {"Origin": self.origin + ".evil.example"}):
            answer = self.refresh(cookie, headers)
            self.assertEqual(answer.status, 403, (headers, answer))
            self.assertNotIn("Set-Cookie", answer.headers)
        client = self.server.client(token="none")
        bare = client.request("POST", "/api/v1/auth/refresh", {},
                              {"Cookie": cookie, "X-Sonnim-CSRF": "1"})
        self.assertEqual(bare.status, 403)  # nothing says where it comes from
        self.assertEqual(self.refresh(cookie).status, 200)

    def test_no_page_of_another_origin_logs_its_visitor_in(self):
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                        {"Sec-Fetch-Site": "cross-site"}):
            answer = self.login(headers)
            self.assertEqual(answer.status, 403, (headers, answer))
            self.assertEqual(answer.json["error"]["details"]["field"], "cookie")
            self.assertNotIn("Set-Cookie", answer.headers)
        self.assertIn("Set-Cookie", self.login({"Origin": self.origin}).headers)

    def test_two_windows_that_refresh_at_once_do_not_end_the_session(self):
        cookie = self.cookie_of(self.login())
        first, second = self.refresh(cookie), self.refresh(cookie)
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertNotIn("Set-Cookie", second.headers)
        for answer in (first, second):
            me = self.server.client(token=answer.json["access_token"])
            me.expect(200, "GET", "/api/v1/users/me")
        self.assertEqual(self.refresh(self.cookie_of(first)).status, 200)

    def test_one_that_was_used_long_before_ends_the_session(self):
        first = self.cookie_of(self.login())
        second = self.cookie_of(self.refresh(first))
        third = self.cookie_of(self.refresh(second))
        self.assertEqual(self.refresh(first).status, 401)
        self.assertEqual(self.refresh(third).status, 401)

    def test_logging_out_ends_the_session_and_forgets_the_cookie(self):
        login = self.login()
        client = self.server.client(token=login.json["access_token"])
        answer = client.request("POST", "/api/v1/auth/logout", headers={
            "Cookie": self.cookie_of(login)})
        self.assertEqual(answer.status, 204)
        self.assertIn("sonnim_refresh=; Path=/api; Max-Age=0;", answer.headers["Set-Cookie"])
        self.assertEqual(self.refresh(self.cookie_of(login)).status, 401)

    def test_without_a_cookie_and_a_token_there_is_nothing_to_refresh(self):
        answer = self.refresh("other=1")
        self.assertEqual(answer.status, 401, answer)


if __name__ == "__main__":
    unittest.main()
