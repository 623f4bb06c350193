"""Imports and exports: rows of CSV with a time of the past year each, as a job of the server, in
the file's order and sorted by time; into an empty server, so that every user is new at first; then
an export of all of it. The clock runs from when the job was taken up to its end."""
import datetime
import os
import random
import subprocess
import time

import machine
from figure import Figure, more_is_better
from programs import SONNIM, Measured, temporary_directory
from server import remove_directory

ROWS, ROWS_QUICK = 5_000_000, 500_000
USERS = 1_000_003
YEAR_S = 365 * 86400
GOAL_ROWS_S = 300_000
PIECE = 50_000
NAMES = ("Order Completed", "Product Viewed", "Product Added", "Page Seen", "Search")
REGIONS = ("제주", "부산", "서울", "대구")
RULES = ("userId=user", "event=event", "timestamp=at:epoch_s", "properties.revenue=amount:number",
         "properties.region=region", "properties.product_id=product")


def write_file(path, rows, seed):
    chance, now = random.Random(seed), int(time.time())
    with open(path, "w", encoding="utf-8") as file:
        file.write("user,event,at,amount,region,product\n")
        for begin in range(0, rows, PIECE):
            file.write("".join(
                f"user-{chance.randrange(USERS)},{NAMES[i % 5]},{now - chance.randrange(YEAR_S)},"
                f"{chance.randrange(500)}.{i % 100:02d},{REGIONS[i % 4]},p{i % 19997}\n"
                for i in range(begin, min(begin + PIECE, rows))))


def import_file(server, path, order):
    """Rows, seconds of the job, processor seconds, the share that others used."""
    cpu, others = machine.cpu_s(server.pid), machine.Others()
    done = subprocess.run(
        [SONNIM, "import", path, "--url", f"http://{server.address}", "--token-file",
         str(server.directory / "token"), "--order", order, "--json",
         *(part for rule in RULES for part in ("--map", rule))],
        capture_output=True, text=True, check=True)
    client = server.client()
    job = client.get("/api/v1/jobs?kind=import&limit=1")["items"][0]
    client.close()
    server.wait_applied()
    used_s = machine.cpu_s(server.pid) - cpu
    assert '"rejected":0' in done.stdout, done.stdout
    return job["result"]["rows"], seconds_of(job), used_s, others.share(used_s)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def seconds_of(job):
    return max(instant(job["finishedAt"]) - instant(job["startedAt"]), 0.001)


def export_all(server):
    cpu, others = machine.cpu_s(server.pid), machine.Others()
    subprocess.run(
        [SONNIM, "export", "events", "--url", f"http://{server.address}", "--token-file",
         str(server.directory / "token"), "--compression", "zstd"],
        capture_output=True, text=True, check=True)
    client = server.client()
    job = client.get("/api/v1/jobs?kind=export&limit=1")["items"][0]
    client.close()
    used_s = machine.cpu_s(server.pid) - cpu
    return job["result"]["rows"], seconds_of(job), used_s, others.share(used_s)


def figures(name, goal, rows, seconds, used_s, others):
    return [
        Figure("T", name, rows / seconds, "rows/s", goal, "",
               f"{rows:,} rows in {seconds:.1f} s, others used {others:.0%}"),
        Figure("T", f"{name}: processor time", used_s * 1e6 / rows, "µs/row", None, "",
               "of the whole server, until all is applied"),
    ]


def measure(facts, quick=False):
    rows = ROWS_QUICK if quick else ROWS
    directory = temporary_directory()
    found = []
    goal = more_is_better(GOAL_ROWS_S)
    try:
        for order in ("file", "time"):
            with Measured() as server:
                path = os.path.join(directory, f"{order}.csv")
                for seed, users in ((1, "new users"), (2, "known users")):
                    write_file(path, rows, seed)
                    found += figures(f"import in the order of {order}, {users}", goal,
                                     *import_file(server, path, order))
                os.unlink(path)
                if order == "file":
                    found += figures("export, JSON Lines, zstd", None, *export_all(server))
    finally:
        remove_directory(directory)
    return found
