"""Rows 6 and 7: questions over 5 million users with traits and a year of their events, drawn at
random, none seen before: filters that are columns, filters that scan events, both; beside DuckDB
and ClickHouse on the same rows with equal answers. Then how many questions a second, with 200
marketers on WebSockets; events beside questions and questions beside events; memory and disk.

The rows of the rivals are an export of what the server holds. Both keep users with a column for
each trait and metric, as the server does, and events sorted by name and user."""
import datetime
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import threading
import time

import question_draw as draw
import machine
from figure import Figure, less_is_better, more_is_better, number
from programs import ROOT, SONNIM, Load, Measured, build, remove_directory, temporary_directory
from websocket import TEXT, WebSocket

USERS, USERS_QUICK = 5_000_000, 50_000
EVENTS, EVENTS_QUICK = 100_000_000, 500_000
BYTES_A_USER, BYTES_AN_EVENT = 1200, 250  # of memory and of disk while it is loaded
DAYS, DAYS_QUICK = 365, 30
ASKED, ASKED_QUICK = 15, 5
KINDS = (("4 columns", 4, 0, 10), ("8 columns", 8, 0, 10), ("32 columns", 32, 0, 10),
         ("4 columns, 2 scans", 4, 2, 100), ("a scan alone", 0, 1, 100))
TIMES_DUCKDB = 20
RATE_CACHED, RATE_UNCACHED = 1000, 200
MARKETERS = 200
RATE_SECONDS, RATE_SECONDS_QUICK = 15, 3
INGEST_RATE = 100_000
SEED = 20261121

BROKEN = re.compile(r"Socket errors: connect (?!0, read 0, write 0)")
REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
COLUMNS = re.compile(r'^sonnim_memory_bytes\{kind="columns"\} (\d+)$', re.MULTILINE)

LUA = """
local token, bodies, at = "%s", {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local headers = {["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json"}
if %s then headers["Cache-Control"] = "no-cache" end
request = function()
   at = at %% #bodies + 1
   return wrk.format("POST", "/api/v1/audience/calculate", headers, bodies[at])
end
"""


# ---- Data ----

def _iso(epoch_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))


def _load(server, users, events, days):
    """A year of a travel agency up to an hour ago."""
    end = int(time.time()) - 3600
    rate = max(1, round(events / (days * 86400)))
    began = time.monotonic()
    subprocess.run(
        [SONNIM, "simulate", "--url", f"http://{server.address}", "--token-file",
         str(server.directory / "token"), "--shape", "travel", "--profiles", "--users", str(users),
         "--start", _iso(end - days * 86400), "--end", _iso(end), "--speed", "0", "--rate",
         str(rate), "--batch", "5000", "--seed", str(SEED)],
        check=True, stdout=subprocess.DEVNULL)
    metrics = server.wait_applied(3600)
    took_s = time.monotonic() - began
    return [Figure("6", "made up, sent and applied", metrics["sonnim_engine_events"] / took_s,
                   "events/s", None, "", f"{took_s:.0f} s")]


def _keep_metrics(server):
    """Filters of their own keep what the questions ask for as columns."""
    client = server.client()
    for name, text in draw.METRIC_TEXTS.items():
        client.expect(201, "POST", "/api/v1/audience/filters",
                      {"name": f"all_{name}", "label": {"ko": name, "en": name}, "type": "number",
                       "template": f"{text} >= $min"})
    client.close()


def _wait_columns(server):
    """Until all of them are built; seconds."""
    began = time.monotonic()
    while True:
        metrics = server.metrics()
        if metrics["sonnim_query_columns_built"] == metrics["sonnim_query_columns"]:
            return time.monotonic() - began
        if time.monotonic() - began > 1200:
            raise TimeoutError("columns are not built")
        time.sleep(0.1)


def _export(server, directory):
    client = server.client()
    job = client.expect(202, "POST", "/api/v1/exports",
                        {"what": ["events", "profiles"], "format": "jsonl",
                         "compression": "zstd"}).json
    while job["state"] in ("queued", "running"):
        time.sleep(0.5)
        job = client.get(f"/api/v1/jobs/{job['id']}")
    if job["state"] != "done":
        raise RuntimeError(f"{job}")
    client.close()
    place = server.directory / "data" / "jobs" / job["id"]
    os.symlink(place, os.path.join(directory, "export"))


