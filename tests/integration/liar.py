"""An OpenID provider that says whatever a test wants it to say, signed with a key of its own."""
import base64
import hashlib
import hmac
import http.server
import json
import threading

# An RSA key of 2,048 bits that is good for nothing else.
N = int(
    "b10f694eabe426c510f93609d2866e3aad39596165054d62918323647065bea84f6bfdf541f731eb"
    "ca3b6504776e938815767451cb229983925f63e09075546716d24face83f6c596add3f7e66b6d888"
    "35e11eef7b9d7909ff6bc9375898c6dff5a7a650bbd8ca1884da9d2f580fe37866c3888f895c977a"
    "60db71c239a52b8f961fece1a5c53f758c2f635e0d65c8026604b585df618b5a1fc02ebe305e2c2e"
    "24ef66d18240da4dde878ad2d015e05112a4d0dcd0c2b289d643cd4b7c036bd5f80e410398a782ae"
    "18825d72157853d2f81ed6105af6da544761460d8b8fa6ceefb6f673e0e74a42f4f6b3450d723331"
    "75fa0f678576ea622ce9ef6d42798425", 16)
D = int(
    "5f3132bd81f4a1ed05f8b60a6d0dde03dc4f51b41a57d1d56bc477c388e7044601005f36957959db"
    "1a262c96e628a423f9ac6e85217a0ca058f8c197615fd9a00fc8f711e94e8fe93966f854c0d2a83f"
    "9964daf8ee1a5c5e5fa9f0feb9540a04c684fb09bb1ad9c613473252daa31cf96c000285d5d7dac2"
    "54b559948e7b0101fa175aed105cd85693217295cc976c8938203f84317b23b475859feadb781e9d"
    "748f0cfdc41b4c41a20aee601476a392a36dbf1b327a2b3dc7f4db7b293d643f120f928b4d1f7de9"
    "81d3e5edede82e2359d57717fd9d38e36e9c33d8c3fe3dd79eee13f7b150f49e797a68cf64103796"
    "7f54cb93c165abb59cf825c871a1f11", 16)
E = 65537
BYTES = 256
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def part(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def rs256(text):
    """RFC 8017, 8.2.1."""
    info = SHA256_INFO + hashlib.sha256(text.encode()).digest()
    padded = b"\0\1" + b"\xff" * (BYTES - len(info) - 3) + b"\0" + info
    return pow(int.from_bytes(padded, "big"), D, N).to_bytes(BYTES, "big")


def public_key(kid="lies"):
    return {"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
            "n": part(N.to_bytes(BYTES, "big")), "e": part(E.to_bytes(3, "big"))}


def signed(claims, header=None, sign=rs256):
    text = f"{part(header or {'alg': 'RS256', 'kid': 'lies'})}.{part(claims)}"
    return f"{text}.{part(sign(text))}"


def by_secret(key):
    return lambda text: hmac.new(key, text.encode(), hashlib.sha256).digest()


class Liar:
    """`token`, `userinfo`, `keys` and `document` are what it answers; None: 404. What it was sent
    stands in `asked`."""

    def __init__(self):
        liar = self
        self.asked = []
        self.keys = {"keys": [public_key()]}
        self.token = None
        self.userinfo = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, status, body, headers=()):
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                body = {"/.well-known/openid-configuration": liar.document,
                        "/keys": liar.keys, "/userinfo": liar.userinfo}.get(self.path)
                liar.asked.append((self.path, dict(self.headers), b""))
                if isinstance(body, tuple):
                    self.answer(*body)
                else:
                    self.answer(200 if body is not None else 404, body if body is not None else {})

            def do_POST(self):
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                liar.asked.append((self.path, dict(self.headers), sent))
                if isinstance(liar.token, tuple):
                    self.answer(*liar.token)
                else:
                    self.answer(200, liar.token)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.document = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
