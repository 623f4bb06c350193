"""What pages of the server's own origin, of other origins and of other sites can do in a real
browser in which somebody is logged in."""
import json
import unittest

from program import Node
from server import Client, Server

PASSWORD = "a long one=that only I know"  # a form can send it: name=value
EMPTY = "<!doctype html><title>A page</title><link rel=icon href='data:,'>"

# fetch() as pages use it; what the browser keeps from them is "kept from the page".
ASK = """
const ask = async (method, url, body, options = {}) => {
  try {
    const answer = await fetch(url, { method, credentials: "include",
      headers: { "Content-Type": "application/json", ...options.headers }, ...options.more,
      body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, type: answer.type, headers: [...answer.headers.keys()],
             body: text === "" ? null : JSON.parse(text) };
  } catch (error) { return "kept from the page"; }
};
"""
KEPT = "kept from the page"
CSRF = {"headers": {"X-Sonnim-CSRF": "1"}}


class Pages:
    """Chromium, in which one person has all tabs."""

    def __init__(self):
        self.program = Node("pages.mjs")
        self.port = self.program.next()["ready"]
        self.other_origin = f"http://127.0.0.1:{self.port}"  # of the same site: cookies are sent
        self.other_site = f"http://localhost:{self.port}"

    def ask(self, **command):
        self.program.send(**command)
        answer = self.program.next()
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def open(self, url, html=EMPTY):
        return Tab(self, self.ask(open=url, html=html)["tab"])


class Tab:
    def __init__(self, pages, number):
        self.pages = pages
        self.number = number

    def run(self, code):
        return self.pages.ask(tab=self.number, run=code)["value"]

    def fetch(self, method, url, body=None, options=None):
        arguments = [json.dumps(method), json.dumps(url),
                     "undefined" if body is None else json.dumps(body), json.dumps(options or {})]
        return self.run(f"{ASK} return ask({', '.join(arguments)});")

    def goto(self, url):
        return self.pages.ask(tab=self.number, goto=url)["value"]

    def frames(self):
        return self.pages.ask(tab=self.number, frames=True)["value"]

    def submit(self, url, name, value):
        """Leads away by a form as text/plain, `name=value`, that pages of anybody may send."""
        return self.pages.ask(tab=self.number, submit=url, name=name, value=value)["value"]


class BrowserCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pages = Pages()
        cls.addClassCleanup(cls.pages.program.__exit__)

    def serve(self, *flags):
        server = Server(*flags, clock="wall")
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return server


class Cookie(BrowserCase):
    """Somebody's login, that his browser keeps."""

    def setUp(self):
        self.server = self.serve()
        self.admin = self.server.client()
        self.admin.expect(201, "POST", "/api/v1/people", {
            "email": "kim@example.com", "name": "김하나", "roles": ["analyst"],
            "password": PASSWORD})
        self.origin = f"http://{self.server.address}"
        self.refresh = f"{self.origin}/api/v1/auth/refresh"
        self.own = self.pages.open(f"{self.origin}/a-page")

    def login(self):
        answer = self.own.fetch("POST", "/api/v1/auth/login", {
            "email": "kim@example.com", "password": PASSWORD, "cookie": True})
        self.assertEqual(answer["status"], 200, answer)
        return answer["body"]

    def sessions(self, token):
        client = Client(self.server.address, token)
        self.addCleanup(client.close)
        return client.items("/api/v1/sessions")

    def check_goes_on(self):
        """Nobody else has used or ended it."""
        answer = self.own.fetch("POST", "/api/v1/auth/refresh", {}, CSRF)
        self.assertEqual(answer["status"], 200, answer)
        return answer["body"]["access_token"]

    def test_a_page_of_the_server_s_own_stays_logged_in_and_sees_no_token_of_it(self):
        body = self.login()
        self.assertNotIn("refresh_token", body)
        self.assertEqual(self.own.run("return document.cookie;"), "")
        again = self.pages.open(f"{self.origin}/another-page")
        answer = again.fetch("POST", "/api/v1/auth/refresh", {}, CSRF)
        self.assertEqual(answer["status"], 200, answer)
        me = again.fetch("GET", "/api/v1/users/me", None, {
            "headers": {"Authorization": "Bearer " + answer["body"]["access_token"]}})
        self.assertEqual((me["status"], me["body"]["name"]), (200, "김하나"))

    def test_no_page_of_another_origin_or_site_uses_it(self):
        self.login()
        for place in (self.pages.other_origin, self.pages.other_site):
            evil = self.pages.open(f"{place}/evil")
            for options in (CSRF, {}, {"headers": {"Content-Type": "text/plain"}},
                            {"headers": {"Content-Type": "text/plain"},
                             "more": {"referrerPolicy": "no-referrer"}}):
                self.assertEqual(evil.fetch("POST", self.refresh, {}, options), KEPT)
            evil.run(f"""await fetch({json.dumps(self.refresh)}, {{ method: "POST",
                mode: "no-cors", credentials: "include", body: "{{}}" }}).catch(() => 0);""")
            for url in (self.refresh, f"{self.origin}/api/v1/auth/logout"):
                leads = self.pages.open(f"{place}/leads")
                self.assertIn(leads.submit(url, '{"a":"', '"}'), (400, 401, 403))
            evil.run(f"""navigator.sendBeacon({json.dumps(self.refresh)}, "{{}}");""")
        self.check_goes_on()

    def test_no_page_of_another_origin_or_site_logs_its_visitor_in(self):
        login = json.dumps({"email": "kim@example.com", "password": PASSWORD, "cookie": True})
        for place in (self.pages.other_origin, self.pages.other_site):
            evil = self.pages.open(f"{place}/evil")
            leads = self.pages.open(f"{place}/leads")
            status = leads.submit(f"{self.origin}/api/v1/auth/login", *login.split("="))
            self.assertEqual(status, 403)
            evil.run(f"""await fetch({json.dumps(self.origin + "/api/v1/auth/login")}, {{
                method: "POST", mode: "no-cors", credentials: "include",
                body: {json.dumps(login)} }}).catch(() => 0);""")
        answer = self.own.fetch("POST", "/api/v1/auth/refresh", {}, CSRF)
        self.assertEqual(answer["status"], 401, answer)

    def test_no_page_frames_or_includes_what_the_server_answers(self):
        self.login()
        for place in (self.pages.other_origin, self.pages.other_site):
            evil = self.pages.open(f"{place}/evil")
            outcome = evil.run(f"""
                const tried = (tag, set) => new Promise((done) => {{
                  const element = document.createElement(tag);
                  element.onload = () => done("loaded");
                  element.onerror = () => done("refused");
                  set(element);
                  document.body.append(element);
                }});
                const url = {json.dumps(self.origin + "/openapi.json")};
                const frame = tried("iframe", (element) => element.src = url);
                return [await tried("script", (element) => element.src = url),
                        await tried("img", (element) => element.src = url), await frame];""")
            self.assertEqual(outcome[:2], ["refused", "refused"])
            (where, shown), = evil.frames()
            self.assertFalse('"openapi"' in shown, where)
            self.assertNotEqual(where, f"{self.origin}/openapi.json")


