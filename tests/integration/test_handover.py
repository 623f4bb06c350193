"""One server takes over from another: nobody who sends all the while is refused, loses anything or
is counted twice."""
import os
import random
import socket
import subprocess
import time
import unittest

from sending import Sending
from server import SONNIM, Server, remove_directory, temporary_directory

HANDOVERS = int(os.environ.get("SONNIM_TEST_HANDOVERS", "4"))


class Handover(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("SONNIM_TEST_SEED", random.randrange(1 << 32)))
        print(f"SONNIM_TEST_SEED={self.seed}")
        self.random = random.Random(self.seed)
        self.directory = temporary_directory()
        self.addCleanup(remove_directory, self.directory)

    def server(self, *flags, address="127.0.0.1:0"):
        return Server("--partitions", "3", *flags, directory=self.directory, clock="wall",
                      address=address)

    def check(self, sending, server):
        client = server.client()
        sending.check(self, client)
        client.close()

    def test_senders_do_not_notice_that_servers_take_over_from_each_other(self):
        server = self.server()
        with server:
            with Sending(server) as sending:
                for _ in range(HANDOVERS):
                    sending.wait_for_more(self.random.randrange(40))
                    old, server = server, self.server("--take-over", address=server.address)
                    server.write_key = old.write_key
                    self.addCleanup(server.kill)
                    server.start()
                    self.assertEqual(old.wait_end(), 0, old.log_tail())
                    self.assertEqual(server.address, old.address)
                sending.wait_for_more()
            self.check(sending, server)
            server.stop()

    def test_the_number_of_threads_may_change_with_a_take_over(self):
        server = self.server("--http-threads", "1")
        with server:
            with Sending(server) as sending:
                for threads in (3, 2):
                    old, server = server, self.server(
                        "--take-over", "--http-threads", str(threads), address=server.address)
                    server.write_key = old.write_key
                    self.addCleanup(server.kill)
                    server.start()
                    self.assertEqual(old.wait_end(), 0, old.log_tail())
                    sending.wait_for_more()
            self.check(sending, server)
            server.stop()

    def test_a_successor_with_another_address_is_refused_and_the_server_goes_on(self):
        with self.server() as server:
            done = subprocess.run(self.server("--take-over", address="127.0.0.2:0").command(),
                                  capture_output=True, text=True, timeout=300)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("another address", done.stderr)
            server.client().get("/health/ready")

    def test_without_a_server_a_take_over_is_an_ordinary_start(self):
        with self.server("--take-over") as server:
            server.client().get("/health/ready")
            server.kill()
            with self.server("--take-over") as again:  # what lies there of it is no server
                again.client().get("/health/ready")

    def test_who_asks_and_does_not_take_the_sockets_harms_nothing(self):
        with self.server() as server, Sending(server) as sending:
            for _ in range(3):
                with socket.socket(socket.AF_UNIX) as asker:
                    asker.connect(str(server.data / "handover.sock"))
                    self.assertEqual(asker.recv(8), b"sonnim\0\1")
            sending.wait_for_more()
        self.assertEqual(sending.failures, [])

    def start_with_socket(self, server, listener):
        """As a supervisor does: the socket is descriptor 3."""
        script = ('import os,sys\n'
                  'os.environ["LISTEN_PID"] = str(os.getpid())\n'
                  'os.environ["LISTEN_FDS"] = "1"\n'
                  'os.dup2(int(sys.argv[1]), 3)\n'
                  'os.set_inheritable(3, True)\n'
                  'os.execv(sys.argv[2], sys.argv[2:])\n')
        (server.directory / "address").unlink(missing_ok=True)
        with open(server.log_file, "ab") as log:
            server.process = subprocess.Popen(
                ["python3", "-c", script, str(listener.fileno()), *server.command()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listener.fileno()])
        self.addCleanup(server.kill)
        server.wait_ready()

    def test_a_supervisors_socket_outlives_restarts(self):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        server = self.server(address="ignored.invalid:1")
        self.start_with_socket(server, listener)
        self.assertEqual(server.address, "127.0.0.1:%d" % listener.getsockname()[1])
        with Sending(server) as sending:
            for _ in range(3):
                sending.wait_for_more()
                server.stop()
                time.sleep(self.random.random() / 4)  # nobody serves
                self.start_with_socket(server, listener)
            sending.wait_for_more()
        self.check(sending, server)
        server.stop()

    def test_a_descriptor_that_is_no_listening_socket_is_refused(self):
        server = self.server()
        with socket.socket() as other, open(server.log_file, "ab") as log:
            process = subprocess.Popen(
                ["python3", "-c", "import os,sys\nos.environ.update(LISTEN_PID=str(os.getpid()),"
                 "LISTEN_FDS='1')\nos.dup2(int(sys.argv[1]), 3)\nos.set_inheritable(3, True)\n"
                 "os.execv(sys.argv[2], sys.argv[2:])", str(other.fileno()), *server.command()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[other.fileno()])
            self.assertEqual(process.wait(300), 1)
        self.assertIn("descriptor 3", server.log_tail())

    def test_the_supervisor_is_told_of_start_and_stop_and_that_it_lives(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            path = str(self.directory / "notify")
            heard.bind(path)
            heard.settimeout(300)
            server = self.server()
            server.spawn(env={**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
            server.wait_ready()
            messages = []
            for word in ("READY=1", "WATCHDOG=1"):  # the second may come before it, too
                while word not in (messages[-1] if messages else ""):
                    messages.append(heard.recv(4096).decode())
            server.stop()
            while "STOPPING=1" not in messages:
                messages.append(heard.recv(4096).decode())


if __name__ == "__main__":
    unittest.main()
