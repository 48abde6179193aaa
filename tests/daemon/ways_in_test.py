"""What must not get in by WebSocket and PROXY headers, and who is served while others try."""

import os
import select
import socket
import time
import unittest

from programs import PATIENCE, Daemon, connect, descriptors, read_exactly

COMMON = ("--data-dir", "", "--set", "storage.durability=none")
OPENING = (b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = bytes([203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 7, 0x5B])
CONNECT = b"\x10\x10\0\4MQTT\5\2\0\0\0\0\3abc"


def dial(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    return connection


def rest(connection):
    """Everything until the end of the stream."""
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    connection.close()
    return data


def ws_frame(first, payload, mask=b"\x12\xab\x34\xcd"):
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([first]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def open_websocket(port, more=b"Sec-WebSocket-Protocol: mqtt\r\n"):
    connection = dial(port)
    connection.sendall(OPENING + more + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(1)
        if not part:
            break
        answer += part
    return connection, answer


def header(command, family, data):
    return SIGNATURE + bytes([command, family]) + len(data).to_bytes(2, "big") + data


def fact(kind, value):
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def ping(connection):
    connection.sendall(b"\xc0\0")
    return read_exactly(connection, 2) == b"\xd0\0"


class WebSocket(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--listen", "ws://127.0.0.1:0/mqtt", "--listen", "ws://127.0.0.1:0", "--set",
                            "listener[0].websocket.origins=https://plant.example", "--set",
                            "listener[0].websocket.frame_bytes_max=4096", *COMMON)
        ready = cls.daemon.wait_for_line(r"\bready\b")
        urls = ready.split('listeners="')[1].split('"')[0].split()
        cls.port = int(urls[0].rsplit(":", 1)[1].split("/")[0])
        cls.anywhere = int(urls[1].rsplit(":", 1)[1])

    @classmethod
    def tearDownClass(cls):
        cls.daemon.signal("TERM")
        assert cls.daemon.exit_code() == 0
        cls.daemon.__exit__()

    def status(self, request):
        connection = dial(self.port)
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return rest(connection)[9:12]

    def test_a_bad_handshake_gets_an_answer_in_http(self):
        whole = OPENING + b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        for request, expected in (
                (OPENING + b"\r\n", b"400"),
                (OPENING + b"Sec-WebSocket-Protocol: chat\r\n\r\n", b"400"),
                (whole.replace(b"Version: 13", b"Version: 8"), b"426"),
                (whole.replace(b"Upgrade: websocket\r\n", b""), b"426"),
                (whole.replace(b"/mqtt", b"/other"), b"404"),
                (whole.replace(b"GET", b"POST"), b"405"),
                (whole.replace(b"Key: dGhl", b"Key: "), b"400"),
                (whole.replace(b"\r\nHost: a", b"\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), b"400"),
                (whole.replace(b"\r\nHost: a", b"\r\nHost: a\r\nOrigin: https://evil.example"), b"403"),
                (CONNECT, b"400"),
                (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"404"),
        ):
            self.assertEqual(self.status(request), expected, request)

    def test_a_request_may_be_as_long_as_configured(self):
        with Daemon("--listen", "ws://127.0.0.1:0/mqtt", *COMMON, "--set", "listener.websocket.request_bytes_max=1024") as daemon:
            port = int(daemon.wait_for_line(r"\bready\b").split("ws://127.0.0.1:")[1].split("/")[0])
            fits = b"Sec-WebSocket-Protocol: mqtt\r\nX-Fill: "
            fits += b"x" * (1024 - len(OPENING + fits) - 4) + b"\r\n"
            connection, answer = open_websocket(port, fits)
            self.assertIn(b" 101 ", answer)
            connection.close()
            connection, answer = open_websocket(port, fits.replace(b"X-Fill: ", b"X-Fill: x"))
            self.assertNotIn(b" 101 ", answer)
            self.assertIn(b"HTTP/1.1 4", answer)
            connection.close()

    def test_a_megabyte_of_headers_is_not_read(self):
        self.assertIn(self.status(OPENING + b"X: " + b"x" * 1_000_000), (b"431", b""))

    def test_the_right_origin_any_path_and_the_old_subprotocol_are_welcome(self):
        for port, more in ((self.port, b"Origin: https://plant.example\r\nSec-WebSocket-Protocol: mqttv3.1\r\n"),
                           (self.anywhere, b"Origin: https://evil.example\r\nSec-WebSocket-Protocol: x, mqtt\r\n")):
            connection, answer = open_websocket(port, more)
            self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer)
            connection.close()

    def closed_with(self, frames):
        connection, _ = open_websocket(self.port)
        connection.sendall(frames)
        answer = rest(connection)
        self.assertEqual(answer[:1], b"\x88", answer)
        return int.from_bytes(answer[2:4], "big")

    def test_every_misdeed_has_its_close_code(self):
        for frames, code in (
                (ws_frame(0x81, b"text"), 1003),
                (ws_frame(0x80, b"continues nothing"), 1002),
                (ws_frame(0x09, b"fragmented ping"), 1002),
                (ws_frame(0x89, b"x" * 126), 1002),
                (b"\x82\x05hello", 1002),
                (b"\x82\xff" + b"\x80" + b"\0" * 7 + b"mask", 1002),
                (b"\x82\xff" + b"\x7f" + b"\xff" * 7 + b"mask", 1009),
                (ws_frame(0x82, b"x" * 4097), 1009),
                (ws_frame(0xC2, b"a compressed bomb"), 1002),
                (ws_frame(0x88, b"\x03\xe8bye"), 1000),
        ):
            self.assertEqual(self.closed_with(frames), code, frames[:20])

    def test_mqtt_that_is_none_ends_with_a_close_frame(self):
        self.assertEqual(self.closed_with(ws_frame(0x82, b"\xff\xff\xff\xff\xff")), 1000)

    def test_one_who_pings_and_never_listens_is_not_heard_for_ever(self):
        connection, _ = open_websocket(self.port)
        flood = ws_frame(0x89, b"x" * 125)
        connection.setblocking(False)
        sent = 0
        # Until neither side's buffers take more: then the broker has stopped reading.
        while select.select([], [connection], [], 1)[1]:
            try:
                sent += connection.send(flood * 500)
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break  # no CONNECT came in time
            if sent > 1_000_000_000:
                break
        with open(f"/proc/{self.daemon.process.pid}/status") as status:
            resident = int(next(line for line in status if line.startswith("VmRSS")).split()[1])
        self.assertLess(resident, 300_000)
        connection.close()
        other, answer = open_websocket(self.port)
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 "))
        other.close()


class Proxy(unittest.TestCase):
    def start(self, *more):
        daemon = Daemon("--listen", "mqtt://127.0.0.1:0", "--set", "listener.proxy_protocol=true", *more, *COMMON)
        return daemon, daemon.ports()[0]

    def test_what_is_no_sound_header_is_refused(self):
        daemon, port = self.start()
        with daemon:
            for bytes_ in (CONNECT, b"PROXY TCP4 1.2.3.4\r\n" + CONNECT, header(0x21, 0x11, FOUR[:-1]) + CONNECT,
                           SIGNATURE + b"\x21\x11\xff\xff", header(0x31, 0x11, FOUR) + CONNECT,
                           header(0x21, 0x11, FOUR + fact(3, b"\0\0\0\0")) + CONNECT,
                           header(0x21, 0x11, FOUR + b"\x04\xff\xff") + CONNECT):
                connection = dial(port)
                connection.sendall(bytes_)
                self.assertEqual(rest(connection), b"", bytes_)
                daemon.wait_for_line("connection refused.*PROXY")

    def test_a_proxy_s_own_connection_and_facts_without_tls_are_served_as_what_they_are(self):
        daemon, port = self.start("--set", "listener.tls.identity=cn")
        with daemon:
            no_tls = fact(0x20, b"\x06\0\0\0\0" + fact(0x22, b"forged"))
            for data, peer in ((header(0x20, 0x00, b""), "127.0.0.1:"), (header(0x21, 0x11, FOUR), "203.0.113.7:4711"),
                               (header(0x21, 0x11, FOUR + no_tls), "203.0.113.7:4711"),
                               (b"PROXY UNKNOWN\r\n", "127.0.0.1:")):
                connection = dial(port)
                connection.sendall(data + CONNECT)
                self.assertEqual(read_exactly(connection, 4)[3], 0)
                line = daemon.wait_for_line("client connected")
                self.assertIn("peer=" + peer, line)
                self.assertNotIn("forged", line)
                connection.close()

    def test_a_spoof_from_an_untrusted_address_is_refused(self):
        daemon, port = self.start("--set", "listener.trusted_proxies=10.0.0.0/8,unix")
        with daemon:
            connection = dial(port)
            connection.sendall(header(0x21, 0x11, FOUR) + CONNECT)
            self.assertEqual(rest(connection), b"")
            line = daemon.wait_for_line("connection refused.*no trusted proxy")
            self.assertIn("peer=127.0.0.1:", line)

    def test_the_limit_of_an_address_counts_whom_the_proxy_names(self):
        daemon, port = self.start("--set", "limits.connections_per_address_max=1")

        def named(address, client):
            connection = dial(port)
            connection.sendall(header(0x21, 0x11, bytes(address) + FOUR[4:]) + CONNECT.replace(b"abc", client))
            return connection

        with daemon:
            first, other = named((203, 0, 113, 7), b"one"), named((203, 0, 113, 8), b"two")
            for connection in (first, other):
                self.assertEqual(read_exactly(connection, 4)[3], 0)
            with named((203, 0, 113, 7), b"six") as too_many:
                self.assertEqual(rest(too_many), b"")
            self.assertIn("connections_per_address_max", daemon.wait_for_line("connection refused"))
            first.sendall(b"\xe0\0")
            rest(first)
            daemon.wait_for_line("client disconnected")
            with named((203, 0, 113, 7), b"six") as again:
                self.assertEqual(read_exactly(again, 4)[3], 0)
            first.close()
            other.close()

    def test_a_forwarded_address_is_logged_of_a_trusted_proxy_alone(self):
        for trusted, expected in (("127.0.0.1", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1:")):
            with Daemon("--listen", "ws://127.0.0.1:0", "--set", f"access.trusted_proxies={trusted}", *COMMON) as daemon:
                port = int(daemon.wait_for_line(r"\bready\b").split("ws://127.0.0.1:")[1].split('"')[0])
                connection, _ = open_websocket(
                    port, b"Sec-WebSocket-Protocol: mqtt\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n")
                connection.sendall(ws_frame(0x82, CONNECT))
                self.assertIn("peer=" + expected, daemon.wait_for_line("client connected"))
                connection.close()


class Patience(unittest.TestCase):
    def test_the_slow_are_closed_in_time_and_the_others_served(self):
        listen = ("--listen", "mqtt://127.0.0.1:0", "--listen", "ws://127.0.0.1:0")
        limits = ("--set", "limits.connect_timeout_seconds=2", "--set", "limits.handshake_timeout_seconds=2")
        each_way = descriptors(5000) // 2
        with Daemon(*listen, *limits, *COMMON) as daemon:
            ready = daemon.wait_for_line(r"\bready\b")
            mqtt = int(ready.split("mqtt://127.0.0.1:")[1].split()[0].strip('"'))
            web = int(ready.split("ws://127.0.0.1:")[1].split('"')[0])
            slow = [(dial(mqtt), CONNECT) for _ in range(each_way)]
            slow += [(dial(web), OPENING) for _ in range(each_way)]
            good, _ = connect(mqtt, client_id=b"good")
            at = 0
            open_ones = dict.fromkeys(connection for connection, _ in slow)
            until = time.monotonic() + PATIENCE
            while open_ones and time.monotonic() < until:
                for connection, data in slow:
                    if connection in open_ones:
                        try:
                            connection.send(data[at % len(data):at % len(data) + 1] if at < len(data) - 1 else b"")
                        except (BrokenPipeError, ConnectionResetError):
                            del open_ones[connection]
                            continue
                gone = select.poll()
                for connection in open_ones:
                    gone.register(connection, select.POLLIN)
                ended = {fd for fd, _ in gone.poll(0)}
                open_ones = {each: None for each in open_ones if each.fileno() not in ended}
                at += 1
                self.assertTrue(ping(good))
            self.assertFalse(open_ones)
            for connection, _ in slow:
                connection.close()
            good.close()

    def test_without_descriptors_the_connected_are_served_and_later_ones_after_them(self):
        with Daemon("--listen", "mqtt://127.0.0.1:0", *COMMON, "--set", "node.shards=2",
                    through=["bash", "-c", 'ulimit -n 64; exec "$@"', "bash"]) as daemon:
            port = daemon.ports()[0]
            good, _ = connect(port, client_id=b"good")
            crowd = [dial(port) for _ in range(200)]
            daemon.wait_for_line("accepting paused")
            before = self.cpu(daemon), time.monotonic()
            for _ in range(20):
                self.assertTrue(ping(good))
                time.sleep(0.05)  # what spins uses this time, what waits does not
            self.assertLess(self.cpu(daemon) - before[0], (time.monotonic() - before[1]) / 4)
            for each in crowd:
                each.close()
            daemon.wait_for_line("accepting again")
            late, code = connect(port, client_id=b"late")
            self.assertEqual(code, 0)
            late.close()
            good.close()

    def cpu(self, daemon):
        with open(f"/proc/{daemon.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
