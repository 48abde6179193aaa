"""Starts the programs of the house for tests. Every wait is for an event, with a generous limit."""

import os
import queue
import re
import resource
import signal
import socket
import subprocess
import threading

BIN = os.environ["TWINMQ_BIN"]
SHARDS = int(os.environ.get("TWINMQ_SHARDS", "2"))  # of tests that do not say themselves
SOURCE = os.environ["TWINMQ_SOURCE"]
PATIENCE = 60


def run(program, *arguments, text=None, env=None, cwd=None):
    """(exit code, standard output, standard error) of a program that ends by itself."""
    done = subprocess.run([os.path.join(BIN, program), *arguments], input=text, capture_output=True, text=True,
                          timeout=PATIENCE, env={**os.environ, **(env or {})}, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


class Daemon:
    """A running twinmqd; its log is read line by line."""

    def __init__(self, *arguments, env=None, cwd=None, through=(), pass_fds=()):
        self.process = subprocess.Popen([*through, os.path.join(BIN, "twinmqd"), *arguments], stderr=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})},
                                        cwd=cwd, pass_fds=pass_fds)
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def wait_for_line(self, pattern):
        """The next line of the log that matches."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if line is None:
                raise AssertionError(f"ended without a line like {pattern!r}: {self.seen}")
            self.seen.append(line)
            if re.search(pattern, line):
                return line

    def ports(self):
        """The ports of the listeners, from the line `ready`."""
        return [int(port) for port in re.findall(r"mqtt://[^\",\s]*:(\d+)", self.wait_for_line(r"\bready\b"))]

    def signal(self, name):
        self.process.send_signal(getattr(signal, "SIG" + name))

    def exit_code(self):
        return self.process.wait(timeout=PATIENCE)


def descriptors(wanted):
    """As many as wanted, or as this machine allows; a daemon started afterwards has them, too."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    return min(wanted, allowed - 100) if allowed != resource.RLIM_INFINITY else wanted


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def connect(port, level=5, client_id=b"test", user=None, password=None):
    """A connection and the reason code of its CONNACK."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    flags = 2 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = b"\0\4MQTT" + bytes([level, flags]) + b"\0\0" + (b"\0" if level == 5 else b"")
    for field in (client_id, user, password):
        if field is not None:
            body += len(field).to_bytes(2, "big") + field
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    head = read_exactly(connection, 2)
    assert head[0] == 0x20, head
    return connection, read_exactly(connection, head[1])[1]
