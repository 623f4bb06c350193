#!/usr/bin/env python3
"""docs/configuration.md is what the program prints: test_configuration.py SONNIM FILE"""

import subprocess
import sys

binary, path = sys.argv[1:]
printed = subprocess.run(
    [binary, "config", "--markdown"], check=True, capture_output=True, text=True)
with open(path, encoding="utf-8") as file:
    written = file.read()
if printed.stdout != written:
    sys.exit(f"{path} is not current: sonnim config --markdown > docs/configuration.md")
