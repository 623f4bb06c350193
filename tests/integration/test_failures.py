"""What goes wrong around a server: it serves or refuses as documented, and whoever sends meanwhile
does not notice more of it than he has to."""
import calendar
import errno
import gzip
import json
import os
import pwd
import re
import resource
import socket
import subprocess
import time
import unittest

from faults import Faults
from sending import Sending
from server import (ANSWER_SECONDS_MAX, LIVE_SECONDS_MAX, SONNIM, Server, remove_directory,
                    temporary_directory)

CONNECTIONS = 10_000
SLOW_CLIENTS = 200
HOUR_S = 3600
GIB = 1 << 30


def wait_until(condition, seconds=LIVE_SECONDS_MAX, what="it"):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = temporary_directory()
        self.addCleanup(remove_directory, self.directory)

    def serve(self, *flags, env=None, **popen):
        """A server with the wall clock that runs until the test ends."""
        server = Server("--partitions", "3", *flags, directory=self.directory, clock="wall")
        self.addCleanup(server.kill)
        server.start(env=env, **popen)
        return server

    @staticmethod
    def health(server):
        client = server.client()
        try:
            return client.request("GET", "/health/ready").json["parts"]
        finally:
            client.close()

    @staticmethod
    def metric(server, name):
        client = server.client()
        try:
            text = client.expect(200, "GET", "/metrics").body.decode()
            return float(re.search(f"^{name} (.*)$", text, re.MULTILINE)[1])
        finally:
            client.close()


class Disk(Case):
    def setUp(self):
        super().setUp()
        self.faults = Faults(self.directory)

    def test_on_a_full_disk_reads_go_on_and_senders_are_told_until_there_is_room(self):
        server = self.serve("--journal-file-bytes", "1MiB", env=self.faults.environment)
        with Sending(server, refusals=("NO_SPACE",)) as sending:
            sending.wait_for_more()
            self.faults.fill_disk()
            filler = {"batch": [{"userId": "filler", "type": "track", "event": "Filled",
                                 "properties": {"text": "x" * 20000}} for _ in range(100)]}
            client = server.client()
            key = server.make_key()
            for _ in range(20):  # what was made room for is used up
                if client.request("POST", "/v1/batch", filler, key=key).status != 200:
                    break
            sending.wait_for_more(what="refused")
            self.assertTrue(self.health(server)["journal"]["full"])
            self.assertEqual(client.get("/api/v1/users/sender-0/profile")["id"], "sender-0")
            self.faults.mend_disk()
            sending.wait_for_more()
            wait_until(lambda: not self.health(server)["journal"]["full"])
        sending.check(self, server.client())
        self.assertGreater(self.faults.refused, 0)
        server.kill()
        sending.check(self, self.serve().client())

    def test_when_the_disk_turns_read_only_nothing_is_acknowledged_and_reads_go_on(self):
        server = self.serve(env=self.faults.environment)
        with Sending(server, refusals=("WRITES_STOPPED", "UNAVAILABLE", "IO_ERROR")) as sending:
            sending.wait_for_more()
            self.faults.break_disk(errno.EROFS)
            sending.wait_for_more(what="refused")
            self.assertTrue(self.health(server)["journal"]["failed"])
            accepted = [sender.accepted for sender in sending.senders]
            client = server.client()
            client.get("/api/v1/users/sender-0/segments")
            looked = client.request("GET", "/api/v1/users/sender-0/profile")  # is recorded
            self.assertEqual((looked.status, looked.code), (503, "WRITES_STOPPED"))
            self.faults.mend_disk()  # what the kernel dropped cannot be written again
            sending.wait_for_more(what="refused")
            self.assertEqual([sender.accepted for sender in sending.senders], accepted)
        server.kill()
        sending.check(self, self.serve().client())

    def test_on_a_read_only_disk_it_does_not_start_and_says_why(self):
        self.serve().stop()
        self.faults.break_disk(errno.EROFS)
        server = Server(directory=self.directory, clock="wall", address="127.0.0.1:0")
        server.spawn(env=self.faults.environment)
        self.addCleanup(server.kill)
        self.assertEqual(server.wait_end(), 1)
        self.assertRegex(server.log_tail(), "(?i)read-only")


