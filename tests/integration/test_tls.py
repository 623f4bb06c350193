"""TLS: versions and ciphers, certificates that change, WebSockets, take-overs; services that show
certificates; and that nobody listens to other machines in the clear by mistake."""
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
import unittest

from case import START
from certificates import Authority
from server import SONNIM, Client, Server, free_port, remove_directory, temporary_directory

HERE = pathlib.Path(__file__).parent
SECONDS_MAX = 300


class Case(unittest.TestCase):
    def setUp(self):
        self.place = temporary_directory()
        self.addCleanup(remove_directory, self.place)
        self.authority = Authority(self.place)
        self.certificate, self.key = self.authority.issue("server")

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.authority.file)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context

    def server(self, *flags, **arguments):
        server = Server("--tls-certificate", str(self.certificate), "--tls-key", str(self.key),
                        *flags, **arguments)
        server.tls = self.context()
        return server

    def openssl(self, server, *flags):
        done = subprocess.run(["openssl", "s_client", "-connect", server.address, "-CAfile",
                               str(self.authority.file), *flags], input=b"", capture_output=True,
                              timeout=SECONDS_MAX, check=False)
        return done.returncode, done.stdout.decode(errors="replace")

    def wait_for(self, condition):
        deadline = time.monotonic() + SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)