class Rival:
    """DuckDB or ClickHouse, in a process of its own."""

    def __init__(self, kind, directory):
        self.process = subprocess.Popen(
            [str(ROOT / "script" / "node"), str(ROOT / "bench" / "rivals.mjs"), kind, directory,
             str(os.cpu_count())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, sql):
        """(rows, milliseconds)"""
        self.process.stdin.write(json.dumps({"sql": sql}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{answer['error']}\n{sql}")
        return answer["rows"], answer["ms"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def _fill_duckdb(duckdb, directory):
    """From the export; leaves Parquet files of both tables for ClickHouse."""
    traits = ", ".join(f"traits.{name} as {name}" for name in draw.TRAITS)
    declared = ", ".join(f"{name} varchar" for name in (*draw.TRAITS, "created_at"))
    metrics = ", ".join(f"{sql} as {name}" for name, _, sql, _ in draw.METRICS)
    counted = ", ".join(f"coalesce({name}, 0) as {name}" for name, *_ in draw.METRICS)
    for sql in (
        "set preserve_insertion_order = false",
        f"""create table persons_raw as select row_number() over () as id,
            coalesce('u' || userId, 'a' || anonymousId) as key, {traits},
            epoch_ms(cast(traits.created_at as timestamptz)) as signed_up_ms
            from read_ndjson('{directory}/export/profiles-*.jsonl.zst', columns =
              {{userId: 'varchar', anonymousId: 'varchar', traits: 'struct({declared})'}})""",
        f"""create table events_raw as select coalesce('u' || userId, 'a' || anonymousId) as key,
            coalesce(event, '$page') as name,
            epoch_ms(cast(timestamp as timestamptz)) as time_ms, properties.region as region,
            properties.category as category, properties.price as price
            from read_ndjson('{directory}/export/events-*.jsonl.zst', columns =
              {{userId: 'varchar', anonymousId: 'varchar', event: 'varchar',
                timestamp: 'varchar',
                properties: 'struct(region varchar, category varchar, price double)'}})""",
        """create table events as select p.id, e.name, e.time_ms, e.region, e.category, e.price
            from events_raw e join persons_raw p using (key)
            order by e.name, p.id, e.time_ms""",
        "drop table events_raw",
        f"""create table persons as select p.* exclude (key), {counted}, last_ms from persons_raw p
            left join (select id, max(time_ms) as last_ms, {metrics} from events group by id) m
            on p.id = m.id order by p.id""",
        "drop table persons_raw",
        f"copy events to '{directory}/events.parquet' (format parquet)",
        f"copy persons to '{directory}/persons.parquet' (format parquet)",
    ):
        duckdb.ask(sql)


def _fill_clickhouse(clickhouse, directory):
    low = ", ".join(f"{name} LowCardinality(Nullable(String))" for name in draw.TRAITS)
    counts = ", ".join(f"{name} Float64" for name, *_ in draw.METRICS)
    for sql in (
        f"""create table persons (id UInt64, {low}, signed_up_ms Nullable(Int64), {counts},
            last_ms Nullable(Int64)) engine = MergeTree order by id""",
        """create table events (id UInt64, name LowCardinality(String), time_ms Int64,
           region LowCardinality(Nullable(String)), category LowCardinality(Nullable(String)),
           price Nullable(Float64)) engine = MergeTree order by (name, id, time_ms)""",
        f"insert into persons select * from file('{directory}/persons.parquet')",
        f"insert into events select * from file('{directory}/events.parquet')",
        "optimize table persons final", "optimize table events final",
    ):
        clickhouse.ask(sql)


# ---- Questions ----

class Asker:
    """Asks the server, and keeps what to ask the rivals."""

    def __init__(self, server):
        self.client = server.client()

    def ask(self, expression, headers=None, **more):
        began = time.perf_counter()
        answer = self.client.expect(200, "POST", "/api/v1/audience/calculate",
                                    {"expression": expression, **more}, headers=headers or {})
        return answer.json, (time.perf_counter() - began) * 1e3


def _epoch_ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e3)


def _ask_all(server, chance, count):
    """For each kind its questions: (name, goal, [(ms, size, SQL)])."""
    asker, answered = Asker(server), []
    kinds = [(name, lambda c=columns, s=scans: draw.question(chance, c, s), goal)
             for name, columns, scans, goal in KINDS]
    kinds.append(("제주, VIP, 30 days", draw.jeju_vip, 100))
    for name, make, goal in kinds:
        asked = []
        for _ in range(count):
            expression, sql = make()
            answer, took_ms = asker.ask(expression, {"Cache-Control": "no-cache"})
            asked.append((took_ms, answer["audience_size"], sql(_epoch_ms(answer["as_of"]))))
        answered.append((name, goal, asked))
    asker.client.close()
    return answered


def _ask_rival(rival, answered):
    """Median milliseconds by kind. Equal answers, or it fails."""
    medians = {}
    for name, _, asked in answered:
        taken = []
        for _, size, sql in asked:
            rows, ms = rival.ask(f"select count(*) from persons where {sql}")
            if int(rows[0][0]) != size:
                raise AssertionError(f"{name}: {size} here, {rows[0][0]} there: {sql}")
            taken.append(ms)
        medians[name] = statistics.median(taken)
    return medians


def _figures_of(answered, rivals):
    figures = []
    for name, goal, asked in answered:
        taken = sorted(ms for ms, *_ in asked)
        median = statistics.median(taken)
        beside = "; ".join(f"{rival} {number(medians[name])} ms, {medians[name] / median:.1f} ×"
                           for rival, medians in rivals.items())
        sizes = [size for _, size, _ in asked]
        figures.append(Figure("6", name, median, "ms", less_is_better(goal, " ms"), beside,
                              f"median of {len(taken)}, worst {taken[-1]:.1f} ms; answers "
                              f"{min(sizes):,} to {max(sizes):,}"))
        if "DuckDB" in rivals:
            figures.append(Figure("6", f"{name}, times DuckDB", rivals["DuckDB"][name] / median,
                                  "×", more_is_better(TIMES_DUCKDB, " ×"), "", ""))
    return figures


# ---- How many ----

def _wrk(server, directory, bodies, fresh, seconds, connections):
    path, script = f"{directory}/bodies", f"{directory}/ask.lua"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(body, ensure_ascii=False) + "\n" for body in bodies)
    with open(script, "w", encoding="utf-8") as file:
        file.write(LUA % (server.token, path, "true" if fresh else "false"))
    output = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                             script, f"http://{server.address}"], capture_output=True, text=True,
                            check=True).stdout
    if BROKEN.search(output):  # those that take longer than 2 s are only counted
        raise RuntimeError(f"questions fail:\n{output}")
    refused = REFUSED.search(output)  # 429: more at a time than are let in
    refused = int(refused.group(1)) if refused else 0
    return float(output.split("Requests/sec:")[1].split()[0]) - refused / seconds, refused