class Files(Case):
    def start_as_nobody(self):
        """For root every file is readable: another user then."""
        server = Server("--partitions", "3", directory=self.directory, clock="wall")
        self.addCleanup(server.kill)
        if os.geteuid() != 0:
            server.spawn()
            return server
        nobody = pwd.getpwnam("nobody")
        subprocess.run(["chown", "-R", "nobody", str(self.directory)], check=True, timeout=300)
        try:
            server.spawn(user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
        except PermissionError as error:
            self.skipTest(f"not to be run as another user: {error}")
        return server

    def test_a_file_that_cannot_be_read_is_named_and_nothing_is_changed(self):
        server = self.start_as_nobody()
        server.wait_ready()
        client = server.client()
        client.expect(200, "POST", "/v1/track", {"userId": "u", "event": "e"},
                      key=server.make_key())
        server.stop()
        places = [self.directory / "data" / "store.db", self.directory / "keyring",
                  *sorted((self.directory / "data" / "journal").glob("*.log"))[:1],
                  self.directory / "data" / "vault"]
        for place in places:
            with self.subTest(place.name):
                mode = place.stat().st_mode
                place.chmod(0)
                refused = self.start_as_nobody()
                self.assertEqual(refused.wait_end(), 1, refused.log_tail())
                last = json.loads(refused.log_tail(1))
                self.assertEqual(last["level"], "error", last)
                self.assertRegex(json.dumps(last), place.name)
                place.chmod(mode)
        again = self.start_as_nobody()
        again.wait_ready()
        self.assertEqual(again.client().get("/api/v1/users/u/events")["total"], 1)


class Clock(Case):
    def setUp(self):
        super().setUp()
        self.faults = Faults(self.directory)

    def times(self, server, user):
        return [item["receivedAt"] for item in
                server.client().get(f"/api/v1/users/{user}/events?limit=1000")["items"]]

    def test_an_hour_back_is_not_followed_by_log_time(self):
        server = self.serve(env=self.faults.environment)
        with Sending(server) as sending:
            sending.wait_for_more()
            self.faults.move_clock(-HOUR_S)
            sending.wait_for_more()
            self.assertLess(self.metric(server, "sonnim_clock_offset_seconds"), -HOUR_S / 2)
            self.assertFalse(self.health(server)["journal"]["clockHeld"])
            self.faults.move_clock(0)
            sending.wait_for_more()
        sending.check(self, server.client())
        server.kill()
        self.faults.move_clock(-HOUR_S)  # and so after a restart
        again = self.serve(env=self.faults.environment)
        sending.check(self, again.client())
        self.assertLess(self.metric(again, "sonnim_clock_offset_seconds"), -HOUR_S / 2)

    def test_two_hours_ahead_are_not_followed_until_they_are_accepted(self):
        server = self.serve(env=self.faults.environment)
        with Sending(server) as sending:
            sending.wait_for_more()
            self.faults.move_clock(2 * HOUR_S)
            sending.wait_for_more()
            wait_until(lambda: self.health(server)["journal"]["clockHeld"])
            self.assertEqual(self.metric(server, "sonnim_journal_clock_held"), 1)
            self.assertGreater(self.metric(server, "sonnim_clock_offset_seconds"), HOUR_S)
        sending.check(self, server.client())
        server.stop()
        held = self.serve(env=self.faults.environment)
        held.client().expect(200, "POST", "/v1/track", {"userId": "u", "event": "e"},
                             key=server.write_key)
        self.assertTrue(self.health(held)["journal"]["clockHeld"])
        held.stop()
        accepted = self.serve("--accept-clock", env=self.faults.environment)
        with Sending(accepted, refusals=()) as more:
            more.wait_for_more()
        self.assertEqual(more.failures, [])
        self.assertFalse(self.health(accepted)["journal"]["clockHeld"])
        self.assertLess(self.metric(accepted, "sonnim_clock_offset_seconds"), HOUR_S)

    def test_the_zone_of_the_process_changes_nothing(self):
        past = time.strftime("%Y-%m-%dT03:04:05", time.gmtime(time.time() - 200 * 86_400))
        for zone in ("Asia/Seoul", "America/St_Johns", "No/Such_Zone"):
            with self.subTest(zone):
                server = self.serve(env={**os.environ, "TZ": zone})
                key, client = server.make_key(), server.client()
                answer = client.expect(200, "POST", "/v1/track", {
                    "userId": zone, "event": "e", "timestamp": past}, key=key)
                event = client.get(f"/api/v1/users/{zone.replace('/', '%2F')}/events",
                                   headers={"X-Sonnim-Min-Position": answer.position})["items"][0]
                self.assertEqual(event["timestamp"], past + "Z")
                at = re.search('"time":"([^.Z"]*)', server.log_tail(1))[1]
                self.assertLess(abs(calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%S"))
                                    - time.time()), HOUR_S / 2)
                server.stop()


class Clients(Case):
    def open(self, server):
        host, port = server.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS_MAX)

    def test_ten_thousand_open_connections_harm_nobody(self):
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < CONNECTIONS + 2000:
            self.skipTest(f"at most {hard} descriptors may be opened here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 1500, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (_soft, hard))
        server = self.serve("--http-idle-timeout", "1h", "--http-request-timeout", "1h")
        connections = []
        try:
            with Sending(server) as sending:
                for _ in range(CONNECTIONS):
                    connections.append(self.open(server))
                wait_until(lambda: self.metric(server, "sonnim_http_connections") >= CONNECTIONS)
                sending.wait_for_more()
                for connection in connections[::97]:
                    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n")
                for connection in connections[::97]:
                    self.assertIn(b" 200 ", connection.recv(4096))
                sending.wait_for_more()
            sending.check(self, server.client())
        finally:
            for connection in connections:
                connection.close()
        wait_until(lambda: self.metric(server, "sonnim_http_connections") < 100)

    def drip(self, server, head):
        """Clients that say a byte now and then, until each has lost its connection."""
        open_ones = []
        for _ in range(SLOW_CLIENTS):
            connection = self.open(server)
            connection.sendall(head)
            connection.setblocking(False)
            open_ones.append(connection)
        deadline = time.monotonic() + LIVE_SECONDS_MAX
        while open_ones:
            self.assertLess(time.monotonic(), deadline, f"{len(open_ones)} are still open")
            time.sleep(0.05)
            for connection in list(open_ones):
                try:
                    connection.send(b"a")
                    over = connection.recv(4096) == b""
                except BlockingIOError:
                    continue
                except OSError:
                    over = True
                if over:
                    connection.close()
                    open_ones.remove(connection)

    def test_clients_that_send_a_byte_now_and_then_lose_their_connections(self):
        # Long enough for who only stands still for a moment, as everybody does on a busy machine.
        server = self.serve("--http-request-timeout", "5s", "--http-idle-timeout", "10s")
        for head in (b"POST /v1/track HTTP/1.1\r\nHost: test\r\nX-Slow: ",
                     b"POST /v1/track HTTP/1.1\r\nHost: test\r\nContent-Length: 4000\r\n\r\n"):
            with self.subTest(head), Sending(server) as sending:
                self.drip(server, head)
                sending.wait_for_more()
            self.assertEqual(sending.failures, [])
        self.assertGreaterEqual(self.metric(server, "sonnim_http_timeouts_total"),
                                2 * SLOW_CLIENTS)

    def refused_body(self, server, head, pieces):
        """What is answered while a body is sent that nobody wants."""
        with self.open(server) as connection:
            try:
                connection.sendall(head)
                for piece in pieces:
                    connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it hung up: what it said before lies there still
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
            return answer

    def test_a_body_of_a_gibibyte_is_refused_without_being_held(self):
        server = self.serve()
        before = self.metric(server, "process_resident_memory_bytes")
        start = b"POST /v1/batch HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        megabyte = b"x" * (1 << 20)
        chunk = b"100000\r\n" + megabyte + b"\r\n"
        bomb = gzip.compress(b" " * (256 << 20), 9)
        with Sending(server) as sending:
            for what, head, pieces in (
                    ("announced", b"Content-Length: %d\r\n\r\n" % GIB, ()),
                    ("announced and sent", b"Content-Length: %d\r\n\r\n" % GIB,
                     (megabyte for _ in range(1024))),
                    ("expected", b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % GIB, ()),
                    ("in chunks", b"Transfer-Encoding: chunked\r\n\r\n",
                     (chunk for _ in range(1024))),
                    ("compressed", b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
                     % len(bomb), (bomb,))):
                with self.subTest(what):
                    answer = self.refused_body(server, start + head, pieces)
                    if answer or what not in ("announced and sent", "in chunks"):
                        self.assertIn(b" 413 ", answer.split(b"\r\n")[0])
            sending.wait_for_more()
        sending.check(self, server.client())
        grown = self.metric(server, "process_resident_memory_bytes") - before
        self.assertLess(grown, 192 << 20)


if __name__ == "__main__":
    unittest.main()
