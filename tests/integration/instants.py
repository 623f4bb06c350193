"""Instants as the API writes them."""
import datetime

EPOCH = datetime.datetime(1970, 1, 1)


def write_instant(ms):
    """RFC 3339, UTC, milliseconds only where there are some."""
    moment = EPOCH + datetime.timedelta(milliseconds=ms)
    fraction = f".{ms % 1000:03}" if ms % 1000 else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