class Versions(Case):
    def test_tls_1_3_alone_is_spoken_by_default_with_http_1_1(self):
        with self.server() as server:
            code, said = self.openssl(server, "-tls1_3", "-alpn", "h2,http/1.1",
                                      "-verify_return_error")
            self.assertEqual(code, 0, said)
            self.assertIn("TLSv1.3", said)
            self.assertIn("ALPN protocol: http/1.1", said)
            self.assertNotEqual(self.openssl(server, "-tls1_2")[0], 0)

    def test_tls_1_2_is_spoken_by_choice_with_forward_secrecy_and_authenticated_ciphers_only(self):
        with self.server("--tls-min-version", "1.2") as server:
            self.assertEqual(self.openssl(server, "-tls1_3")[0], 0)
            code, said = self.openssl(server, "-tls1_2")
            self.assertEqual(code, 0, said)
            self.assertRegex(said, r"Cipher\s+(is|:) ECDHE-ECDSA-")
            for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "AES256-SHA"):
                refused, _ = self.openssl(server, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
                self.assertNotEqual(refused, 0, cipher)
            self.assertNotEqual(self.openssl(server, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")[0],
                                0)

    def test_in_the_clear_nobody_is_answered(self):
        with self.server() as server:
            with socket.create_connection(server.address.rsplit(":", 1), SECONDS_MAX) as plain:
                plain.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    said = plain.recv(4096)
                except ConnectionResetError:
                    said = b""  # it had not read all that we said
                self.assertNotIn(b"HTTP/1.1", said)


class Answers(Case):
    def test_requests_and_refusals_are_answered_as_without_it(self):
        with self.server() as server:
            key, client = server.make_key(), server.client()
            client.set_clock(START)
            large = {"batch": [{"type": "track", "userId": f"u{i}", "event": "Seen",
                                "properties": {"text": "x" * 1000}} for i in range(2000)]}
            for _ in range(3):
                client.expect(200, "POST", "/v1/batch", large, key=key)
            self.assertEqual(client.request("GET", "/health/live", headers={
                "X": "x" * 9000}).status, 431)
            client.close()
            self.assertEqual(client.request("POST", "/v1/batch", b" " * (5 << 20),
                                            key=key).status, 413)
            client.close()
            document = client.request("GET", "/openapi.json")
            self.assertGreater(len(document.json["paths"]), 50)

    def test_commands_talk_to_it_when_they_know_who_signs(self):
        with self.server() as server:
            url = f"https://localhost:{server.address.rsplit(':', 1)[1]}"
            command = [SONNIM, "source", "list", "--url", url, "--token", server.token]
            done = subprocess.run([*command, "--ca", str(self.authority.file)],
                                  capture_output=True, timeout=SECONDS_MAX, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"default", done.stdout)
            done = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=False)
            self.assertNotEqual(done.returncode, 0)

    def test_many_connections_at_a_time_are_served(self):
        with self.server() as server:
            clients = [server.client() for _ in range(50)]
            for _ in range(3):
                for client in clients:
                    client.expect(200, "GET", "/api/v1/sources")
            for client in clients:
                client.close()

    def test_websockets_work(self):
        with self.server() as server:
            environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(self.authority.file)}
            url = f"wss://localhost:{server.address.rsplit(':', 1)[1]}/ws/jobs"
            process = subprocess.Popen(
                ["node", str(HERE / "socket.mjs"), url, f"sonnim.bearer.{server.token}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.assertIn("open", json.loads(process.stdout.readline()))
            self.assertIn("jobs", json.loads(process.stdout.readline()))
            job = server.client().request("POST", "/api/v1/retention/run")
            if job.status in (200, 202):
                self.assertTrue(json.loads(process.stdout.readline()))
            process.stdin.close()
            last = json.loads(process.stdout.readlines()[-1])
            self.assertIn(last, ({"closed": 1005}, {"closed": 1000}))

    def test_sockets_are_told_that_the_server_stops(self):
        with self.server() as server:
            environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(self.authority.file)}
            url = f"wss://localhost:{server.address.rsplit(':', 1)[1]}/ws/jobs"
            process = subprocess.Popen(
                ["node", str(HERE / "socket.mjs"), url, f"sonnim.bearer.{server.token}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.stdin.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            process.stdout.readline()
            process.stdout.readline()
            server.stop()
            self.assertEqual(json.loads(process.stdout.readline()), {"closed": 1001})


class Certificates(Case):
    def shown(self, server):
        host, port = server.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), SECONDS_MAX) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as secure:
                return secure.getpeercert()["serialNumber"]

    def test_a_new_certificate_is_taken_over_without_a_restart_and_open_connections_go_on(self):
        with self.server() as server:
            client = server.client()
            client.expect(200, "GET", "/api/v1/sources")
            before = self.shown(server)
            certificate, key = self.authority.issue("other")
            shutil.copy(key, self.key)
            shutil.copy(certificate, self.certificate)
            self.wait_for(lambda: self.shown(server) != before)
            client.expect(200, "GET", "/api/v1/sources")
            metrics = client.request("GET", "/metrics").body.decode()
            self.assertRegex(metrics, r'sonnim_tls_reloads_total\{listener="main"\} [1-9]')
            self.assertRegex(
                metrics, r'sonnim_tls_certificate_expires_seconds\{listener="main"\} [12][0-9]{9}')

    def test_a_certificate_that_cannot_be_used_leaves_the_old_one(self):
        with self.server() as server:
            before = self.shown(server)
            self.certificate.write_text("nonsense")
            client = server.client()
            self.wait_for(lambda: '"main"} 0' not in [
                line for line in client.request("GET", "/metrics").body.decode().splitlines()
                if line.startswith("sonnim_tls_reload_failures_total{")][0])
            self.assertEqual(self.shown(server), before)
            self.assertIn("the old ones stay", server.log_tail())

    def test_sighup_reads_them_anew(self):
        with self.server() as server:
            server.process.send_signal(signal.SIGHUP)
            client = server.client()
            self.wait_for(lambda: 'sonnim_tls_reloads_total{listener="main"} 0' not in
                          client.request("GET", "/metrics").body.decode())

    def test_a_start_without_a_certificate_that_can_be_used_is_refused(self):
        wrong = self.place / "wrong.pem"
        wrong.write_text("nonsense")
        for flags in (("--tls-certificate", str(wrong), "--tls-key", str(self.key)),
                      ("--tls-certificate", str(self.place / "absent"), "--tls-key",
                       str(self.key)),
                      ("--tls-certificate", str(self.certificate))):
            server = Server(*flags)
            self.addCleanup(remove_directory, server.directory)
            server.spawn()
            self.assertNotEqual(server.wait_end(), 0)
            self.assertRegex(server.log_tail(), "wrong.pem|absent|go together")


class SlowHandshakes(Case):
    def test_a_handshake_that_does_not_go_on_costs_next_to_nothing_and_is_ended(self):
        with self.server("--http-request-timeout", "2s") as server:
            host, port = server.address.rsplit(":", 1)
            with socket.create_connection((host, int(port)), SECONDS_MAX) as slow:
                slow.sendall(b"\x16\x03\x01\x02\x00\x01")  # the begin of a ClientHello
                before, begin = self.ticks(server), time.monotonic()
                self.assertEqual(slow.recv(100), b"")  # its time is over
                busy = (self.ticks(server) - before) / os.sysconf("SC_CLK_TCK")
                self.assertLess(busy, (time.monotonic() - begin) / 2)
            server.client().expect(200, "GET", "/api/v1/sources")

    @staticmethod
    def ticks(server):
        stat = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1]
        return sum(map(int, stat.split()[11:13]))


