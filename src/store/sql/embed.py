#!/usr/bin/env python3
"""Writes the .sql files as C: embed.py HEADER SOURCE QUERIES.sql MIGRATION.sql ...

Queries become `enum sql_query` and `sql_queries[]`, migrations (BACKEND_NNNN_NAME.sql, numbered
from 1 without gaps) become `sql_migrations[]` with the SHA-256 of their text."""

import hashlib
import os
import re
import sys


def literal(text):
    lines = text.splitlines(keepends=True) or [""]
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return "\n\t\t".join('"' + "".join(escapes.get(c, c) for c in line) + '"' for line in lines)


def read_queries(path):
    with open(path, encoding="utf-8") as file:
        parts = re.split(r"^-- name: (\w+)\n", file.read(), flags=re.M)[1:]
    queries = [(name, text.strip() + "\n") for name, text in zip(parts[::2], parts[1::2])]
    names = [name for name, _ in queries]
    if len(set(names)) != len(names):
        sys.exit(f"{path}: a name occurs twice")
    for name, text in queries:
        seen = []
        for number in re.findall(r"\$(\d+)", text):
            if int(number) not in seen:
                seen.append(int(number))
        if seen != list(range(1, len(seen) + 1)):
            sys.exit(f"{path}: {name}: parameters must first appear in order")
    return queries


def read_migrations(paths):
    migrations = []
    for path in sorted(paths):
        stem = os.path.basename(path).removesuffix(".sql")
        _, number, _ = stem.split("_", 2)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        migrations.append((int(number), stem, text, hashlib.sha256(text.encode()).hexdigest()))
    if [m[0] for m in migrations] != list(range(1, len(migrations) + 1)):
        sys.exit("migrations must be numbered from 1 without gaps")
    return migrations


def main(header, source, queries_path, *migration_paths):
    queries = read_queries(queries_path)
    migrations = read_migrations(migration_paths)
    with open(header, "w", encoding="utf-8") as out:
        out.write("/* Made by sql/embed.py from the .sql files. */\n"
                  "#pragma once\n#include <stddef.h>\n\n")
        out.write("enum sql_query {\n")
        out.writelines(f"\tSQL_{name.upper()},\n" for name, _ in queries)
        out.write("\tSQL_QUERY_COUNT\n};\n\n"
                  "extern const char *const sql_queries[SQL_QUERY_COUNT];\n\n")
        out.write("struct sql_migration {\n\tint         number;\n\tconst char *name;\n"
                  "\tconst char *text;\n\tconst char *sha256;\n};\n\n")
        out.write(f"enum {{ SQL_MIGRATION_COUNT = {len(migrations)} }};\n")
        out.write("extern const struct sql_migration sql_migrations[SQL_MIGRATION_COUNT];\n")
    with open(source, "w", encoding="utf-8") as out:
        out.write(f'#include "{os.path.basename(header)}"\n\n')
        out.write("const char *const sql_queries[SQL_QUERY_COUNT] = {\n")
        for name, text in queries:
            out.write(f"\t[SQL_{name.upper()}] =\n\t\t{literal(text)},\n")
        out.write("};\n\nconst struct sql_migration sql_migrations[SQL_MIGRATION_COUNT] = {\n")
        for number, name, text, sha256 in migrations:
            out.write(f'\t{{{number}, "{name}",\n\t\t{literal(text)},\n\t\t"{sha256}"}},\n')
        out.write("};\n")


main(*sys.argv[1:])
