"""The SDKs of Segment and RudderStack, unmodified, a browser's among them, and plain curl: what
they send arrives once and whole, whatever the server goes through.

SONNIM_TEST_SDK_RESTARTS: how often it is killed or restarted under them (4)."""
import datetime
import os
import random
import time

from case import ServerCase
from proxy import RefusingProxy
from sdk import COMMANDS, Sdk, content, everybody, wait_arrived
from server import Server, free_port

RESTARTS = int(os.environ.get("SONNIM_TEST_SDK_RESTARTS", "4"))
LIBRARIES = {"segment-node": "@segment/analytics-node", "segment-browser": "analytics.js",
             "segment-python": "analytics-python", "rudderstack-node": "analytics-node"}


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class SdkCase(ServerCase):
    clock = "wall"

    def sdk(self, name):
        sdk = Sdk(name, f"http://{self.server.address}", self.key)
        self.addCleanup(sdk.program.__exit__)
        sdk.wait_ready()
        return sdk

    def check_arrived_once(self, client, user, count):
        """Each of the SDKs' events is there once, with what it was sent with."""
        events = client.items(f"/api/v1/users/{user}/events")
        found = sorted((event["properties"] for event in events), key=lambda found: found["i"])
        self.assertEqual(found, [content(i) for i in range(count)], user)


class Content(SdkCase):
    def check_every_call(self, name):
        user, visitor = f"all-{name}", f"visitor-{name}"
        before = now() - datetime.timedelta(seconds=5)
        order = {"revenue": 12.5, "region": "제주", "tags": ["a", "b"], "gift": True}
        sdk = self.sdk(name)
        sdk.send("track", anonymousId=visitor, event="Seen", properties={"by": "visitor"})
        wait_arrived(self.client, [f"anonymous_id:{visitor}"], 1)
        sdk.send("identify", userId=user, anonymousId=visitor,
                 traits={"tier": "VIP", "age": 30, "name": "김손님"})
        sdk.send("track", userId=user, event="Order Completed", properties=order,
                 context={"app": {"name": "shop"}})
        sdk.send("page", userId=user, name="Home", category="Docs",
                 properties={"title": "Welcome"})
        sdk.send("screen", userId=user, name="Cart", properties={"n": 1})
        sdk.send("group", userId=user, groupId="team-1", traits={"seats": 5})
        dated = before - datetime.timedelta(days=200)
        sdk.send("track", userId=user, event="Dated", timestamp=dated.isoformat())
        sdk.send("alias", userId=user, previousId=f"older-{name}")
        wait_arrived(self.client, [user], 5)
        self.wait_linked(f"anonymous_id:older-{name}", user)
        sdk.close()

        events = {event["event"]: event for event in self.events(user)}
        self.assertEqual(set(events), {"Seen", "Order Completed", "$page", "$screen", "Dated"})
        completed = events["Order Completed"]
        self.assertEqual(completed["properties"], order)
        self.assertTrue(before < instant(completed["time"]) < now() + datetime.timedelta(seconds=5),
                        completed)
        self.assertEqual(completed["context"]["app"], {"name": "shop"})
        if name in LIBRARIES:
            self.assertEqual(completed["context"]["library"]["name"], LIBRARIES[name])
        page = events["$page"]["properties"]
        self.assertLessEqual({"name": "Home", "category": "Docs", "title": "Welcome"}.items(),
                             page.items())
        screen = events["$screen"]["properties"]
        self.assertLessEqual({"n": 1, "name": "Cart"}.items(), screen.items())
        profile = self.user(user, "profile")
        self.assertEqual({"tier": "VIP", "age": 30, "group_id": "team-1", "name": "김손님"},
                         profile["attributes"])

    def wait_linked(self, visitor, user):
        deadline = time.monotonic() + 300
        while True:
            answer = self.client.request("GET", f"/api/v1/users/{visitor}/profile")
            if answer.status == 200 and answer.json["id"] == user:
                return
            self.assertLess(time.monotonic(), deadline, answer)
            time.sleep(0.02)

    def test_every_call_of_segments_node_sdk_arrives_with_its_content(self):
        self.check_every_call("segment-node")

    def test_every_call_of_segments_browser_sdk_arrives_with_its_content(self):
        self.check_every_call("segment-browser")

    def test_every_call_of_segments_python_sdk_arrives_with_its_content(self):
        self.check_every_call("segment-python")

    def test_every_call_of_rudderstacks_node_sdk_arrives_with_its_content(self):
        self.check_every_call("rudderstack-node")

    def test_every_call_of_plain_curl_arrives_with_its_content(self):
        self.check_every_call("curl")

    def test_the_clock_of_the_sender_is_corrected(self):
        """sentAt comes with the batch, so a timestamp in the past stays as far in the past."""
        an_hour_ago = now() - datetime.timedelta(hours=1)
        for name in LIBRARIES:
            with self.subTest(sdk=name):
                sdk, user = self.sdk(name), f"dated-{name}"
                sdk.send("track", userId=user, event="Seen", timestamp=an_hour_ago.isoformat())
                wait_arrived(self.client, [user], 1)
                sdk.close()
                time_ = instant(self.events(user)[0]["time"])
                self.assertLess(abs((time_ - an_hour_ago).total_seconds()), 600)  # on its way

    def test_an_oversized_event_is_rejected_singly(self):
        """curl and RudderStack's SDK send what the others refuse or drop by themselves."""
        for name in ("curl", "rudderstack-node"):
            with self.subTest(sdk=name):
                sdk, user = self.sdk(name), f"oversized-{name}"
                for i in range(10):
                    properties = {"long": "x" * 33_000} if i == 4 else {"i": i}
                    sdk.send("track", userId=user, event="Seen", properties=properties)
                wait_arrived(self.client, [user], 9)
                sdk.close()
                self.assertEqual(sorted(event["properties"]["i"] for event in self.events(user)),
                                 [0, 1, 2, 3, 5, 6, 7, 8, 9])

    def test_duplicates_are_stored_once(self):
        for name in LIBRARIES:
            if name == "segment-browser":
                continue  # it makes the ids itself
            with self.subTest(sdk=name):
                sdk, user = self.sdk(name), f"twice-{name}"
                for _ in range(3):
                    for i in range(7):
                        sdk.send("track", userId=user, event="Seen", messageId=f"d-{i}")
                sdk.close()
                self.track("behind")  # a read of ours sees what came before
                self.assertEqual(sorted(event["messageId"] for event in self.events(user)),
                                 [f"d-{i}" for i in range(7)])

    def test_a_page_that_was_left_while_the_server_was_away_sends_the_rest_later(self):
        server = Server(clock="wall", address=f"127.0.0.1:{free_port()}")
        with server:
            key = server.make_key()
            sdk = Sdk("segment-browser", f"http://{server.address}", key)
            self.addCleanup(sdk.program.__exit__)
            sdk.wait_ready()
            server.kill()
            for i in range(5):
                sdk.track("left", i)
            sdk.send("failed", count=5)  # each is tried at once and then waits
            self.assertEqual(sdk.program.next(), {"failed": True})
            sdk.send("reload")
            time.sleep(0.5)
            server.start()
            sdk.send("reload")
            client = server.client()
            wait_arrived(client, ["left-segment-browser"], 5)
            sdk.close()
            self.check_arrived_once(client, "left-segment-browser", 5)


