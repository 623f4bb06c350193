"""A proxy in front of a server that refuses some of what is posted, as proxies under load do."""
import http.client
import http.server
import threading

HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class RefusingProxy:
    """`refusals`: status codes, each answered once to a POST of each kind of client (its
    User-Agent) before the server is asked."""

    def __init__(self, server, refusals):
        self.refused = {}  # User-Agent: count
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with proxy.lock:
                    agent = self.headers.get("User-Agent", "")
                    count = proxy.refused.get(agent, 0)
                    if count < len(refusals):
                        proxy.refused[agent] = count + 1
                if count < len(refusals):
                    # In front of a browser a proxy has to say what the server would.
                    self.answer(refusals[count], b"{}", {
                        "Retry-After": "1", "Content-Type": "application/json",
                        "Access-Control-Allow-Origin": self.headers.get("Origin", "*"),
                        "Access-Control-Expose-Headers": "Retry-After"})
                else:
                    self.hand_on(body)

            def do_GET(self):
                self.hand_on(None)

            do_OPTIONS = do_GET

            def hand_on(self, body):
                host, port = server.address.rsplit(":", 1)
                connection = http.client.HTTPConnection(host, int(port), timeout=300)
                connection.request(self.command, self.path, body, {
                    name: value for name, value in self.headers.items()
                    if name.lower() not in HOP})
                answer = connection.getresponse()
                data = answer.read()
                connection.close()
                self.answer(answer.status, data, {name: value for name, value in answer.getheaders()
                                                  if name.lower() not in HOP})

            def answer(self, status, body, headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
