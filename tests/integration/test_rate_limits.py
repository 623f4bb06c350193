"""How often somebody may ask: by token, person, address and source, what he is told of it, and
whom the address belongs to when proxies stand between."""
import itertools
import json
import pathlib
import signal
import subprocess
import time
import unittest

from case import START
from server import ANSWER_SECONDS_MAX, Server, remove_directory, temporary_directory

HERE = pathlib.Path(__file__).parent
PROXY = ("--trusted-proxies", "127.0.0.0/8,2001:db8:ffff::/48")


def limit(name, rate, burst):
    return (f"--limit-{name}", str(rate), f"--limit-{name}-burst", str(burst))


def statuses(client, count, method, path, **arguments):
    return [client.request(method, path, **arguments).status for _ in range(count)]


def until_refused(ask):
    """The answers up to the first 429, which comes once they are asked faster than is allowed."""
    answers, deadline = [], time.monotonic() + ANSWER_SECONDS_MAX
    while not answers or answers[-1].status != 429:
        if time.monotonic() > deadline:
            raise AssertionError("it never is too much")
        answers.append(ask())
    return answers


class Tokens(unittest.TestCase):
    def test_a_token_gets_its_burst_and_then_429_that_names_the_limit(self):
        with Server(*limit("token", 1, 20)) as server:
            client = server.client()
            answers = until_refused(lambda: client.request("GET", "/api/v1/sources"))
            self.assertGreaterEqual(len(answers), 20)
            self.assertEqual({answer.status for answer in answers[:-1]}, {200})
            answer = answers[-1]
            self.assertEqual(answer.code, "RATE_LIMITED")
            self.assertEqual(answer.json["error"]["details"]["limit"], "token")
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.assertEqual(answer.headers["X-RateLimit-Limit"], "20")
            self.assertEqual(answer.headers["X-RateLimit-Remaining"], "0")
            self.assertGreaterEqual(int(answer.headers["X-RateLimit-Reset"]), 1)

    def test_an_ordinary_answer_says_what_is_left(self):
        with Server(*limit("token", 1, 100)) as server:
            client = server.client()
            left = [int(client.request("GET", "/api/v1/sources").headers["X-RateLimit-Remaining"])
                    for _ in range(5)]
            self.assertEqual(sorted(left, reverse=True), left)
            self.assertLess(left[-1], 100)

    def test_a_token_may_have_a_limit_of_its_own(self):
        with Server() as server:
            admin = server.client()
            made = admin.expect(201, "POST", "/api/v1/tokens", {
                "name": "slow", "scopes": ["admin"],
                "rate_limit": {"requests_per_second": 1, "burst": 3}}).json
            self.assertEqual(made["rate_limit"], {"requests_per_second": 1, "burst": 3})
            listed = admin.get("/api/v1/tokens")["items"]
            self.assertIn({"requests_per_second": 1, "burst": 3},
                          [item["rate_limit"] for item in listed])
            slow = server.client(token=made["token"])
            until_refused(lambda: slow.request("GET", "/api/v1/sources"))
            self.assertEqual(set(statuses(admin, 20, "GET", "/api/v1/sources")), {200})

    def test_a_limit_that_makes_no_sense_is_refused(self):
        with Server() as server:
            client = server.client()
            for wish in ({"requests_per_second": 0}, {"burst": 5}, 5, {"requests_per_second": 1.5},
                         {"requests_per_second": 1, "burst": 10**7},
                         {"requests_per_second": 1, "more": 1}):
                client.expect(400, "POST", "/api/v1/tokens",
                              {"name": "x", "scopes": ["admin"], "rate_limit": wish})

    def test_limits_change_without_a_restart(self):
        directory = temporary_directory()
        self.addCleanup(remove_directory, directory)
        config = directory / "limits.conf"
        config.write_text("limit-token = 1\nlimit-token-burst = 5\n")
        with Server("--config", str(config)) as server:
            client = server.client()
            until_refused(lambda: client.request("GET", "/api/v1/sources"))
            config.write_text("limit-token = 0\n")
            server.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + ANSWER_SECONDS_MAX
            while 429 in statuses(client, 20, "GET", "/api/v1/sources"):
                self.assertLess(time.monotonic(), deadline)
            metrics = client.request("GET", "/metrics").body.decode()
            self.assertRegex(metrics, r'sonnim_rate_limited_total\{limit="token"\} [1-9]')


