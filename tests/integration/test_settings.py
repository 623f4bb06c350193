"""Settings: mistakes are named with their place at the start, and some change while it runs."""
import signal
import subprocess
import time
import unittest

from server import SONNIM, Server, remove_directory, temporary_directory


class Settings(unittest.TestCase):
    def setUp(self):
        self.directory = temporary_directory()
        self.addCleanup(remove_directory, self.directory)
        self.file = self.directory / "sonnim.conf"

    def refuse(self, content):
        self.file.write_text(content)
        done = subprocess.run(
            [SONNIM, "serve", "--config", str(self.file), "--data", str(self.directory / "data")],
            capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertFalse((self.directory / "data").exists())
        return done.stderr.replace(str(self.file), "FILE").strip()

    def test_a_mistake_in_the_file_is_named_with_its_place(self):
        for content, message in (
                ("\n listn = :80", "FILE:2:2: unknown setting listn, did you mean listen?"),
                ("listen = here", "FILE:1:10: listen must be an address such as 127.0.0.1:8080"),
                ("clock =  sun", "FILE:1:10: clock must be wall or manual"),
                ("memory-limit = 1MiB", "FILE:1:16: memory-limit must be 64MiB at least, or 0"),
                ("memory-limit = much", "FILE:1:16: memory-limit must be a size such as 1048576, "
                                        "64KiB, 1MiB, 4GiB"),
                ("retention = 36h", "FILE:1:13: retention must be whole days, at least 2d"),
                ("log-level = loud",
                 "FILE:1:13: log-level must be debug, info, warning or error"),
                ("threads = 1\nthreads = 2", "FILE:2:1: threads is given in line 1 already"),
                ("threads", "FILE:1:1: expected name = value")):
            with self.subTest(content):
                self.assertEqual(self.refuse(content), f"sonnim serve: {message}")

    def wait_for_line(self, server, text, count=1):
        deadline = time.monotonic() + 300
        while server.log_file.read_text().count(text) < count:
            self.assertLess(time.monotonic(), deadline, server.log_tail())
            time.sleep(0.01)

    def test_sighup_takes_over_what_can_change_and_nothing_of_a_file_with_a_mistake(self):
        self.file.write_text("http-body-bytes-max = 2KiB\n")
        large = {"userId": "u", "event": "x" * 3000}
        with Server("--config", str(self.file), directory=self.directory) as server:
            key, client = server.make_key(), server.client()
            self.assertEqual(client.request("POST", "/v1/track", large, key=key).status, 413)

            self.file.write_text("http-body-bytes-max = 1MiB\nlog-level = warning\nthreads = x")
            server.process.send_signal(signal.SIGHUP)
            self.wait_for_line(server, "the settings stay as they are")
            self.assertIn(":3:11: threads must be a whole number", server.log_tail())
            self.assertEqual(client.request("POST", "/v1/track", large, key=key).status, 413)

            self.file.write_text("http-body-bytes-max = 1MiB\nthreads = 1\n")
            server.process.send_signal(signal.SIGHUP)
            self.wait_for_line(server, '"reloaded"')
            lines = server.log_file.read_text()
            self.assertIn('"a setting has changed","setting":"http-body-bytes-max"', lines)
            self.assertIn('"a setting has changed that needs a restart","setting":"threads"', lines)
            client = server.client()
            self.assertEqual(client.request("POST", "/v1/track", large, key=key).status, 200)

    def test_the_memory_limit_can_be_raised_while_it_is_reached(self):
        self.file.write_text("memory-limit = 64MiB\n")
        with Server("--config", str(self.file), "--events-tail", "1TiB",
                    directory=self.directory) as server:
            key, client = server.make_key(), server.client()
            batch = {"batch": [{"type": "track", "userId": f"u{i}", "event": "e",
                                "properties": {f"p{k}": "x" * 60 for k in range(400)}}
                               for i in range(100)]}
            for _ in range(60):
                answer = client.request("POST", "/v1/batch", batch, key=key)
                if answer.status != 200:
                    break
                # Memory is that of what is applied, which may be far behind on a slow machine.
                client.get("/api/v1/segments?limit=1",
                           headers={"X-Sonnim-Min-Position": answer.position})
            self.assertEqual((answer.status, answer.code), (503, "MEMORY_LIMIT"))
            self.file.write_text("memory-limit = 1GiB\n")
            server.process.send_signal(signal.SIGHUP)
            self.wait_for_line(server, '"reloaded"')
            client.expect(200, "POST", "/v1/batch", batch, key=key)


if __name__ == "__main__":
    unittest.main()
