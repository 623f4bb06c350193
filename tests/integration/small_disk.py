"""A file system that is full soon, for a test that may mount one."""
import contextlib
import os
import subprocess


def mount(test, path, size):
    """On a new directory, until the test ends; skips the test where it may not."""
    path.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)],
                              capture_output=True, text=True, timeout=300, check=False)
        reason = done.stderr.strip() if done.returncode else None
    except OSError as error:
        reason = str(error)
    if reason:
        test.skipTest(f"a small file system cannot be mounted here: {reason}")
    test.addCleanup(subprocess.run, ["umount", "-l", str(path)], timeout=300)


def fill(path, blocks_left=0):
    """Returns the file that takes all but so many blocks, whoever else writes meanwhile; there is
    room again without it."""
    ballast = path / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass
        file.truncate(max(0, file.tell() - blocks_left * os.statvfs(path).f_bsize))
    return ballast
