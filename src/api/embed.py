#!/usr/bin/env python3
"""Writes a JSON file as a C string: embed.py NAME INPUT OUTPUT. Anything but JSON fails."""

import json
import sys

name, source, output = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = json.dumps(json.load(file), ensure_ascii=True, separators=(",", ":"))
escaped = text.replace("\\", "\\\\").replace('"', '\\"')
lines = [escaped[at:at + 90] for at in range(0, len(escaped), 90)]
# An escape is never cut in two: a trailing backslash moves to the next line.
for i in range(len(lines) - 1):
    cut = len(lines[i]) - len(lines[i].rstrip("\\"))
    if cut % 2:
        lines[i], lines[i + 1] = lines[i][:-1], "\\" + lines[i + 1]
with open(output, "w", encoding="utf-8") as file:
    file.write(f"extern const char {name}[];\nconst char {name}[] =\n")
    file.write("\n".join(f'\t"{line}"' for line in lines) + ";\n")