class Addresses(unittest.TestCase):
    def test_wrong_tokens_of_one_address_are_limited_and_others_are_not(self):
        with Server(*PROXY, *limit("address", 1, 5)) as server:
            guesser = server.client(token="sonnim_wrong")
            got = until_refused(lambda: guesser.request(
                "GET", "/api/v1/sources", headers={"X-Forwarded-For": "203.0.113.7"}))
            self.assertEqual({answer.status for answer in got}, {401, 429})
            self.assertEqual(got[-1].json["error"]["details"]["limit"], "address")
            other = guesser.request("GET", "/api/v1/sources",
                                    headers={"X-Forwarded-For": "203.0.113.8"})
            self.assertEqual(other.status, 401)
            # Whoever has a token that is known goes on, from there too.
            known = server.client()
            known.request("GET", "/api/v1/sources")
            self.assertEqual(known.request("GET", "/api/v1/sources", headers={
                "X-Forwarded-For": "203.0.113.7"}).status, 200)

    def test_public_routes_are_limited_by_address_and_health_is_not(self):
        with Server(*PROXY, *limit("address", 1, 5)) as server:
            client = server.client(token="")
            sender = {"X-Forwarded-For": "203.0.113.7"}
            until_refused(lambda: client.request("GET", "/api/v1/events/health", headers=sender))
            self.assertEqual(set(statuses(client, 20, "GET", "/health/live", headers=sender)),
                             {200})

    def test_of_an_ipv6_address_the_network_counts(self):
        with Server(*PROXY, *limit("address", 1, 5)) as server:
            client = server.client(token="")
            hosts = itertools.count()
            until_refused(lambda: client.request("GET", "/api/v1/events/health", headers={
                "X-Forwarded-For": f"2001:db8:1:2::{next(hosts) % 65536:x}"}))

    def test_the_machine_itself_is_not_limited_by_address(self):
        with Server(*limit("address", 1, 5)) as server:
            client = server.client(token="")
            self.assertEqual(set(statuses(client, 30, "GET", "/api/v1/events/health")), {200})

    def test_collection_is_limited_by_address_only_when_it_is_set(self):
        with Server(*PROXY, *limit("address", 1, 5)) as server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            event = {"userId": "u", "event": "Seen"}
            sender = {"X-Forwarded-For": "203.0.113.7"}
            self.assertEqual(set(statuses(client, 30, "POST", "/v1/track", body=event, key=key,
                                          headers=sender)), {200})
        with Server(*PROXY, *limit("collection-address", 1, 5)) as server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            refused = until_refused(lambda: client.request("POST", "/v1/track", event,
                                                           headers=sender, key=key))[-1]
            self.assertEqual(refused.json["error"]["details"]["limit"], "collection-address")
            self.assertIn("Retry-After", refused.headers)


class Proxies(unittest.TestCase):
    """Whose address it is stands in the audit trail."""

    def addresses(self, server, *headers):
        client = server.client()
        for header in headers:
            client.expect(201, "POST", "/api/v1/tokens", {"name": "x", "scopes": ["admin"]},
                          headers=header)
        records = client.get("/api/v1/audit?action=token.create")["items"]
        return [record["ip"] for record in records][::-1][-len(headers):]

    def test_from_elsewhere_such_headers_count_for_nothing(self):
        with Server() as server:
            self.assertEqual(self.addresses(server, {"X-Forwarded-For": "203.0.113.7"},
                                            {"Forwarded": "for=203.0.113.7"}),
                             ["127.0.0.1", "127.0.0.1"])

    def test_the_rightmost_that_is_not_trusted_is_the_client(self):
        with Server(*PROXY) as server:
            self.assertEqual(
                self.addresses(server,
                               {"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 127.0.0.9"},
                               {"X-Forwarded-For": "[2001:db8::7]:99, 2001:db8:ffff::1"},
                               {"X-Forwarded-For": "nonsense"},
                               {"Forwarded": "for=203.0.113.7"}),
                ["203.0.113.7", "2001:db8::7", "127.0.0.1", "127.0.0.1"])

    def test_forwarded_is_read_where_it_is_set(self):
        with Server(*PROXY, "--proxy-header", "forwarded") as server:
            self.assertEqual(
                self.addresses(server,
                               {"Forwarded": 'for=6.6.6.6, for="[2001:db8::7]:99";proto=https'},
                               {"X-Forwarded-For": "203.0.113.7"}),
                ["2001:db8::7", "127.0.0.1"])


