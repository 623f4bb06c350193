"""An audit trail read from its files, as docs/formats/audit.md describes it, with hashlib."""
import hashlib
import json


class Broken(Exception):
    """The chain is not whole; says where."""


def files(data):
    return sorted((data / "audit").glob("*.jsonl"))


def lines(data):
    """The whole lines of all files; zeros and an unfinished line at the end are left out."""
    found = []
    for path in files(data):
        content = path.read_bytes().rstrip(b"\0")
        found += content.split(b"\n")[:-1]
    return found


def chain(data):
    """All records, checked: each has the hash of its text, and of the one before."""
    records = []
    before = "0" * 64
    for line in lines(data):
        record = json.loads(line)
        text = line[:line.rindex(b',"hash":"')]
        if hashlib.sha256(text).hexdigest() != record["hash"]:
            raise Broken(f"record {record['seq']} has another hash")
        if record["prev"] != before:
            raise Broken(f"record {record['seq']} does not go on from the one before")
        if record["seq"] != len(records) + 1:
            raise Broken(f"record {record['seq']} stands at {len(records) + 1}")
        before = record["hash"]
        records.append(record)
    return records
