"""Clients that send all the while, beside whatever a test does to the server."""
import http.client
import threading
import time

from server import LIVE_SECONDS_MAX, Client

SENDERS = 4


class Sender(threading.Thread):
    """Sends single events without a message id (nothing would be dropped as a duplicate) one after
    the other and never again what failed."""

    def __init__(self, address, key, number, keep_alive, refusals):
        super().__init__(daemon=True)
        self.client = Client(address)
        self.key, self.number, self.keep_alive = key, number, keep_alive
        self.refusals = refusals
        self.user = f"sender-{number}"
        self.accepted = 0
        self.position = None  # of the last one
        self.refused = 0
        self.failures = []
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            self.send()

    def send(self):
        try:
            answer = self.client.request("POST", "/v1/track", {
                "userId": self.user, "event": "Sent"}, key=self.key)
            if answer.status == 200:
                self.accepted += 1
                self.position = answer.position
            elif answer.status == 503 and answer.code in self.refusals:
                self.refused += 1
                self.over.wait(0.02)
            else:
                self.failures.append(repr(answer))
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
            self.client.close()
        if not self.keep_alive:
            self.client.close()


class Sending:
    """Senders at work: half of them with a new connection for each event. `refusals`: codes of 503
    that are no failure."""

    def __init__(self, server, count=SENDERS, refusals=()):
        key = server.make_key()
        self.senders = [Sender(server.address, key, i, i % 2 == 0, refusals)
                        for i in range(count)]

    def __enter__(self):
        for sender in self.senders:
            sender.start()
        return self

    def __exit__(self, *_):
        for sender in self.senders:
            sender.over.set()
        for sender in self.senders:
            sender.join(LIVE_SECONDS_MAX)

    @property
    def failures(self):
        return [failure for sender in self.senders for failure in sender.failures]

    def wait_for_more(self, count=20, what="accepted", seconds=LIVE_SECONDS_MAX):
        """Every sender gets so many more answers of the kind."""
        wanted = [getattr(sender, what) + count for sender in self.senders]
        deadline = time.monotonic() + seconds
        while any(getattr(sender, what) < least for sender, least in zip(self.senders, wanted)):
            if self.failures:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"senders are not answered: {what}")
            time.sleep(0.01)

    def check(self, test, client):
        """Nobody failed, and each accepted event is there once."""
        test.assertEqual(self.failures, [])
        for sender in self.senders:
            found = client.get(f"/api/v1/users/{sender.user}/events?limit=1",
                               headers={"X-Sonnim-Min-Position": sender.position})["total"]
            test.assertEqual(found, sender.accepted, sender.user)
