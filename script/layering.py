#!/usr/bin/env python3
"""Checks who includes whom: script/layering.py [--graph]

ARCHITECTURE.md draws the layers; ALLOWED below is that drawing. An include of another folder that
is not listed there fails, and so do an x_internal.h used from outside its folder, a library's
header used outside the folders that wrap it, an include that is not written "folder/file.h", and
a cycle among files. The link step enforces the same a second time: each folder is a library that
links only what it may use.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)

DOMAIN = {"base", "model", "journal", "events", "store"}
ALLOWED = {
    "base": set(),
    "model": {"base"},
    "journal": {"base", "model"},
    "events": {"base", "model"},
    "store": {"base", "model"},
    "http": {"base"},  # knows nothing of the domain
    "limit": {"base"},  # buckets; knows not whose they are
    "vault": DOMAIN,
    "access": {"base", "store", "vault"},  # who may do what; knows nothing of HTTP
    "engine": DOMAIN,
    "query": DOMAIN | {"engine"},  # the only one that reads the engine's state
    "job": {"base", "model", "journal", "store", "http"},
    "audit": {"base", "http"},
    "ingest": DOMAIN | {"http", "vault"},  # reaches the engine only through the journal
    "destination": {"base", "model", "store", "http", "vault"},
    "sso": {"base", "store", "http", "vault", "access"},
    "transfer": DOMAIN | {"http", "vault", "engine", "query", "ingest", "job", "destination"},
    "privacy": DOMAIN | {"vault", "engine", "ingest", "job", "audit", "transfer"},
    "mart": DOMAIN | {"vault", "engine", "transfer"},
    "backup": DOMAIN | {"vault", "engine", "job"},
    "api": DOMAIN
    | {"http", "vault", "access", "engine", "query", "ingest", "job", "audit"}
    | {"destination", "sso", "mart", "limit"},
    "app": DOMAIN
    | {"http", "vault", "access", "engine", "query", "ingest", "job", "audit", "transfer"}
    | {"backup", "privacy", "api", "limit"},
}

# Libraries behind a face of our own: only these folders see them.
WRAPPED = {
    "microhttpd.h": {"http"},
    "gnutls/": {"http"},
    "wslay/": {"http"},
    "curl/": {"http"},
    "sqlite3.h": {"store"},
    "simdjson.h": {"base"},
    "roaring/": {"engine", "query"},
    "xxhash.h": {"base"},
}

# Written by the build beside the objects, so without a folder.
GENERATED = re.compile(r"^[a-z0-9_]+\.h$")


def find_sources():
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".c", ".h", ".cc"):
            yield path


def check_ours(name, folder, include, errors, edges):
    target = include.split("/")[0]
    if "/" not in include:
        if (ROOT / "src" / folder / include).exists() or not GENERATED.match(include):
            errors.append(f'{name}: write "{folder}/{include}" instead of "{include}"')
        return
    if not (ROOT / "src" / include).exists():
        errors.append(f'{name}: includes "{include}", which is not there')
        return
    edges.setdefault(name, set()).add(include)
    if target != folder and target not in ALLOWED[folder]:
        errors.append(f'{name}: {folder} may not use {target} ("{include}")')
    elif target != folder and include.endswith("_internal.h"):
        errors.append(f'{name}: "{include}" is internal to {target}')


def check_library(name, folder, include, errors):
    for header, folders in WRAPPED.items():
        if include.startswith(header) and folder not in folders:
            errors.append(f"{name}: <{include}> is only for {', '.join(sorted(folders))}")


def find_cycle(edges):
    done = set()

    def walk(name, trail):
        if name in trail:
            return trail[trail.index(name):] + [name]
        if name in done:
            return None
        for target in sorted(edges.get(name, ())):
            cycle = walk(target, trail + [name])
            if cycle:
                return cycle
        done.add(name)
        return None

    for name in sorted(edges):
        cycle = walk(name, [])
        if cycle:
            return cycle
    return None


def main():
    errors, edges = [], {}
    for path in find_sources():
        name = str(path.relative_to(ROOT / "src"))
        folder = name.split("/")[0]
        if folder not in ALLOWED:
            errors.append(f"{name}: {folder} is in no layer (script/layering.py)")
            continue
        for ours, library in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if ours:
                check_ours(name, folder, ours, errors, edges)
            else:
                check_library(name, folder, library, errors)
    cycle = find_cycle(edges)
    if cycle:
        errors.append("include cycle: " + " -> ".join(cycle))

    if "--graph" in sys.argv[1:]:
        folders = {(a.split("/")[0], b.split("/")[0]) for a in edges for b in edges[a]}
        for folder in ALLOWED:
            print(folder, "->", " ".join(sorted(b for a, b in folders if a == folder != b)))
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
