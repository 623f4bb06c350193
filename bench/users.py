"""Rows 5, 8, 9 and 11, with 5 million users where memory allows: what they take by kind, looking up
a person's segments beside GET of a Redis, checkpoints, a restart behind kill -9, and creating a
segment beside 10,000 live ones.

Each user sends one event; 100 segments are live. Look-ups are GET /api/v1/users/{id}/segments of
random users through wrk; Redis answers GET of the same number of random keys with values of the
size of these answers through redis-benchmark, without pipelining: each with the load generator
that is made for it, 64 connections, on the same two processors."""
import re
import statistics
import subprocess
import time

import definitions
import machine
from figure import Figure, less_is_better, more_is_better
from programs import Measured, Redis, build, remove_directory, run_load, temporary_directory

USERS, USERS_QUICK = 5_000_000, 200_000
BYTES_A_USER = 2000  # while they are loaded, stored event and request bodies included
CONNECTIONS = 64
SECONDS, SECONDS_QUICK = 20, 4
SEGMENTS, SEGMENTS_QUICK = 10_000, 300
CREATED = 20  # of which the slowest is told
READY_SECONDS_MAX = 10
LOAD_RATE_MIN = 100_000  # events a second; how long loading may take

LUA = """
local token, users = "%s", %d
request = function()
   local path = string.format("/api/v1/users/u%%08d/segments", math.random(0, users - 1))
   return wrk.format("GET", path, {["Authorization"] = "Bearer " .. token})
end
"""
WRK = re.compile(r"99%\s+([\d.]+)(us|ms|s)")
MEMORY = re.compile(r'^sonnim_memory_bytes\{kind="(\w+)"\} (\d+)$', re.MULTILINE)
UNIT_MS = {"us": 1e-3, "ms": 1, "s": 1e3}


def _load(server, load_program, users):
    """One event of each user and some; the generator stops by time."""
    key = server.make_key()
    metrics, began = None, time.monotonic()
    while metrics is None or metrics["sonnim_engine_persons"] < users:
        if time.monotonic() - began > users / LOAD_RATE_MIN + 30:
            raise TimeoutError("loading users takes too long")
        run_load(load_program, server.address, key, mode="batch", connections=CONNECTIONS,
                 seconds=3 if users < 1_000_000 else 10, users=users)
        metrics = server.wait_applied(600)
    return metrics


def _memory(server, metrics):
    client = server.client()
    text = client.expect(200, "GET", "/metrics").body.decode()
    client.close()
    persons = metrics["sonnim_engine_persons"]
    figures = []
    for kind, size in MEMORY.findall(text):
        figures.append(Figure("9", f"memory: {kind}", int(size) / persons, "B/person", None, "",
                              f"{int(size) / 2**20:,.0f} MiB of {persons:,.0f} persons, "
                              f"{metrics['sonnim_engine_events']:,.0f} events"))
    resident = machine.resident_bytes(server.pid)
    figures.append(Figure("9", "memory: resident in all", resident / persons, "B/person", None, "",
                          f"{resident / 2**30:.1f} GiB"))
    return figures


# ---- Look-ups ----

def _wrk(server, users, seconds, directory):
    script = f"{directory}/lookup.lua"
    with open(script, "w", encoding="utf-8") as file:
        file.write(LUA % (server.token, users))
    output = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s",
                             script, f"http://{server.address}"], capture_output=True, text=True,
                            check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"look-ups fail:\n{output}")
    value, unit = WRK.search(output).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]), float(value) * UNIT_MS[unit]


def _redis(users, value_bytes, seconds):
    with Redis() as redis:
        def run(*arguments):
            output = subprocess.run(["redis-benchmark", "-p", str(redis.port), "--csv", "-r",
                                     str(users), "-d", str(value_bytes), *arguments],
                                    capture_output=True, text=True, check=True).stdout
            return dict(zip(*(line.strip('"').split('","')
                              for line in output.splitlines()[-2:])))

        run("-t", "set", "-n", str(users * 2), "-P", "64", "-c", str(CONNECTIONS))
        first = run("-t", "get", "-n", "100000", "-c", str(CONNECTIONS))
        count = int(float(first["rps"]) * seconds)
        row = run("-t", "get", "-n", str(count), "-c", str(CONNECTIONS))
    return float(row["rps"]), float(row["p99_latency_ms"])


