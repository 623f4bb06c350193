"""Backups: a full one and an increment while the server runs, the archive behind it, and a restore
with the start that follows, of up to 5 million users.

Each user sends some events; 100 segments are live. Rates are of the data as it lies on the disk.
The backups lie on the same disk as the data, so each byte is read and written there."""
import os
import secrets
import shutil
import subprocess
import time

import definitions
import machine
from figure import Figure, less_is_better
from programs import Measured, build, run_load
from server import SONNIM, Server

USERS, USERS_QUICK = 5_000_000, 100_000
CONNECTIONS = 64
BYTES_A_USER = 1000
RECOVERY_POINT_S, RECOVERY_TIME_S = 5 * 60, 15 * 60
ARCHIVE_S = 20  # the default of --backup-archive-interval


def _load(server, load_program, key, users):
    metrics, began = None, time.monotonic()
    while metrics is None or metrics["sonnim_engine_persons"] < users:
        if time.monotonic() - began > 600:
            raise TimeoutError("loading users takes too long")
        run_load(load_program, server.address, key, mode="batch", connections=CONNECTIONS,
                 seconds=3 if users < 500_000 else 10, users=users)
        metrics = server.wait_applied(600)
    return metrics


def _wait_job(client, job):
    while job["state"] in ("queued", "running"):
        time.sleep(0.05)
        job = client.get(f"/api/v1/jobs/{job['id']}")
    if job["state"] != "done":
        raise RuntimeError(f"{job}")
    return job["result"]


def _make(client, path=""):
    return _wait_job(client, client.expect(200, "POST", f"/api/v1/backups{path}").json)


def _rate(size, took_ms):
    return size / 2**20 / max(took_ms / 1e3, 1e-3)


def _backups(server, client, load_program, key, users):
    (full,) = [_wait_job(client, job) for job in client.items("/api/v1/jobs")
               if job["kind"] == "backup"]  # the first one, which the start has added
    lags, began = [], time.monotonic()
    run_load(load_program, server.address, key, mode="batch", connections=CONNECTIONS, seconds=3,
             users=users)
    while time.monotonic() - began < 1.5 * ARCHIVE_S:
        lags.append(server.metrics()["sonnim_archive_lag_seconds"])
        time.sleep(0.5)
    increment = _make(client)
    verified = _make(client, "/verify")
    return [
        Figure("backup", "full, read and read back", _rate(full["bytes"], full["tookMs"]), "MiB/s",
               None, "", f"{full['bytes'] / 2**20:,.0f} MiB in {full['tookMs'] / 1e3:.1f} s, "
               f"{full['newBytes'] / 2**20:,.0f} new as {full['storedBytes'] / 2**20:,.0f}"),
        Figure("backup", "increment", increment["tookMs"] / 1e3, "s", None, "",
               f"{increment['newBytes'] / 2**20:,.0f} MiB new of "
               f"{increment['bytes'] / 2**20:,.0f}"),
        Figure("backup", "verify", _rate(verified["bytes"], verified["tookMs"]), "MiB/s", None, "",
               f"{verified['objects']:,} objects"),
        Figure("backup", "recovery point: archive behind, at most", max(lags), "s",
               less_is_better(RECOVERY_POINT_S), "", f"one step each {ARCHIVE_S} s"),
    ]


def _restore(server, place, key_file, users):
    data = server.directory / "restored"
    data.mkdir()
    shutil.copytree(server.directory / "keyring", data / "keyring")
    shutil.copy(server.directory / "token", data / "token")
    began = time.monotonic()
    subprocess.run([SONNIM, "restore", "--from", str(place), "--data", str(data / "data"),
                    "--keyring", str(data / "keyring"), "--backup-key-file", str(key_file)],
                   check=True, stdout=subprocess.DEVNULL)
    restored_s = time.monotonic() - began
    size = sum(path.stat().st_blocks * 512 for path in (data / "data").rglob("*"))
    restored = Server(directory=data, clock="wall")
    began = time.monotonic()
    restored.start()
    started_s = time.monotonic() - began
    restored.kill()
    whole_s = restored_s + started_s
    return [
        Figure("backup", "restore", size / 2**20 / restored_s, "MiB/s", None, "",
               f"{size / 2**20:,.0f} MiB in {restored_s:.1f} s"),
        Figure("backup", f"recovery time with {users:,} users", whole_s, "s",
               less_is_better(RECOVERY_TIME_S) if users >= USERS else None, "",
               f"ready {started_s:.1f} s behind the restore"),
    ]


def measure(facts, quick=False):
    (load_program,) = build("load")
    room = int(machine.memory_available_bytes() * 0.4 / BYTES_A_USER)
    users = USERS_QUICK if quick else min(USERS, room)
    key = secrets.token_hex(32)
    with Measured("--backup-archive-interval", f"{ARCHIVE_S}s", "--job-bandwidth", "0",
                  "--checkpoint-interval", "10s") as server:
        place, key_file = server.directory / "backups", server.directory / "key"
        key_file.write_text(key)
        os.chmod(key_file, 0o600)
        server.make_segments(definitions.segments())
        _load(server, load_program, server.make_key(), users)
        server.stop()
        server.flags += ["--backup-directory", str(place), "--backup-key-file", str(key_file)]
        server.start()
        client = server.client()
        figures = _backups(server, client, load_program, server.make_key(), users)
        client.close()
        server.kill()
        return figures + _restore(server, place, key_file, users)
