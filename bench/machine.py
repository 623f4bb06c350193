"""What the machine is, and what a process has used of it."""
import os
import platform
import statistics
import time

SYNC_COUNT = 200
SYNC_BYTES = 4096
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def sync_ms(directory):
    """Median of SYNC_COUNT times 4 KiB written behind one another and fdatasync."""
    path = os.path.join(directory, "sync")
    page = os.urandom(SYNC_BYTES)
    times = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(file, 0, SYNC_COUNT * SYNC_BYTES)
        os.fsync(file)
        for i in range(SYNC_COUNT):
            began = time.perf_counter()
            os.pwrite(file, page, i * SYNC_BYTES)
            os.fdatasync(file)
            times.append(time.perf_counter() - began)
    finally:
        os.close(file)
        os.unlink(path)
    return statistics.median(times) * 1e3


def cpu_s(pid):
    """Processor time that all threads of the process have used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def idle_share(seconds):
    """Share of all processors that nobody used meanwhile: 1 on a quiet machine."""
    before = _processor_ticks()
    time.sleep(seconds)
    after = _processor_ticks()
    total = sum(after) - sum(before)
    return (after[3] + after[4] - before[3] - before[4]) / total if total else 0.0


def busy_s():
    """Processor time that anybody has used since the machine started."""
    ticks = _processor_ticks()
    return (sum(ticks) - ticks[3] - ticks[4]) * TICK_S


class Others:
    """Who disturbs: the share of all processors that others than the measured programs used
    between the beginning and `share(own_s)`, where own_s is what these used meanwhile."""

    def __init__(self):
        self.began, self.busy_s = time.monotonic(), busy_s()

    def share(self, own_s):
        available_s = (time.monotonic() - self.began) * len(os.sched_getaffinity(0))
        return max(busy_s() - self.busy_s - own_s, 0) / available_s


def _processor_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        return [int(field) for field in file.readline().split()[1:9]]


def memory_available_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _processor_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def facts(directory):
    """`idle_share` tells whether the figures are those of an undisturbed machine."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor_name(),
        "kernel": platform.release(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "sync_ms": round(sync_ms(directory), 3),
        "idle_share": round(idle_share(1), 2),
    }
