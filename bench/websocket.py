"""A WebSocket client for measuring: as little as it takes to read a server's messages, without
waiting (RFC 6455; servers' frames are not masked, fragments are not joined)."""
import base64
import os
import socket
import struct

TEXT, CLOSE, PONG = 1, 8, 10
RECEIVE_BYTES = 65536


class WebSocket:
    """Connected and blocking for the handshake, then non-blocking; `fileno` is for a selector."""

    def __init__(self, address, path, token):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            (f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n"
             f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n"
             f"Authorization: Bearer {token}\r\n\r\n").encode())
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(RECEIVE_BYTES)
            if not piece:
                break
            data += piece
        head, _, self.received = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(data.decode(errors="replace"))
        self.socket.setblocking(False)

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def ping(self):
        """An empty ping, with a mask of zeros."""
        self.socket.send(b"\x89\x80\0\0\0\0")

    def send_text(self, text):
        """At most 65,535 bytes; a mask of zeros."""
        data = text.encode()
        head = bytes([0x81, 0x80 | len(data)]) if len(data) < 126 else \
            b"\x81\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(head + b"\0\0\0\0" + data)

    def frames(self):
        """All (kind, payload) that have arrived; ConnectionError at the connection's end."""
        try:
            piece = self.socket.recv(RECEIVE_BYTES)
            if not piece:
                raise ConnectionError("the server closed the WebSocket")
            self.received += piece
        except BlockingIOError:
            pass
        while frame := self._take():
            if frame[0] == CLOSE:
                raise ConnectionError(f"the server closed the WebSocket: {frame[1]!r}")
            yield frame

    def _take(self):
        data = self.received
        if len(data) < 2:
            return None
        length, at = data[1] & 127, 2
        if length >= 126:
            size, form = (2, ">H") if length == 126 else (8, ">Q")
            if len(data) < 2 + size:
                return None
            (length,), at = struct.unpack_from(form, data, 2), 2 + size
        if len(data) < at + length:
            return None
        self.received = data[at + length:]
        return data[0] & 15, data[at:at + length]
