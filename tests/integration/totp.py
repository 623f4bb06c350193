"""An authenticator: codes by time as RFC 6238 has them."""
import base64
import hashlib
import hmac
import struct
import time


def code_at(secret, step):
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10 ** 6:06d}"


class App:
    """An authenticator; each code counts once, so it shows those ahead of the clock too."""

    def __init__(self, secret):
        self.secret = secret
        self.used = 0

    def code(self):
        """The next that is good: one step ahead is, further ones have to be waited for. None of the
        step before: that one is over when the clock goes on until it arrives."""
        self.used = max(self.used + 1, int(time.time()) // 30)
        while self.used > int(time.time()) // 30 + 1:
            time.sleep(0.2)
        return code_at(self.secret, self.used)

    def wrong(self):
        now = int(time.time()) // 30
        good = {code_at(self.secret, now + away) for away in range(-2, 4)}
        return next(f"{n:06d}" for n in range(10) if f"{n:06d}" not in good)
