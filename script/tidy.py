#!/usr/bin/env python3
"""Checks what a compiler does not: script/tidy.py [FILE…], all committed files by default.

Sizes are ratchets: they only ever get tighter. Fails on
  - a C file of more than FILE_LINES_MAX lines, a function of more than FUNCTION_LINES_MAX
  - a line of more than COLUMNS_MAX columns (a tab is 4) in code and scripts
  - functions that cannot be used safely, and NDEBUG: assertions stay in releases
  - type names of our own in _t, which POSIX reserves
  - notes of unfinished work
  - links of documents to files that are not there
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 100
COLUMNS_MAX = 100
TAB_COLUMNS = 4

C_SUFFIXES = {".c", ".h", ".cc"}
CODE_SUFFIXES = C_SUFFIXES | {".py", ".mjs", ".js", ".ts", ".sh", ".sql"}

# Wherever they stand, and in the product, which takes foreign input.
FORBIDDEN = {
    "strcpy": "memcpy with a known length", "strncpy": "memcpy with a known length",
    "strcat": "a buffer", "strncat": "a buffer", "sprintf": "snprintf", "vsprintf": "vsnprintf",
    "gets": "a bounded read", "strtok": "strtok_r or a text", "alloca": "an arena",
    "gmtime": "base/instant.h", "localtime": "base/instant.h", "ctime": "base/instant.h",
    "asctime": "base/instant.h", "tmpnam": "mkstemp", "mktemp": "mkstemp", "tempnam": "mkstemp",
    "rand": "libsodium's randombytes or a seeded generator", "srand": "a seeded generator",
    "signal": "sigaction",
}
FORBIDDEN_IN_PRODUCT = {
    "atoi": "strtol", "atol": "strtol", "atoll": "strtoll", "atof": "strtod",
    "sscanf": "a parser", "fscanf": "a parser", "scanf": "a parser",
    "system": "posix_spawn", "popen": "posix_spawn",
}
CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
RESERVED_TYPE = re.compile(r"^\s*(?:typedef\b.*\b(\w+_t)\s*;|(?:struct|enum|union)\s+(\w+_t)\s*\{)")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(match):
    """What stays of a comment or a string: its line breaks."""
    return "\n" * match.group().count("\n") or " "


def find_functions(lines):
    """Yields (first line, length) of each body that begins with `{` in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            if not line.startswith("};"):
                yield start, number - start - 1
            start = None


def check_c(name, text, errors):
    code = COMMENT_OR_STRING.sub(blank, text)
    lines = code.split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        errors.append(f"{name}: {len(lines) - 1} lines, at most {FILE_LINES_MAX}")
    for start, length in find_functions(lines):
        if length > FUNCTION_LINES_MAX:
            errors.append(f"{name}:{start}: {length} lines, at most {FUNCTION_LINES_MAX}")
    product = name.startswith("src/")
    forbidden = FORBIDDEN | FORBIDDEN_IN_PRODUCT if product else FORBIDDEN
    for number, line in enumerate(lines, 1):
        for call in filter(forbidden.get, CALL.findall(line)):
            errors.append(f"{name}:{number}: {call}() is forbidden, use {forbidden[call]}")
        if RESERVED_TYPE.match(line):
            errors.append(f"{name}:{number}: names in _t are POSIX's")
        if re.search(r"\bNDEBUG\b", line):
            errors.append(f"{name}:{number}: assertions stay in releases")


def check_lines(name, text, errors):
    for number, line in enumerate(text.split("\n"), 1):
        if len(line.expandtabs(TAB_COLUMNS)) > COLUMNS_MAX:
            errors.append(f"{name}:{number}: longer than {COLUMNS_MAX} columns")
        if UNFINISHED.search(line):
            errors.append(f"{name}:{number}: a note of unfinished work")
        if line.rstrip() != line:
            errors.append(f"{name}:{number}: blanks at the end of the line")


def check_links(name, text, errors):
    for target in LINK.findall(text):
        if ":" not in target and not (ROOT / name).parent.joinpath(target).exists():
            errors.append(f"{name}: links to {target}, which is not there")


def is_code(path):
    if path.suffix in CODE_SUFFIXES or path.name == "meson.build":
        return True
    return path.suffix == "" and path.parent.name in ("script", ".ci")


def main():
    names = sys.argv[1:] or subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True,
        text=True).stdout.split("\0")
    errors = []
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix == ".md":
            check_links(name, path.read_text(encoding="utf-8"), errors)
        if not is_code(path) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        check_lines(name, text, errors)
        if path.suffix in C_SUFFIXES:
            check_c(name, text, errors)
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