class Marketers:
    """200 WebSockets that watch an audience each, of ten; one thread reads them all."""

    def __init__(self, server, audiences):
        self.sockets, self.told, self.stopping = [], 0, False
        for i in range(MARKETERS):
            socket = WebSocket(server.address, "/ws/audiences", server.token)
            socket.send_text(json.dumps({"subscribe": [audiences[i % len(audiences)]]}))
            self.sockets.append(socket)
        self.thread = threading.Thread(target=self._read)

    def _read(self):
        while not self.stopping:
            for socket in self.sockets:
                self.told += sum(kind == TEXT for kind, _ in socket.frames())
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        for socket in self.sockets:
            socket.close()


def _bodies(chance, count):
    return [{"expression": draw.question(chance, 4)[0]} for _ in range(count)]


def _rates(server, chance, directory, seconds):
    asker = Asker(server)
    cached, fresh = _bodies(chance, 20), _bodies(chance, 500)
    audiences = [asker.ask(body["expression"])[0]["audience_id"] for body in cached]
    with Marketers(server, audiences[:10]) as marketers:
        cached_rate, cached_refused = _wrk(server, directory, cached, False, seconds, 16)
        fresh_rate, fresh_refused = _wrk(server, directory, fresh, True, seconds, 2)
        told = marketers.told
    asker.client.close()
    return [Figure("7", "questions, cached", cached_rate, "/s", more_is_better(RATE_CACHED, "/s"),
                   "", f"{MARKETERS} WebSockets watch, told {told:,} times; {cached_refused} "
                   "refused"),
            Figure("7", "questions, not cached", fresh_rate, "/s",
                   more_is_better(RATE_UNCACHED, "/s"), "",
                   f"4 columns each, of 500; {fresh_refused} refused")]