def _lookups(server, users, seconds):
    directory = temporary_directory()
    try:
        client = server.client()
        value_bytes = statistics.median(
            len(client.expect(200, "GET", f"/api/v1/users/u{i:08}/segments").body)
            for i in range(0, users, max(users // 50, 1)))
        client.close()
        redis_rate, redis_p99_ms = _redis(users, int(value_bytes), seconds)
        rate, p99_ms = _wrk(server, users, seconds, directory)
    finally:
        remove_directory(directory)
    beside = f"Redis GET: {redis_rate:,.0f}/s, p99 {redis_p99_ms:.2f} ms"
    return [
        Figure("8", "membership look-up", rate / redis_rate, "× Redis GET", more_is_better(0.8),
               beside, f"{rate:,.0f}/s, {CONNECTIONS} connections, {users:,} users, "
               f"{value_bytes:.0f} B an answer"),
        Figure("8", "membership look-up, p99", p99_ms, "ms", less_is_better(2), beside, ""),
    ]


# ---- Checkpoints and restarts ----

def _checkpoints(server):
    """Of the first round of all partitions behind the load."""
    wanted = server.metrics()["sonnim_checkpoint_rounds_total"] + 1
    deadline = time.monotonic() + 180
    while (metrics := server.metrics())["sonnim_checkpoint_rounds_total"] < wanted + 16:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    took_s = metrics["sonnim_checkpoint_duration_seconds"]
    return [
        Figure("11", "checkpoint: bytes written", metrics["sonnim_checkpoint_bytes_total"] / 2**20,
               "MiB", None, "",
               f"{metrics['sonnim_checkpoint_rounds_total']:,.0f} rounds of partitions since start;"
               f" the last took {took_s:.1f} s"),
        Figure("11", "checkpoint: held up its partition at most",
               metrics["sonnim_checkpoint_pause_max_seconds"] * 1e3, "ms", None, "", ""),
    ]


def _restart(server, users):
    server.kill()
    began = time.monotonic()
    server.start()
    took_s = time.monotonic() - began
    metrics = server.wait_applied(600)
    return [Figure("11", f"kill −9, then ready with {users:,} users", took_s, "s",
                   less_is_better(READY_SECONDS_MAX), "",
                   f"{metrics['sonnim_replay_records']:,.0f} records read from the journal in "
                   f"{metrics['sonnim_replay_seconds']:.1f} s"),
            Figure("11", "persons there − before", metrics["sonnim_engine_persons"] - users, "",
                   more_is_better(0), "", "")]


# ---- Creating a segment ----

def _segment(i):
    return {"name": f"made {i}", "expression": {
        "event": definitions.EVENTS[i % 8], "aggregate": "count", "op": "gte",
        "value": 1 + i // 8 % 9, "within": definitions.WINDOWS[i % 12],
        "where": {"property": "revenue", "op": "gte", "value": 1000 + i}}}


def _creation(count):
    """With few users: what is measured is the definitions' way."""
    with Measured() as server:
        client = server.client()
        began = time.monotonic()
        last = None
        for i in range(count):
            last = client.expect(201, "POST", "/api/v1/segments", _segment(i)).json["id"]
        client.wait_live(last, seconds=600)
        took_s = time.monotonic() - began
        answers, lives = [], []
        for i in range(count, count + CREATED):
            sent = time.perf_counter()
            made = client.expect(201, "POST", "/api/v1/segments", _segment(i)).json["id"]
            answers.append((time.perf_counter() - sent) * 1e3)
            client.wait_live(made)
            lives.append((time.perf_counter() - sent) * 1e3)
        client.close()
    note = f"p50 {statistics.median(answers):.1f} ms; {count:,} made one by one in {took_s:.0f} s"
    return [
        Figure("5", f"segment created beside {count:,} live ones, slowest of {CREATED}",
               max(answers), "ms", less_is_better(500), "", note),
        Figure("5", "from POST to Live, slowest", max(lives), "ms", None, "",
               f"p50 {statistics.median(lives):.1f} ms"),
    ]


def measure(facts, quick=False):
    (load_program,) = build("load")
    room = int(machine.memory_available_bytes() * 0.8 / BYTES_A_USER)
    users = USERS_QUICK if quick else min(USERS, room)
    seconds = SECONDS_QUICK if quick else SECONDS
    with Measured() as server:
        server.make_segments(definitions.segments())
        metrics = _load(server, load_program, users)
        figures = _lookups(server, users, seconds) + _memory(server, metrics)
        if not quick:
            figures += _checkpoints(server)
        figures += _restart(server, users)
    return figures + _creation(SEGMENTS_QUICK if quick else SEGMENTS)
