"""The SDKs of others as they are published, each a program that is spoken to alike (sdk_*)."""
import contextlib
import sys
import time

from program import Node, Program
from server import ROOT

TOOLS = ROOT / ".tools" / "python" / "bin" / "python"  # script/bootstrap makes it

COMMANDS = {
    "segment-node": lambda host, key: Node("sdk_segment.mjs", host, key),
    "segment-browser": lambda host, key: Node("sdk_browser.mjs", host, key),
    "segment-python": lambda host, key: Program(str(TOOLS), "sdk_segment.py", host, key),
    "rudderstack-node": lambda host, key: Node("sdk_rudderstack.mjs", host, key),
    "curl": lambda host, key: Program(sys.executable, "sdk_curl.py", host, key),
}
ARRIVE_SECONDS_MAX = 300


class Sdk:
    """One of them, ready to send to a server."""

    def __init__(self, name, host, key):
        self.name = name
        self.program = COMMANDS[name](host, key)

    def wait_ready(self):
        if "ready" not in (line := self.program.next()):
            raise AssertionError(f"{self.name}: {line}")

    def send(self, call, **arguments):
        self.program.send(call=call, arguments=arguments)

    def track(self, user, number, **more):
        """The number-th event of this SDK; all but curl give each an id of their own."""
        if self.name == "curl":
            more["messageId"] = f"{user}-{number}"
        self.send("track", userId=f"{user}-{self.name}", event="Seen",
                  properties=content(number), **more)

    def close(self):
        """Ends it; AssertionError when it has given up an event."""
        told = self.program.close()
        if told != [{"closed": True}]:
            raise AssertionError(f"{self.name}: {told}")


def content(number):
    return {"i": number, "region": "제주", "tags": ["a", "b"], "price": number + 0.25,
            "item": {"id": f"p-{number}", "quantity": 2}}


@contextlib.contextmanager
def everybody(host, key, names=tuple(COMMANDS)):
    """All of them at once, ended whatever happens."""
    with contextlib.ExitStack() as stack:
        sdks = []
        for name in names:
            sdk = Sdk(name, host, key)
            stack.enter_context(sdk.program)
            sdks.append(sdk)
        for sdk in sdks:
            sdk.wait_ready()
        yield sdks


def wait_arrived(client, users, count, seconds=ARRIVE_SECONDS_MAX):
    """Waits until each of the users has so many events; the last look is at the caller's."""
    deadline = time.monotonic() + seconds
    for user in users:
        while total(client, user) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{user}: {total(client, user)} of {count} events")
            time.sleep(0.05)


def total(client, user):
    answer = client.request("GET", f"/api/v1/users/{user}/events?limit=1")
    return answer.json["total"] if answer.status == 200 else 0