class Quotas(unittest.TestCase):
    """By log time, which the tests set: a day is over when they say so."""

    def send(self, client, key, count=1, kind="track"):
        self.number = getattr(self, "number", 0) + 1
        return client.request("POST", "/v1/batch", {"batch": [
            {"type": kind, "userId": "u", "event": "Seen", "messageId": f"{self.number}-{i}"}
            for i in range(count)]}, key=key)

    def make(self, client, **quota):
        return client.expect(201, "POST", "/api/v1/sources",
                             {"name": "limited", "quota": quota}).json

    def test_a_source_gets_no_more_than_its_day_and_then_the_next(self):
        with Server() as server:
            client = server.client()
            client.set_clock("2025-01-30T10:00:00Z")
            source = self.make(client, eventsPerDay=10, eventsPerMonth=25)
            self.assertEqual(source["quota"], {"eventsPerDay": 10, "eventsPerMonth": 25})
            key = source["writeKey"]
            self.assertEqual(self.send(client, key, 7).headers["X-RateLimit-Remaining"], "3")
            refused = self.send(client, key, 4)
            self.assertEqual((refused.status, refused.code), (429, "RATE_LIMITED"))
            self.assertEqual(refused.json["error"]["details"]["limit"], "source-day")
            self.assertEqual(refused.headers["Retry-After"], str(14 * 3600))
            self.assertEqual(refused.headers["X-RateLimit-Limit"], "10")
            self.assertEqual(self.send(client, key, 3).status, 200)
            self.assertEqual(self.send(client, key).status, 429)
            client.set_clock("2025-01-31T00:00:00Z")
            self.assertEqual(self.send(client, key, 10).status, 200)
            client.set_clock("2025-01-31T23:00:00Z")
            self.assertEqual(self.send(client, key).json["error"]["details"]["limit"],
                             "source-day")
            client.set_clock("2025-02-01T00:00:00Z")
            self.assertEqual(self.send(client, key, 10).status, 200)

    def test_the_month_holds_where_the_day_has_room(self):
        with Server() as server:
            client = server.client()
            client.set_clock("2025-01-30T10:00:00Z")
            key = self.make(client, eventsPerMonth=5)["writeKey"]
            self.assertEqual(self.send(client, key, 5).status, 200)
            client.set_clock("2025-01-31T10:00:00Z")
            refused = self.send(client, key)
            self.assertEqual(refused.json["error"]["details"]["limit"], "source-month")
            self.assertEqual(refused.headers["Retry-After"], str(14 * 3600))

    def test_what_was_rejected_does_not_count(self):
        with Server() as server:
            client = server.client()
            client.set_clock(START)
            key = self.make(client, eventsPerDay=5)["writeKey"]
            self.assertEqual(len(self.send(client, key, 5, "nonsense").json["rejected"]), 5)
            self.assertEqual(self.send(client, key, 5).status, 200)
            self.assertEqual(self.send(client, key).status, 429)

    def test_all_sources_together_get_no_more_than_the_workspaces(self):
        with Server("--quota-day", "10") as server:
            client = server.client()
            client.set_clock(START)
            one, other = (self.make(client)["writeKey"] for _ in range(2))
            self.assertEqual(self.send(client, one, 6).status, 200)
            refused = self.send(client, other, 5)
            self.assertEqual(refused.json["error"]["details"]["limit"], "workspace-day")
            self.assertEqual(self.send(client, other, 4).status, 200)

    def test_over_a_restart_the_count_goes_on(self):
        with Server() as server:
            client = server.client()
            client.set_clock(START)
            key = self.make(client, eventsPerDay=10)["writeKey"]
            self.assertEqual(self.send(client, key, 6).status, 200)
            server.stop()
            server.start()
            client = server.client()
            self.assertEqual(self.send(client, key, 5).status, 429)
            self.assertEqual(self.send(client, key, 4).status, 200)

    def test_quotas_that_make_no_sense_are_refused(self):
        with Server() as server:
            client = server.client()
            for quota in (5, {"eventsPerDay": 0}, {"eventsPerDay": 1.5}, {"perDay": 1}):
                client.expect(400, "POST", "/api/v1/sources", {"name": "x", "quota": quota})


class Sockets(unittest.TestCase):
    def open(self, server):
        process = subprocess.Popen(
            ["node", str(HERE / "socket.mjs"), f"ws://{server.address}/ws/jobs",
             f"sonnim.bearer.{server.token}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, json.loads(process.stdout.readline())

    def test_a_token_has_so_many_open_and_no_more(self):
        with Server("--websockets-max", "2") as server:
            first, told = self.open(server)
            self.assertIn("open", told)
            self.assertIn("open", self.open(server)[1])
            self.assertEqual(self.open(server)[1], {"refused": 429})
            first.stdin.close()
            first.wait()
            deadline = time.monotonic() + ANSWER_SECONDS_MAX
            while "open" not in self.open(server)[1]:
                self.assertLess(time.monotonic(), deadline)

    def test_a_client_that_sends_too_much_is_closed(self):
        with Server("--websocket-messages-max", "1") as server:
            process, told = self.open(server)
            self.assertIn("open", told)
            try:
                process.stdin.write(b"{}\n" * 100)
                process.stdin.flush()
            except BrokenPipeError:
                pass
            while "closed" not in (told := json.loads(process.stdout.readline())):
                pass
            self.assertEqual(told, {"closed": 1008})


class Recovery(unittest.TestCase):
    def test_behind_retry_after_a_request_is_let_in(self):
        with Server(*limit("token", 1, 2)) as server:
            client = server.client()
            answer = until_refused(lambda: client.request("GET", "/api/v1/sources"))[-1]
            time.sleep(int(answer.headers["Retry-After"]))
            self.assertEqual(client.request("GET", "/api/v1/sources").status, 200)


if __name__ == "__main__":
    unittest.main()
