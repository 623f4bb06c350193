"""The programs of a measurement: the server (through what the integration tests use), nginx beside
it, and the load generator. All end with the measurement, each by its own pid."""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import machine

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from server import SONNIM, Server, remove_directory  # noqa: E402

BUILD = pathlib.Path(SONNIM).resolve().parent
MEMORY_SPARE_BYTES = 4 << 30
LOAD_EXTRA_SECONDS_MAX = 60
START_SECONDS_MAX = 10

NGINX = """
worker_processes 2; worker_rlimit_nofile 32768; daemon off; pid {dir}/pid;
error_log {dir}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_max_body_size 8m; client_body_buffer_size 1m; client_body_temp_path {dir}/a;
    proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d;
    scgi_temp_path {dir}/e;
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        location / {{ default_type application/json; return 200 '{{"success":true}}'; }}
    }}
}}
"""
SAMPLE = re.compile(r"^(sonnim_\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)


def temporary_directory():
    """On a disk: /tmp is often in memory, where a sync costs nothing."""
    return tempfile.mkdtemp(prefix="sonnim-bench-", dir=os.environ.get("TMPDIR", "/var/tmp"))


def build(*names):
    """Builds what is not part of the default build; the paths of the programs."""
    targets = [f"bench/{name}" for name in names]
    made = subprocess.run(["ninja", "-C", str(BUILD), "--quiet", *targets], capture_output=True,
                          text=True, check=False)
    if made.returncode != 0:
        raise RuntimeError(f"bench/{names} cannot be built:\n{made.stdout}{made.stderr}")
    return [BUILD / target for target in targets]


class Measured(Server):
    """A server with a source, that follows the wall clock. `place`: where its directory stays, or
    is already; else it goes with the server."""

    def __init__(self, *flags, place=None):
        limit = max(machine.memory_available_bytes() - MEMORY_SPARE_BYTES, 1 << 30)
        # One token asks for all that is measured.
        super().__init__("--memory-limit", str(limit), "--log-level", "warning", "--limit-token",
                         "0", "--limit-websocket", "0", "--websockets-max", "0", *flags,
                         directory=pathlib.Path(place or temporary_directory()), clock="wall")
        self.owned = place is None

    @property
    def pid(self):
        return self.process.pid

    def metrics(self):
        client = self.client()
        text = client.expect(200, "GET", "/metrics").body.decode()
        client.close()
        return {name: float(value) for name, labels, value in SAMPLE.findall(text) if not labels}

    def wait_applied(self, seconds=120):
        """Until everything in the journal is applied; the metrics then."""
        deadline = time.monotonic() + seconds
        while True:
            metrics = self.metrics()
            if metrics["sonnim_engine_lag_records"] == 0 and \
                    metrics["sonnim_journal_queue_bytes"] == 0:
                return metrics
            if time.monotonic() > deadline:
                raise TimeoutError("the engine does not catch up")
            time.sleep(0.02)

    def make_segments(self, definitions):
        client = self.client()
        ids = [client.expect(201, "POST", "/api/v1/segments", body).json["id"]
               for body in definitions]
        for segment in ids:
            client.wait_live(segment)
        client.close()
        return ids


class Nginx:
    """Answers every POST with 200 and nothing else: what HTTP alone costs here."""

    def __enter__(self):
        self.directory = temporary_directory()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = pathlib.Path(self.directory) / "nginx.conf"
        config.write_text(NGINX.format(dir=self.directory, port=port))
        self.address = f"127.0.0.1:{port}"
        command = ["/usr/sbin/nginx", "-p", self.directory, "-c", str(config)]
        self.process = subprocess.Popen(command,
                                        stdin=subprocess.DEVNULL, stdout=sys.stderr)
        self._wait(port)
        return self

    def _wait(self, port):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def cpu_s(self):
        return sum(machine.cpu_s(pid) for pid in machine.children(self.process.pid))

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        remove_directory(self.directory)


class Redis:
    """A Redis that keeps nothing on disk, on a free port."""

    def __init__(self):
        self.directory = temporary_directory()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
             "--appendonly", "no", "--dir", self.directory], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        remove_directory(self.directory)


class Load:
    """A run of bench/load. Inside `with` it is under way; `result` waits for its end."""

    def __init__(self, program, address, key, **options):
        flags = [f"--{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen([str(program), f"--target={address}", f"--key={key}",
                                         "--json=true", *flags], stdout=subprocess.PIPE)
        self.seconds_max = options["seconds"] + LOAD_EXTRA_SECONDS_MAX

    def result(self):
        output, _ = self.process.communicate(timeout=self.seconds_max)
        if not output:
            raise RuntimeError("the load generator failed")
        result = json.loads(output)
        result["errors"] = result["failed"] + result["rejected"] + result["lost"]
        result["cpu_s"] = result["cpu_us_per_event"] * result["events"] / 1e6
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run_load(program, address, key, **options):
    with Load(program, address, key, **options) as load:
        return load.result()
