"""An HTTP server for sinks to deliver to."""

import http.server
import json
import socket
import threading


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # a broker that was killed left a request half done


class Receiver:
    """An HTTP server that can be absent; remembers each line it was given."""

    def __init__(self):
        self.port = 0
        self.reserve()
        self.lines = []
        self.first_of = {}  # by Idempotency-Key, what the request began with; a repeat begins the same
        self.headers = None
        self.requests = []  # path and headers of each
        self.mistaken = False  # two results came under one identifier
        self.status = 204
        self.changed = threading.Condition()
        self.server = None

    def reserve(self):
        """The port is taken, and nobody answers."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]

    def begin(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if receiver.server is None:
                    self.close_connection = True
                    return
                with receiver.changed:
                    receiver.headers = self.headers
                    receiver.requests.append((self.path, self.headers))
                    if receiver.status == 204:
                        entries = [json.loads(line) for line in body.splitlines()]
                        first = receiver.first_of.setdefault(self.headers["Idempotency-Key"], entries[0])
                        receiver.mistaken |= first != entries[0]
                        receiver.lines += entries
                    receiver.changed.notify_all()
                self.send_response(receiver.status)
                if receiver.status // 100 == 3:
                    self.send_header("Location", "/elsewhere")
                if receiver.status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.listener.close()
        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_until(self, condition, patience=60):
        with self.changed:
            return self.changed.wait_for(condition, timeout=patience)

    def wait_for(self, wanted):
        return self.wait_until(lambda: {entry["n"] for entry in self.lines} >= wanted)

    def away(self):
        """From now on nobody answers; connections that are there end with their next request."""
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()
        self.reserve()

    def end(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        else:
            self.listener.close()


def first_ones(entries):
    """Without what came again, in the order of the first coming."""
    return list(dict.fromkeys(entry["n"] for entry in entries))
