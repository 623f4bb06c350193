"""A wall clock and a disk that a test breaks under a running server, and deaths at chosen points
(faults.c)."""
import errno
import os
import pathlib
import shutil
import struct
import subprocess
import unittest

HERE = pathlib.Path(__file__).resolve().parent
FORM = struct.Struct("<qiIii")
FILES = ["store", "trail", "intentions"]  # deadly[] of faults.c


class Faults:
    """`environment` is for the server's process."""

    def __init__(self, directory):
        if "TSAN_OPTIONS" in os.environ:
            raise unittest.SkipTest("the thread sanitizer has calls of its own for these")
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise unittest.SkipTest("there is no compiler")
        library = directory / "faults.so"
        subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC",
                        "-o", str(library), str(HERE / "faults.c"), "-ldl"], check=True,
                       timeout=300)
        self.file = directory / "faults"
        self.file.write_bytes(FORM.pack(0, 0, 0, 0, 0))
        sanitizer = os.environ.get("ASAN_OPTIONS", "")
        self.environment = {
            **os.environ, "LD_PRELOAD": str(library), "SONNIM_TEST_FAULTS": str(self.file),
            "ASAN_OPTIONS": f"{sanitizer}:verify_asan_link_order=0"}

    def _set(self, offset, form, value):
        with open(self.file, "r+b") as file:
            file.seek(offset)
            file.write(struct.pack(form, value))

    def move_clock(self, seconds):
        self._set(0, "<q", int(seconds * 1000))

    def break_disk(self, code):
        self._set(8, "<i", code)

    def fill_disk(self):
        self.break_disk(errno.ENOSPC)

    def mend_disk(self):
        self.break_disk(0)

    def kill_at_store_write(self, number):
        """Right before the store's number-th write or sync from now on; 0: never."""
        self.kill_at_write("store", number)

    def kill_at_write(self, file, number):
        """The same of any of FILES."""
        self._set(20, "<i", FILES.index(file))
        self._set(16, "<i", number)

    @property
    def refused(self):
        """What the disk has refused so far."""
        return FORM.unpack(self.file.read_bytes())[2]