def _beside_events(server, load_program, chance, directory, seconds):
    """Questions while 100,000 events come in a second, and the other way round."""
    key, asker, taken = server.make_key(), Asker(server), []
    with Load(load_program, server.address, key, mode="batch", rate=INGEST_RATE, connections=16,
              seconds=seconds, users=1_000_003) as load:
        end = time.monotonic() + seconds - 1
        while time.monotonic() < end:
            expression, _ = draw.question(chance, 4)
            taken.append(asker.ask(expression, {"Cache-Control": "no-cache"})[1])
            time.sleep(0.02)
        quiet = load.result()
    server.wait_applied(600)
    asker.client.close()
    wrk = threading.Thread(target=_wrk, args=(server, directory, _bodies(chance, 500), True,
                                              seconds, 2))
    wrk.start()
    with Load(load_program, server.address, key, mode="batch", connections=16, seconds=seconds,
              users=1_000_003) as load:
        busy = load.result()
    wrk.join()
    server.wait_applied(600)
    taken.sort()
    return [Figure("6", "4 columns beside events", statistics.median(taken), "ms", None, "",
                   f"p99 {taken[int(len(taken) * 0.99)]:.1f} ms while "
                   f"{quiet['events_per_s']:,.0f} events/s came in"),
            Figure("1", "events beside questions", busy["events_per_s"], "events/s", None, "",
                   "as fast as they are taken, two askers without a break")]


# ---- What it takes ----

def _sizes(server, metrics):
    persons, events = metrics["sonnim_engine_persons"], metrics["sonnim_engine_events"]
    parts = sum(path.stat().st_blocks * 512
                for path in (server.directory / "data").rglob("*.part"))
    resident = machine.resident_bytes(server.pid)
    client = server.client()
    text = client.expect(200, "GET", "/metrics").body.decode()
    client.close()
    columns = int(COLUMNS.search(text).group(1))
    return [Figure("9", "memory: columns of questions", columns / persons, "B/person", None, "",
                   f"{columns / 2**20:,.0f} MiB"),
            Figure("9", "memory: resident in all, with a year of events", resident / persons,
                   "B/person", None, "", f"{resident / 2**30:.1f} GiB"),
            Figure("9", "disk: event store", parts / events, "B/event", None, "",
                   f"{parts / 2**30:.1f} GiB of {events:,.0f} events")]


def _once(directory, name, make):
    """Makes it unless it was made in this directory before."""
    mark = pathlib.Path(directory, f"{name}.made")
    if not mark.exists():
        make()
        mark.touch()


def _fill_server(server, users, events, days, directory):
    figures = []

    def load():
        _keep_metrics(server)
        figures.extend(_load(server, users, events, days))
    _once(directory, "data", load)
    _once(directory, "export", lambda: _export(server, directory))
    return figures


def _compare(answered, directory):
    """Medians of each rival by kind of question."""
    rivals = {}
    for kind, name, fill in (("duckdb", "DuckDB", _fill_duckdb),
                             ("clickhouse", "ClickHouse", _fill_clickhouse)):
        with Rival(kind, directory) as rival:
            _once(directory, kind, lambda r=rival, f=fill: f(r, directory))
            rivals[name] = _ask_rival(rival, answered)
    return rivals


def _ask_everything(server, load_program, directory, quick):
    chance = random.Random(SEED)
    count, seconds = (ASKED_QUICK, RATE_SECONDS_QUICK) if quick else (ASKED, RATE_SECONDS)
    answered = _ask_all(server, chance, count)
    return (_figures_of(answered, _compare(answered, directory))
            + _rates(server, chance, directory, seconds)
            + _beside_events(server, load_program, chance, directory, seconds))


def measure(facts, quick=False, data=None):
    """`data`: a directory where what is made stays, and is taken from the next time."""
    (load_program,) = build("load")
    directory = data or temporary_directory()
    users, events, days = (USERS_QUICK, EVENTS_QUICK, DAYS_QUICK) if quick else (
        USERS, EVENTS, DAYS)
    share = min(1, machine.memory_available_bytes() * 0.5 / (users * BYTES_A_USER))
    place = pathlib.Path(directory, "server")
    place.mkdir(exist_ok=True)
    try:
        with Measured("--journal-retention", "0s", "--audience-order-event", "Booking Created",
                      "--audience-refund-event", "Booking Refunded", place=place) as server:
            figures = _fill_server(server, int(users * share), int(events * share), days, directory)
            metrics, built_s = server.wait_applied(3600), _wait_columns(server)
            figures.append(Figure("6", "columns behind the events", built_s, "s", None, "",
                                  f"{metrics['sonnim_engine_persons']:,.0f} persons"))
            figures += _sizes(server, metrics)
            return figures + _ask_everything(server, load_program, directory, quick)
    finally:
        if data is None:
            remove_directory(directory)
