"""Audiences while events stream in, clients come and go, and the server stops."""
import http.client
import json
import random
import socket
import threading
import time

from audience import AudienceCase
from server import Client

SECONDS = 3
USERS = 300
QUESTIONS = ('count("Clicked") >= 1', 'count("Clicked") >= 3', 'count("Clicked") within 60s >= 2',
             'sum(x of "Clicked") >= 10 and count("Clicked") < 9', "days_since_last(*) < 1")


class Load(AudienceCase):
    clock = "wall"
    stopping = False
    flags = ("--partitions", "3", "--audience-live", "100ms", "--audience-running", "4")

    def stream(self, name, draw):
        client = self.server.client()
        sent = {}
        while not self.over.is_set():
            batch = []
            for _ in range(20):
                user = f"{name}-{draw.randrange(USERS)}"
                sent[user] = sent.get(user, 0) + 1
                batch.append({"type": "track", "userId": user, "event": "Clicked",
                              "properties": {"x": draw.randrange(5)}})
            answer = client.request("POST", "/v1/batch", {"batch": batch}, key=self.key)
            if answer.status != 200:
                break
        client.close()
        with self.lock:
            self.sent.update(sent)

    def ask(self, draw):
        client = Client(self.server.address, self.server.token)
        while not self.over.is_set():
            body = {"expression": draw.choice(QUESTIONS), "breakdowns": ["region"],
                    "sample": draw.randrange(3)}
            headers = {"Cache-Control": "no-cache"} if draw.random() < 0.5 else {}
            answer = client.request("POST", "/api/v1/audience/calculate", body, headers=headers)
            with self.lock:
                self.statuses.add(answer.status)
            if answer.status == 200:
                found = answer.json
                groups = found["breakdowns"][0]
                self.checked += sum(g["size"] for g in groups["groups"]) + groups["others"] \
                    == found["audience_size"]
                self.answered += 1
        client.close()

    def leave(self, draw):
        """Asks and closes the connection before there is an answer."""
        host, port = self.server.address.rsplit(":", 1)
        while not self.over.is_set():
            body = json.dumps({"expression": draw.choice(QUESTIONS)}).encode()
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(
                    b"POST /api/v1/audience/calculate HTTP/1.1\r\nHost: x\r\n"
                    b"Cache-Control: no-cache\r\nAuthorization: Bearer "
                    + self.server.token.encode() + b"\r\nContent-Length: "
                    + str(len(body)).encode() + b"\r\n\r\n" + body)
                time.sleep(draw.choice((0, 0.001)))
            time.sleep(0.005)  # so that it is not all that the server does

    def run_until_stopped(self, call, *rest):
        try:
            call(*rest)
        except (OSError, http.client.HTTPException):
            if not self.stopping:
                raise

    def begin(self, draw):
        self.over, self.lock = threading.Event(), threading.Lock()
        self.sent, self.statuses, self.checked, self.answered = {}, set(), 0, 0
        work = [(self.stream, "a"), (self.stream, "b"), (self.ask,), (self.ask,), (self.ask,),
                (self.leave,)]
        threads = [threading.Thread(target=self.run_until_stopped,
                                    args=(*each, random.Random(draw.random()))) for each in work]
        for thread in threads:
            thread.start()
        return threads

    def test_answers_are_right_while_everything_moves_and_a_stop_waits_for_nobody(self):
        draw = random.Random()
        self.track("somebody")
        ids = [self.calculate({"expression": text})["audience_id"] for text in QUESTIONS]
        self.make_segment("twin", QUESTIONS[1])
        threads = self.begin(draw)
        nodes = [self.watch(f"?audience_id={audience}") for audience in ids]
        for node in nodes:
            for audience in ids:
                node.send(subscribe=audience)
        time.sleep(SECONDS)
        while self.answered == 0 and any(thread.is_alive() for thread in threads):
            time.sleep(0.05)
        self.over.set()
        for thread in threads:
            thread.join()
        self.assertLessEqual(self.statuses, {200, 429})
        self.assertEqual(self.checked, self.answered)
        self.assertGreater(self.answered, 0)
        position = self.track("somebody").position
        expected = sum(count >= 3 for count in self.sent.values())
        headers = {"X-Sonnim-Min-Position": position}
        self.assertEqual(self.calculate({"expression": QUESTIONS[1]}, **headers)["audience_size"],
                         expected)
        members = self.client.get("/api/v1/segments/twin/statistics", headers=headers)
        self.assertEqual(members["size"], expected)
        node = nodes[1]
        size = None
        while size != expected:
            message = node.next()
            if message["audience_id"] == ids[1]:
                size = message["new_size"]

        threads = self.begin(draw)
        time.sleep(0.3)
        self.stopping = True
        stopper = threading.Thread(target=self.server.stop)
        stopper.start()
        time.sleep(0.1)
        self.over.set()
        stopper.join()
        for thread in threads:
            thread.join()
        self.server.start()
        self.client = self.server.client()
        self.assertGreaterEqual(self.calculate({"expression": QUESTIONS[1]})["audience_size"],
                                expected)
