"""Segment's SDK for Python, as it comes from PyPI; spoken to like sdk_segment.mjs."""
import datetime
import json
import logging
import sys

from segment.analytics.client import Client


def tell(**answer):
    print(json.dumps(answer), flush=True)


def main():
    host, key = sys.argv[1:]
    logging.getLogger("segment").setLevel(logging.CRITICAL)
    client = Client(key, host=host, upload_size=5, upload_interval=0.05, max_retries=100, timeout=5,
                    gzip=True, on_error=lambda error, _batch: tell(error=str(error)))
    names = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id",
             "previousId": "previous_id", "messageId": "message_id"}
    tell(ready=True)
    for line in sys.stdin:
        command = json.loads(line)
        arguments = {names.get(name, name): value
                     for name, value in command["arguments"].items()}
        if "timestamp" in arguments:
            arguments["timestamp"] = datetime.datetime.fromisoformat(
                arguments["timestamp"].replace("Z", "+00:00"))
        getattr(client, command["call"])(**arguments)
    client.shutdown()
    tell(closed=True)


main()
