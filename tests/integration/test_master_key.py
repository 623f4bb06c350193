"""The master key is replaced while the server runs, over kills, and comes from other places too."""
import os
import pathlib
import random
import subprocess
import threading
import time
import unittest

from server import SONNIM, Server, temporary_directory

ROUNDS = 6


class MasterKey(unittest.TestCase):
    def server(self, *flags, **rest):
        server = Server("--partitions", "3", *flags, **rest)
        self.addCleanup(lambda: server.__exit__(Exception, None, None))
        return server

    def identify(self, server, key, name):
        client = server.client()
        client.expect(200, "POST", "/v1/identify",
                      {"userId": name, "traits": {"email": f"{name}@example.com"}}, key=key)
        client.close()

    def assert_opens(self, server, name):
        client = server.client()
        profile = client.get(f"/api/v1/users/{name}/profile")
        client.close()
        self.assertEqual(profile["email"], f"{name}@example.com")

    def keyring(self, server):
        return pathlib.Path(server.directory) / "keyring"

    def test_a_rotation_outlives_kills_and_the_old_key_is_refused(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", time.time_ns() % 2**32))
        print(f"master_key: SONNIM_TEST_SEED={seed}")
        chance = random.Random(seed)
        server = self.server()
        server.start()
        key = server.make_key()
        master = self.keyring(server) / "master.key"
        first = master.read_text()
        for number in range(ROUNDS):
            self.identify(server, key, f"user-{number}")
            rotating = threading.Thread(target=self.rotate, args=(server,))
            rotating.start()
            time.sleep(chance.uniform(0, 0.02))
            server.kill()
            rotating.join()
            server.start()
            self.assertFalse((self.keyring(server) / "rotation").exists())
            for earlier in range(number + 1):
                self.assert_opens(server, f"user-{earlier}")
        done = subprocess.run([SONNIM, "key", "rotate"], capture_output=True, text=True,
                              timeout=300, check=False,
                              env={**os.environ, "SONNIM_URL": f"http://{server.address}",
                                   "SONNIM_TOKEN": server.token})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_opens(server, "user-0")
        server.stop()
        last = master.read_text()
        self.assertNotEqual(first, last)
        master.write_text(first)
        server.spawn()
        self.assertNotEqual(server.wait_end(), 0)
        self.assertIn("the master key is not the key of", server.log_tail())
        self.assertNotIn(first.strip(), server.log_file.read_text())
        master.write_text(last)
        server.start()
        self.assert_opens(server, "user-0")
        server.stop()

    def rotate(self, server):
        client = server.client()
        try:
            client.request("POST", "/api/v1/master-key/rotate")
        except OSError:
            pass  # it was killed
        finally:
            client.close()

    def test_a_command_gives_the_key_and_the_next_one(self):
        place = pathlib.Path(temporary_directory())
        secret = place / "secret"
        secret.write_text("1" * 64 + "\n")
        server = self.server("--master-key-command", f"cat {secret}")
        server.start()
        key = server.make_key()
        self.identify(server, key, "kim")
        self.assertFalse((self.keyring(server) / "master.key").exists())
        client = server.client()
        same = client.request("POST", "/api/v1/master-key/rotate")
        self.assertEqual(same.status, 409, same)
        secret.write_text("no key at all\n")
        wrong = client.request("POST", "/api/v1/master-key/rotate")
        self.assertNotEqual(wrong.status, 200, wrong)
        self.assertNotIn("no key at all", str(wrong))
        secret.write_text("2" * 64 + "\n")
        client.expect(200, "POST", "/api/v1/master-key/rotate")
        records = client.get("/api/v1/audit?action=master_key.rotate")["items"]
        self.assertEqual(len(records), 3)
        client.close()
        server.stop()
        server.start()
        self.assert_opens(server, "kim")
        log = server.log_file.read_text()
        server.stop()
        for digit in "12":
            self.assertNotIn(digit * 64, log)
