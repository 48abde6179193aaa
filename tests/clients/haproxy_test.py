"""Debian's HAProxy in front of the daemon: PROXY headers of both versions, with and without TLS facts."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
from absence import absent  # noqa: E402
from programs import PATIENCE, Daemon, read_exactly  # noqa: E402

HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"

CONFIG = """
global
  log stderr format raw daemon
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend one
  bind 127.0.0.1:{one}
  default_backend one
backend one
  server broker 127.0.0.1:{broker} send-proxy
frontend two
  bind 127.0.0.1:{two}
  default_backend two
backend two
  server broker 127.0.0.1:{broker} send-proxy-v2 proxy-v2-options crc32c
frontend tls
  bind 127.0.0.1:{tls} ssl crt {folder}/server.pem ca-file {folder}/ca.pem verify optional alpn mqtt
  default_backend tls
backend tls
  server broker 127.0.0.1:{broker} send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,authority
frontend web
  bind 127.0.0.1:{web}
  default_backend web
backend web
  server broker 127.0.0.1:{websocket} send-proxy-v2
frontend local
  bind 127.0.0.1:{local}
  default_backend local
backend local
  server broker unix@{folder}/s send-proxy-v2
"""


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    def issue(name, common_name, ca="ca"):
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-subj", f"/CN={common_name}", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
                "-CAcreateserial", "-days", "2", "-out", f"{name}.crt")

    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "ca.key", "-subj", "/CN=test authority", "-days", "2", "-out", "ca.pem")
    issue("server", "localhost")
    issue("device", "device7")
    with open(os.path.join(folder, "server.pem"), "w") as joined:
        for part in ("server.crt", "server.key"):
            with open(os.path.join(folder, part)) as file:
                joined.write(file.read())


def free_ports(count):
    """Ports that were free a moment ago."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def connect(connection, client_id, user=None):
    """The reason code of the CONNACK."""
    name = client_id.encode()
    connection.settimeout(PATIENCE)
    body = b"\0\4MQTT\5\2\0\0\0" + len(name).to_bytes(2, "big") + name
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    head = read_exactly(connection, 2)
    return read_exactly(connection, head[1])[1]


class BehindHaProxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="twinmq-haproxy-")
        folder = cls.folder.name
        make_certificates(folder)
        cls.daemon = Daemon("--listen", "mqtt://127.0.0.1:0", "--listen", "ws://127.0.0.1:0/mqtt", "--listen",
                            f"unix://{folder}/s", "--data-dir", "", "--set", "storage.durability=none",
                            "--set", "listener.proxy_protocol=true", "--set", "listener.tls.identity=cn",
                            "--log-level", "debug", cwd=folder)
        ready = cls.daemon.wait_for_line(r"\bready\b")
        broker = int(ready.split("mqtt://127.0.0.1:")[1].split()[0].strip('"'))
        websocket = int(ready.split("ws://127.0.0.1:")[1].split("/")[0])
        cls.broker = broker
        cls.one, cls.two, cls.tls, cls.web, cls.local = free_ports(5)
        with open(os.path.join(folder, "haproxy.cfg"), "w") as file:
            file.write(CONFIG.format(one=cls.one, two=cls.two, tls=cls.tls, web=cls.web, local=cls.local,
                                     broker=broker, websocket=websocket, folder=folder))
        subprocess.run([HAPROXY, "-c", "-q", "-f", "haproxy.cfg"], cwd=folder, check=True)
        # In the background once its ports are bound.
        subprocess.run([HAPROXY, "-D", "-p", "pid", "-f", "haproxy.cfg"], cwd=folder, check=True,
                       stderr=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        with open(os.path.join(cls.folder.name, "pid")) as file:
            for pid in file.read().split():
                os.kill(int(pid), 15)
        cls.daemon.signal("TERM")
        code = cls.daemon.exit_code()
        cls.daemon.__exit__()
        cls.folder.cleanup()
        assert code == 0, code

    def check(self, connection, client_id):
        own = "127.0.0.1:%d" % connection.getsockname()[1]
        self.assertEqual(connect(connection, client_id), 0)
        line = self.daemon.wait_for_line(f"client connected.*client={client_id}")
        self.assertIn(f"peer={own} ", line)
        return line

    def test_both_versions_tell_the_client_s_address(self):
        for number, port in (("one", self.one), ("two", self.two), ("local", self.local)):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                self.check(connection, "version-" + number)

    def test_a_certificate_that_haproxy_found_good_names_the_user(self):
        context = ssl.create_default_context(cafile=os.path.join(self.folder.name, "ca.pem"))
        context.check_hostname = False
        for with_certificate in (True, False):
            if with_certificate:
                context.load_cert_chain(os.path.join(self.folder.name, "device.crt"),
                                        os.path.join(self.folder.name, "device.key"))
            else:
                context = ssl.create_default_context(cafile=os.path.join(self.folder.name, "ca.pem"))
                context.check_hostname = False
            plain = socket.create_connection(("127.0.0.1", self.tls), timeout=PATIENCE)
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                name = f"certificate-{with_certificate}"
                line = self.check(connection, name)
                self.assertEqual("device7" in line, with_certificate, line)

    def test_a_websocket_comes_through(self):
        with socket.create_connection(("127.0.0.1", self.web), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               b"Sec-WebSocket-Protocol: mqtt\r\n\r\n")
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(1)
            self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)

    def test_a_client_that_passes_the_proxy_by_is_refused(self):
        with socket.create_connection(("127.0.0.1", self.broker), timeout=PATIENCE) as connection:
            connection.sendall(b"\x10\x10\0\4MQTT\5\2\0\0\0\0\3abc")
            connection.settimeout(PATIENCE)
            self.assertEqual(connection.recv(1), b"")
        self.daemon.wait_for_line("connection refused.*there is no PROXY header")


if __name__ == "__main__":
    if not os.path.exists(HAPROXY):
        absent("HAProxy", "it is not installed")
    unittest.main()
