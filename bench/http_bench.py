#!/usr/bin/env python3
"""The HTTP server beside nginx, for docs/decisions/0001-http-server.md.

    ninja -C build bench/http_bench && bench/http_bench.py build/bench/http_bench

Server and nginx run on processor 0, wrk on processor 1, one after the other within each row, so
that a row is comparable in itself. Prints requests a second and processor time a request.
Needs wrk and nginx.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

NGINX = """
worker_processes 1; daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 12000; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
    uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
    server {{ listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type application/json; return 200 '{{"success":true}}'; }} }}
}}
"""
WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = string.rep("x", 200)
"""


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid, url, connections, seconds, script):
    before = cpu_seconds(pid)
    output = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script, url],
        capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    count = int(re.search(r"(\d+) requests in", output).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    for line in output.splitlines():
        if "Socket errors" in line or "Non-2xx" in line:
            print(line.strip(), file=sys.stderr)
    return rate, used / count * 1e6


def main():
    parser = argparse.ArgumentParser(description="HTTP server beside nginx")
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--detour-us", type=int, default=100)
    parser.add_argument("--nginx-port", type=int, default=18081)
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as directory:
        config, script = f"{directory}/nginx.conf", f"{directory}/post.lua"
        open(config, "w").write(NGINX.format(dir=directory, port=options.nginx_port))
        open(script, "w").write(WRK)
        server = subprocess.Popen(
            ["taskset", "-c", "0", options.binary, "--listen=127.0.0.1:0", "--http-threads=1",
             f"--detour-us={options.detour_us}", *more], stdout=subprocess.PIPE, text=True)
        nginx = subprocess.Popen(["taskset", "-c", "0", "nginx", "-c", config])
        try:
            address = server.stdout.readline().strip()
            time.sleep(0.5)
            print("| connections | at once | over another thread | nginx |\n|---|---|---|---|")
            for connections in (64, 512, 4000):
                row = [str(connections)]
                for pid, url in ((server.pid, f"http://{address}/now"),
                                 (server.pid, f"http://{address}/later"),
                                 (nginx.pid, f"http://127.0.0.1:{options.nginx_port}/")):
                    rate, cost = measure(pid, url, connections, options.seconds, script)
                    row.append(f"{rate / 1000:.0f}k, {cost:.1f} µs")
                print("| " + " | ".join(row) + " |", flush=True)
        finally:
            for process in (server, nginx):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
