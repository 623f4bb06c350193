"""Imports and exports for tests: files are posted, jobs waited for, what was written is fetched."""
import gzip
import hashlib
import json
import random
import subprocess
import time
import urllib.parse

SECONDS_MAX = 300


def start_import(client, data, mapping=None, name="rows.csv", **query):
    """The job's id."""
    query["name"] = name
    if mapping is not None:
        query["mapping"] = json.dumps(mapping)
    path = "/api/v1/imports?" + urllib.parse.urlencode(query)
    return client.expect(202, "POST", path, data,
                         {"Content-Type": "application/octet-stream"}).json["id"]


def wait_job(client, job):
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = client.get(f"/api/v1/jobs/{job}")
        if found["state"] in ("done", "failed", "cancelled"):
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"the job does not end: {found}")
        time.sleep(0.02)


def import_rows(client, data, mapping=None, **rest):
    """The result of an import that is done."""
    found = wait_job(client, start_import(client, data, mapping, **rest))
    if found["state"] != "done":
        raise AssertionError(found)
    return found["result"]


def rejected_rows(client, job):
    body = client.expect(200, "GET", f"/api/v1/imports/{job}/rejected").body
    return [json.loads(line) for line in body.splitlines()]


def start_export(client, **wish):
    return client.expect(202, "POST", "/api/v1/exports", wish).json["id"]


def unpack(data, compression):
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    return data


def fetch_export(client, job):
    """The manifest, and the text of each file, whose checksums are right."""
    manifest = client.get(f"/api/v1/exports/{job}/files/manifest.json")
    files = {}
    for file in manifest["files"]:
        data = client.expect(200, "GET", f"/api/v1/exports/{job}/files/{file['name']}").body
        if (len(data), hashlib.sha256(data).hexdigest()) != (file["bytes"], file["sha256"]):
            raise AssertionError(f"{file['name']} is not what the manifest says")
        files[file["name"]] = unpack(data, manifest["compression"])
    return manifest, files


def exported_events(client, **wish):
    """All events as an export of JSON Lines has them."""
    job = start_export(client, what=["events"], **wish)
    found = wait_job(client, job)
    if found["state"] != "done":
        raise AssertionError(found)
    manifest, files = fetch_export(client, job)
    rows = [json.loads(line) for text in files.values() for line in text.splitlines()]
    if manifest["rows"] != len(rows):
        raise AssertionError(f"{len(rows)} rows, the manifest says {manifest['rows']}")
    return rows


def kill_until_done(server, job, seed, kills, seconds_max):
    """Kills the server at random instants while the job runs; the job, done. How often it was
    killed while it ran."""
    chance, hit = random.Random(seed), 0
    for _ in range(kills):
        time.sleep(chance.random() * seconds_max)
        client = server.client()
        state = client.get(f"/api/v1/jobs/{job}")["state"]
        client.close()
        if state == "done":
            break
        hit += 1
        server.kill()
        server.start()
    client = server.client()
    found = wait_job(client, job)
    client.close()
    return found, hit