class Named(BrowserCase):
    """A page of another origin that the operator has named."""

    def test_it_uses_the_api_and_the_cookie_and_reads_what_headers_tell(self):
        server = self.serve("--cors-origins", self.pages.other_origin)
        origin = f"http://{server.address}"
        server.client().expect(201, "POST", "/api/v1/people", {
            "email": "kim@example.com", "name": "Kim", "roles": ["engineer"],
            "password": PASSWORD})
        page = self.pages.open(f"{self.pages.other_origin}/app")
        login = page.fetch("POST", f"{origin}/api/v1/auth/login", {
            "email": "kim@example.com", "password": PASSWORD, "cookie": True})
        self.assertEqual(login["status"], 200, login)
        refreshed = page.fetch("POST", f"{origin}/api/v1/auth/refresh", {}, CSRF)
        self.assertEqual(refreshed["status"], 200, refreshed)
        bearer = {"headers": {"Authorization": "Bearer " + refreshed["body"]["access_token"]}}
        made = page.fetch("POST", f"{origin}/api/v1/sources", {"name": "가게"}, bearer)
        self.assertEqual(made["status"], 201, made)
        self.assertIn("x-ratelimit-remaining", made["headers"])
        gone = page.fetch("DELETE", f"{origin}/api/v1/sources/{made['body']['id']}", None, bearer)
        self.assertEqual(gone["status"], 204, gone)
        stranger = self.pages.open(f"{self.pages.other_site}/app")
        self.assertEqual(stranger.fetch("GET", f"{origin}/api/v1/sources", None, bearer), KEPT)


class Collection(BrowserCase):
    def test_a_source_takes_events_of_the_pages_it_names_only(self):
        server = self.serve()
        client = server.client()
        source = client.expect(201, "POST", "/api/v1/sources", {
            "name": "shop", "allowedOrigins": [self.pages.other_origin]}).json
        url = f"http://{server.address}/v1/track"
        for place, user in ((self.pages.other_origin, "customer"),
                            (self.pages.other_site, "stranger")):
            page = self.pages.open(f"{place}/shop")
            for number, headers in enumerate(({}, {"Content-Type": "text/plain"})):
                answer = page.fetch("POST", url, {
                    "writeKey": source["writeKey"], "userId": user, "event": "Seen",
                    "messageId": f"{user}-{number}"},
                    {"headers": headers, "more": {"credentials": "omit"}})
                self.assertEqual(answer if user == "stranger" else answer["body"],
                                 KEPT if user == "stranger" else {"success": True})
        self.assertEqual(client.get("/api/v1/users/customer/events")["total"], 2)
        self.assertEqual(client.request("GET", "/api/v1/users/stranger/events").status, 404)


class Texts(BrowserCase):
    def test_hostile_texts_that_a_tab_is_led_to_do_nothing_there(self):
        server = self.serve("--second-factor", "optional")
        client = server.client()
        origin = f"http://{server.address}"
        own = "document.title='owned'"
        script = f"<script>{own}</script><img src=x onerror=\"{own}\">"
        client.expect(201, "POST", "/api/v1/sources", {"name": script})
        tab = self.pages.open(f"{self.pages.other_origin}/empty")
        for path in ("/api/v1/sources?name=", "/nowhere/", "/api/v1/segments/", "/health/live?",
                     "/w/"):
            tab.goto(origin + path + script.replace(" ", "%20"))
            self.assertNotEqual(tab.run("return document.title;"), "owned", path)


if __name__ == "__main__":
    unittest.main()
