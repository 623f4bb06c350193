"""Appendix: the parts alone, without HTTP, disk or one another as far as they can be. Each program
in bench/ that is part of this build prints more than is shown here; run it to see all."""
import re
import subprocess
import sys

from figure import Figure
from programs import BUILD, ROOT, build, remove_directory, temporary_directory

NUMBER = r"([\d.]+)"
# program, arguments, arguments for a first look, [(pattern, name, unit)]
PROGRAMS = (
    ("engine_bench", ("mix", "100", "1000000", "3000000"), ("mix", "100", "100000", "500000"), (
        (r'"events_per_s":' + NUMBER, "engine: one partition applies, 100 segments", "events/s"),
        (r'"stored_bytes_per_event":' + NUMBER, "engine: memory of a stored event", "B/event"),
    )),
    ("ingest_bench", ("--seconds=3",), ("--users=200000", "--seconds=1"), (
        (r"µs CPU an event\s+" + NUMBER, "ingest: parse, check, resolve, encode", "µs/event"),
        (r"bytes an event .* JSON, " + NUMBER, "ingest: record in the journal", "B/event"),
    )),
    ("ingest_bench", ("--seconds=3", "--source"), ("--users=200000", "--seconds=1", "--source"), (
        (r"µs CPU an event\s+" + NUMBER, "ingest: with limit and statistics", "µs/event"),
    )),
    ("simulate_bench", (), ("--users=20000", "--messages=200000"), (
        (r"made +" + NUMBER, "simulate: a message made up", "µs/message"),
        (r"made, taken, encoded +" + NUMBER, "simulate: made up and encoded as a record",
         "µs/message"),
    )),
    ("columns_bench", ("1000000", "100"), ("100000", "20"), (
        (r'"ms_4_median":' + NUMBER, "columns: 4 filters over 1,000,000 persons, 2 threads", "ms"),
        (r'"ms_8_median":' + NUMBER, "columns: 8 filters", "ms"),
        (r'"ms_32_median":' + NUMBER, "columns: 32 filters", "ms"),
        (r'"trait_build_s":' + NUMBER, "columns: 24 traits built, processor time", "s"),
        (r'"metric_build_s":' + NUMBER, "columns: 8 metrics built, processor time", "s"),
        (r'"bytes_per_person":' + NUMBER, "columns: memory of 32 of them", "B/person"),
    )),
    ("journal_bench", ("{directory}", "1"), ("{directory}", "0.3"), (
        (r"\n +1 +disk +" + NUMBER, "disk: write and fdatasync of one event, one by one", "/s"),
        (r"\n +1 +1 +" + NUMBER, "journal: appends of one event, one thread", "/s"),
        (r"\n +100 +2 +\d+ +" + NUMBER, "journal: appends of 100 events, two threads", "events/s"),
        (r"reader: .* events, " + NUMBER, "journal: reader", "events/s"),
    )),
    ("vault_bench", ("1000000", "{directory}"), ("200000", "{directory}"), (
        (r"new person +" + NUMBER, "vault: new person, processor time", "ns"),
        (r"known id, 100 a batch +" + NUMBER, "vault: known id, 100 a batch", "ns"),
        (r"known id, +1 a batch +" + NUMBER, "vault: known id alone", "ns"),
        (r"seal 100 bytes +" + NUMBER, "vault: seal 100 bytes", "ns"),
        (r"memory +" + NUMBER, "vault: memory", "B/person"),
    )),
)
HTTP_SECONDS, HTTP_SECONDS_QUICK = 3, 1
HTTP_ROW = re.compile(r"\| ([\d]+) \| \d+k, ([\d.]+) µs \| \d+k, ([\d.]+) µs \| \d+k, ([\d.]+) µs")


def _run(command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=True).stdout


def _value(text):
    return float(text) if "." in text else int(text)


def _figures(program, output, patterns):
    command = f"`{program}`"
    for pattern, name, unit in patterns:
        found = re.search(pattern, output)
        if not found:
            raise RuntimeError(f"{program} prints no {name}:\n{output}")
        yield Figure("", name, _value(found[1]), unit, None, "", command)


def _http(quick):
    """Processor time a request: with as little as `wrk` leaves to it, that is what compares."""
    (program,) = build("http_bench")
    output = _run([sys.executable, ROOT / "bench" / "http_bench.py", program, "--seconds",
                   HTTP_SECONDS_QUICK if quick else HTTP_SECONDS])
    for connections, at_once, detour, nginx in HTTP_ROW.findall(output):
        yield Figure("", f"HTTP: a request, {int(connections):,} connections", float(detour), "µs",
                     None, f"nginx: {nginx} µs",
                     f"`http_bench`, answered by another thread; at once: {at_once} µs")


def _exists(program):
    targets = subprocess.run(["ninja", "-C", str(BUILD), "-t", "query", f"bench/{program}"],
                             capture_output=True, check=False)
    return targets.returncode == 0


def measure(facts, quick=False):
    figures, directory = [], temporary_directory()
    try:
        for program, arguments, quick_arguments, patterns in PROGRAMS:
            if not _exists(program):
                continue
            (path,) = build(program)
            chosen = quick_arguments if quick else arguments
            output = _run([path, *(part.format(directory=directory) for part in chosen)])
            figures += _figures(program, output, patterns)
        if _exists("http_bench"):
            figures += _http(quick)
    finally:
        remove_directory(directory)
    return figures
