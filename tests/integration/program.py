"""Programs of this directory, spoken to line by line."""
import json
import queue
import subprocess
import threading

from server import ROOT

LINE_SECONDS_MAX = 300
HERE = ROOT / "tests" / "integration"


class Program:
    def __init__(self, *command):
        # Killed with its standard input: all of them end when that does.
        self.process = subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def send(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def next(self, seconds=LINE_SECONDS_MAX):
        """The next line; queue.Empty after so many seconds, EOFError at the end."""
        line = self.lines.get(timeout=seconds)
        if line is None:
            raise EOFError("the program has ended")
        return line

    def close(self):
        """Ends the input and answers what was left to say."""
        self.process.stdin.close()
        rest = []
        while (line := self.lines.get(timeout=LINE_SECONDS_MAX)) is not None:
            rest.append(line)
        self.process.wait(LINE_SECONDS_MAX)
        return rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except OSError:
                pass


class Node(Program):
    def __init__(self, *arguments):
        super().__init__(str(ROOT / "script" / "node"), *arguments)
