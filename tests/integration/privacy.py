"""Privacy requests, as tests ask for them."""
import time

ENDED = ("FINISHED", "PARTIAL_SUCCESS", "FAILED")
REQUESTS = "/api/v1/privacy/requests"


def ask(client, kind, *subjects, reason="ticket 1"):
    """Strings are userIds."""
    subjects = [{"userId": s} if isinstance(s, str) else s for s in subjects]
    return client.expect(202, "POST", REQUESTS,
                         {"type": kind, "subjects": subjects, "reason": reason}).json["id"]


def upload(client, kind, body, content_type="text/csv"):
    return client.expect(202, "POST", f"{REQUESTS}/upload?type={kind}&reason=file", body,
                         {"Content-Type": content_type}).json["id"]


def wait(client, request_id, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        request = client.get(f"{REQUESTS}/{request_id}")
        if request["state"] in ENDED:
            return request
        time.sleep(0.02)
    raise AssertionError(f"the request does not end: {request}")


def carry_out(client, kind, *subjects, **more):
    return wait(client, ask(client, kind, *subjects, **more))
