"""Row 1: durable ingest in batches of 100 events, with 100 live segments; beside it nginx, which
answers the same POSTs and keeps nothing."""
import time

import definitions
import machine
import perf
from figure import Figure, more_is_better, less_is_better
from programs import Load, Measured, Nginx, build, run_load

CONNECTIONS = 64
SECONDS, SECONDS_QUICK = 60, 10
BASELINE_SECONDS, BASELINE_SECONDS_QUICK = 10, 3
USERS = 1_000_003  # a prime: no user gets the same kind of event each time


def _run(server, load_program, seconds, profile_directory):
    """One run: what the load generator saw, and the server before, during and after."""
    before, cpu_before, others = server.metrics(), machine.cpu_s(server.pid), machine.Others()
    with Load(load_program, server.address, server.make_key(), mode="batch",
              connections=CONNECTIONS, seconds=seconds, users=USERS) as load:
        if profile_directory:
            time.sleep(seconds * 0.3)
            perf.record(server.pid, min(10, seconds * 0.5), profile_directory)
        result = load.result()
    used_s = machine.cpu_s(server.pid) - cpu_before + result["cpu_s"]
    result["others"] = others.share(used_s)
    at_end = server.metrics()
    applied = server.wait_applied()
    cpu_us = (machine.cpu_s(server.pid) - cpu_before) * 1e6
    stored = int(applied["sonnim_engine_events"] - before["sonnim_engine_events"])
    return result, at_end, applied, stored, cpu_us / max(stored, 1)


def measure(facts, quick=False, profile_directory=None):
    (load_program,) = build("load")
    seconds = SECONDS_QUICK if quick else SECONDS
    baseline_seconds = BASELINE_SECONDS_QUICK if quick else BASELINE_SECONDS
    with Nginx() as nginx:
        baseline = run_load(load_program, nginx.address, "key", mode="batch",
                            connections=CONNECTIONS, seconds=baseline_seconds, users=USERS)
        baseline_cpu = nginx.cpu_s() * 1e6 / baseline["events"]
    with Measured() as server:
        server.make_segments(definitions.segments())
        result, at_end, applied, stored, cpu_us = _run(server, load_program, seconds,
                                                       profile_directory)
        resident = machine.resident_bytes(server.pid)
    lag_ms = at_end["sonnim_engine_lag_seconds"] * 1e3
    changes = applied["sonnim_engine_changes_total"]
    beside = f"nginx, body thrown away: {baseline['events_per_s']:,.0f}/s"
    return [
        Figure("1", "durable ingest, batches of 100", result["events_per_s"], "events/s",
               more_is_better(1_000_000), beside,
               f"{seconds} s, {CONNECTIONS} connections, {stored:,} events, p99 of a request "
               f"{result['p99_us'] / 1e3:.1f} ms, others used {result['others']:.0%}"),
        Figure("1", "server's processor time", cpu_us, "µs/event", less_is_better(1.2),
               f"nginx: {baseline_cpu:.2f} µs",
               f"load generator: {result['cpu_us_per_event']:.2f} µs/event"),
        Figure("1", "engine's lag at the end", lag_ms, "ms", less_is_better(1000), "",
               f"{at_end['sonnim_engine_lag_records']:,.0f} records behind"),
        Figure("1", "errors", result["errors"], "", less_is_better(0), "", ""),
        Figure("1", "events stored − acknowledged", stored - result["events"], "",
               less_is_better(0), "", f"{result['events']:,} acknowledged"),
        Figure("1", "duplicates", applied["sonnim_engine_events_duplicate_total"], "",
               less_is_better(0), "", ""),
        Figure("1", "distinct users", applied["sonnim_engine_persons"], "",
               more_is_better(1_000_000) if stored >= 2 * USERS or not quick else None, "", ""),
        Figure("1", "changes of membership", changes / max(stored, 1), "an event", None, "",
               f"{changes:,.0f} entries of the change stream"),
        Figure("1", "memory", applied["sonnim_engine_memory_bytes"] / max(stored, 1), "B/event",
               None, "", f"resident in all {resident / 2**30:.1f} GiB"),
        Figure("1", "journal", applied["sonnim_journal_bytes_total"] / max(stored, 1), "B/event",
               None, "", f"{applied['sonnim_journal_frames_total']:,.0f} group commits"),
    ]
