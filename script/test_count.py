#!/usr/bin/env python3
"""test_count.py TESTLOG.json: prints `PASSED FAILED`, counted in what meson's tests printed.

A cmocka program counts each of its tests, a program that ends with `N passed, N failed` what it
says, any other counts once. A program that fails without naming a failed test (a crash, a
sanitizer's report, a time-out) counts as one failure more.
"""
import json
import re
import sys

CMOCKA_PASSED = re.compile(r"^\[ +OK \] ", re.MULTILINE)
CMOCKA_FAILED = re.compile(r"^\[ +(?:FAILED|ERROR) +\] (?!--)(?!\d+ test)\S+", re.MULTILINE)
CMOCKA_LISTED = re.compile(r"^\[ +FAILED +\] \d+ test\(s\), listed below:.*",
                           re.MULTILINE | re.DOTALL)
TAP_PASSED = re.compile(r"^ok \d+", re.MULTILINE)
TAP_FAILED = re.compile(r"^not ok \d+", re.MULTILINE)
OWN_COUNT = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)


def count(test):
    output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    succeeded = test["result"] in ("OK", "EXPECTEDFAIL")
    own = OWN_COUNT.findall(output)
    if own:
        passed, failed = int(own[-1][0]), int(own[-1][1])
    else:
        output = CMOCKA_LISTED.sub("", output)
        passed = len(CMOCKA_PASSED.findall(output)) + len(TAP_PASSED.findall(output))
        failed = len(CMOCKA_FAILED.findall(output)) + len(TAP_FAILED.findall(output))
    if succeeded and passed == 0 and failed == 0:
        passed = 1
    if not succeeded and failed == 0:
        failed = 1
    return passed, failed


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            if line.strip():
                test_passed, test_failed = count(json.loads(line))
                passed += test_passed
                failed += test_failed
    print(passed, failed)


if __name__ == "__main__":
    main()