class Trouble(SdkCase):
    def test_nothing_is_lost_or_doubled_over_restarts(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}, {RESTARTS} restarts")
        chance, count = random.Random(seed), 0
        server = Server(clock="wall", address=f"127.0.0.1:{free_port()}")
        with server:
            key = server.make_key()
            with everybody(f"http://{server.address}", key) as sdks:
                for number in range(RESTARTS):
                    for _ in range(chance.randint(3, 9)):
                        for sdk in sdks:
                            sdk.track("restarted", count)
                        count += 1
                        time.sleep(chance.random() * 0.05)
                    if chance.random() < 0.7:
                        server.kill()
                    else:
                        server.stop()
                    for sdk in sdks:
                        sdk.track("restarted", count)
                    count += 1
                    time.sleep(chance.random() * 0.5)
                    server.start()
                    self.assertEqual(server.client().request("GET", "/health/ready").status, 200)
                    if number % 10 == 9:  # nobody's patience is the question here
                        wait_arrived(server.client(), [f"restarted-{sdk.name}" for sdk in sdks],
                                     count)
                client = server.client()
                wait_arrived(client, [f"restarted-{sdk.name}" for sdk in sdks], count)
                for sdk in sdks:
                    sdk.close()
                for sdk in sdks:
                    self.check_arrived_once(client, f"restarted-{sdk.name}", count)

    def test_nothing_is_lost_while_the_server_answers_503(self):
        """A server at its memory limit, until it is given more."""
        server = Server("--memory-limit", "64MiB", "--events-tail", "1TiB",
                        "--checkpoint-interval", "1h", clock="wall",
                        address=f"127.0.0.1:{free_port()}")
        with server:
            key, client = server.make_key(), server.client()
            self.fill(client, key)
            with everybody(f"http://{server.address}", key) as sdks:
                for i in range(6):
                    for sdk in sdks:
                        sdk.track("patient", i)
                time.sleep(2)  # they try again and again
                for sdk in sdks:
                    self.assertEqual(client.request(
                        "GET", f"/api/v1/users/patient-{sdk.name}/events").status, 404)
                server.stop()
                server.flags = ["--memory-limit", "512MiB"]
                server.start()
                client = server.client()
                wait_arrived(client, [f"patient-{sdk.name}" for sdk in sdks], 6)
                for sdk in sdks:
                    sdk.close()
                    self.check_arrived_once(client, f"patient-{sdk.name}", 6)

    def fill(self, client, key):
        """Until nothing is accepted; once may be for what is on its way alone."""
        filler = {f"p{i}": "x" * 60 for i in range(400)}
        refused = 0
        for _ in range(200):
            answer = client.request("POST", "/v1/batch", {"batch": [
                {"type": "track", "userId": "filler", "event": "Filled", "properties": filler}
                for _ in range(100)]}, key=key)
            refused = refused + 1 if answer.status == 503 else 0
            if refused == 5:
                break
            if refused:
                time.sleep(0.2)
        self.assertEqual((answer.status, answer.code), (503, "MEMORY_LIMIT"))

    def test_what_a_proxy_refuses_is_sent_again(self):
        refusals = [503, 429, 502, 429, 503]
        proxy = RefusingProxy(self.server, refusals)
        self.addCleanup(proxy.close)
        with everybody(f"http://{proxy.address}", self.key) as sdks:
            for i in range(5):
                for sdk in sdks:
                    sdk.track("proxied", i)
            wait_arrived(self.client, [f"proxied-{sdk.name}" for sdk in sdks], 5)
            for sdk in sdks:
                sdk.close()
        self.assertEqual(list(proxy.refused.values()), [len(refusals)] * len(COMMANDS))
        for sdk in sdks:
            self.check_arrived_once(self.client, f"proxied-{sdk.name}", 5)
