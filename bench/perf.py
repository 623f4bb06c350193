"""Where the server's processor time goes: `perf record` while it runs, by symbol and by part. A
symbol belongs to the static library of src/ that defines it, a foreign one to its shared object."""
import collections
import os
import re
import subprocess

from programs import BUILD

HERTZ = 499


def record(pid, seconds, directory):
    """Profiles the process for `seconds`; the data stays in `directory`."""
    subprocess.run(["perf", "record", "-q", "-F", str(HERTZ), "-g", "-p", str(pid),
                    "-o", os.path.join(directory, "perf.data"), "--", "sleep", str(seconds)],
                   check=True, stdout=subprocess.DEVNULL)


def _owners():
    """Which folder of src/ defines a symbol."""
    owners = {}
    for library in sorted((BUILD / "src").glob("*/lib*.a")):
        output = subprocess.run(["nm", "--defined-only", "-C", str(library)], capture_output=True,
                                text=True, check=True).stdout
        for line in output.splitlines():
            fields = line.split(maxsplit=2)
            if len(fields) == 3 and fields[1] in "tTwW":
                owners.setdefault(fields[2], library.parent.name)
    return owners


def _part(owners, shared_object, kind, symbol):
    if kind == "k":
        return "kernel"
    plain = re.sub(r"\.(isra|part|constprop|cold|lto_priv)\.?\d*", "", symbol)
    for name in (symbol, plain):
        if name in owners:
            return owners[name]
    if shared_object == "sonnim":
        return "simdjson" if "simdjson" in symbol else "sonnim, other"
    return shared_object.split(".so")[0]


def report(directory):
    """[(percent, part, symbol)], most first, and {part: percent}."""
    output = subprocess.run(
        ["perf", "report", "-i", os.path.join(directory, "perf.data"), "--no-children", "--stdio",
         "-g", "none", "--sort", "dso,symbol", "-w", "30,200"],
        capture_output=True, text=True, check=True).stdout
    owners, symbols, parts = _owners(), [], collections.Counter()
    for line in output.splitlines():
        match = re.match(r"^\s*([\d.]+)%\s+(\S+)\s+\[(.)\]\s+(.*?)\s*$", line)
        if match:
            symbol = re.sub(r"(\s+-)+$", "", match[4])
            percent, part = float(match[1]), _part(owners, match[2], match[3], symbol)
            symbols.append((percent, part, symbol))
            parts[part] += percent
    return symbols, dict(parts.most_common())


def markdown(directory, count=25):
    symbols, parts = report(directory)
    lines = ["| part | share |", "|---|---|"]
    lines += [f"| {part} | {percent:.1f} % |" for part, percent in parts.items() if percent >= 0.1]
    lines += ["", "| share | part | symbol |", "|---|---|---|"]
    lines += [f"| {percent:.1f} % | {part} | `{symbol}` |"
              for percent, part, symbol in symbols[:count]]
    return "\n".join(lines)