class TakeOver(Case):
    def test_a_server_takes_over_from_another(self):
        address = f"127.0.0.1:{free_port()}"
        with self.server("--take-over", address=address) as old:
            client = old.client()
            client.expect(200, "GET", "/api/v1/sources")
            with self.server("--take-over", address=address, directory=old.directory) as server:
                self.assertEqual(old.wait_end(), 0)
                server.client().expect(200, "GET", "/api/v1/sources")


class Services(Case):
    def setUp(self):
        super().setUp()
        self.service = self.authority.issue("service", "DNS:svc.example", purpose="clientAuth")
        self.address = f"127.0.0.1:{free_port()}"

    def flags(self, *more):
        return ("--service-listen", self.address, "--tls-client-ca", str(self.authority.file),
                *more)

    def ask(self, server, certificate):
        client = Client(self.address, server.token, tls=self.context(certificate))
        try:
            return client.request("GET", "/api/v1/sources").status
        except (ssl.SSLError, OSError):
            return None
        finally:
            client.close()

    def test_without_a_certificate_that_was_verified_there_is_no_connection(self):
        stranger = Authority(self.place, "stranger").issue("alien", purpose="clientAuth")
        wrong = self.authority.issue("no-client", purpose="serverAuth")
        late = self.authority.issue("late", days=-1, purpose="clientAuth")
        with self.server(*self.flags()) as server:
            self.assertEqual(self.ask(server, self.service), 200)
            self.assertIsNone(self.ask(server, None))
            self.assertIsNone(self.ask(server, stranger))
            self.assertIsNone(self.ask(server, wrong))
            self.assertIsNone(self.ask(server, late))
            metrics = server.client().request("GET", "/metrics").body.decode()
            self.assertRegex(metrics,
                             r'sonnim_tls_clients_refused_total\{listener="service"\} [3-9]')

    def test_a_certificate_needs_one_of_the_listed_names(self):
        other = self.authority.issue("other", "URI:spiffe://corp/other", purpose="clientAuth")
        with self.server(*self.flags("--tls-client-names", "svc.example,x")) as server:
            self.assertEqual(self.ask(server, self.service), 200)
            self.assertIsNone(self.ask(server, other))
        with self.server(*self.flags("--tls-client-names", "spiffe://corp/other")) as server:
            self.assertEqual(self.ask(server, other), 200)
            self.assertIsNone(self.ask(server, self.service))

    def test_a_certificate_that_was_revoked_is_refused_without_a_restart(self):
        revoked = self.authority.write_revoked()
        with self.server(*self.flags("--tls-client-crl", str(revoked))) as server:
            self.assertEqual(self.ask(server, self.service), 200)
            self.authority.revoke("service")
            self.authority.write_revoked()
            self.wait_for(lambda: self.ask(server, self.service) is None)

    def test_the_service_listener_is_handed_over_too(self):
        address = f"127.0.0.1:{free_port()}"
        with self.server("--take-over", *self.flags(), address=address) as old:
            with self.server("--take-over", *self.flags(), address=address,
                             directory=old.directory) as server:
                self.assertEqual(old.wait_end(), 0)
                self.assertEqual(self.ask(server, self.service), 200)
                self.assertIsNone(self.ask(server, None))

    def test_settings_that_do_not_go_together_are_refused(self):
        for flags in (("--service-listen", self.address), ("--tls-client-ca", "x")):
            server = self.server(*flags)
            self.addCleanup(remove_directory, server.directory)
            server.spawn()
            self.assertNotEqual(server.wait_end(), 0)


class Listening(Case):
    """Where other machines can connect nothing passes in the clear by mistake."""

    def start(self, *flags):
        directory = temporary_directory()
        self.addCleanup(remove_directory, directory)
        server = Server(*flags, directory=directory, address="0.0.0.0:0")
        server.spawn()
        deadline = time.monotonic() + SECONDS_MAX
        while server.process.poll() is None and not (directory / "address").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        refused = server.process.poll() is not None
        server.kill()
        return refused, server.log_tail()

    def test_plain_http_for_other_machines_needs_to_be_asked_for(self):
        refused, log = self.start()
        self.assertTrue(refused)
        self.assertIn("--insecure-listen", log)

    def test_with_tls_with_proxies_or_asked_for_it_starts(self):
        for flags in (("--insecure-listen",), ("--trusted-proxies", "10.0.0.0/8"),
                      ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key))):
            refused, log = self.start(*flags)
            self.assertFalse(refused, log)


if __name__ == "__main__":
    unittest.main()
