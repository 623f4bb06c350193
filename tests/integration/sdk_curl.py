"""Plain curl, told to try again; spoken to like sdk_segment.mjs."""
import json
import subprocess
import sys


def main():
    host, key = sys.argv[1:]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail", "--retry", "1000", "--retry-delay", "1",
             "--retry-all-errors", "--max-time", "60", "-u", f"{key}:", "-o", "/dev/null",
             "-H", "Content-Type: application/json", "--data-binary", "@-",
             f"{host}/v1/{command['call']}"],
            input=json.dumps(command["arguments"]).encode(), capture_output=True)
        if done.returncode != 0:
            print(json.dumps({"error": done.stderr.decode()}), flush=True)
    print(json.dumps({"closed": True}), flush=True)


main()
