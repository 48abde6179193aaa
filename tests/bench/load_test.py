"""twinmq-bench against a small broker that can lose, double and swap messages on purpose."""

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
from ports import free_port  # noqa: E402

BENCH = os.environ["TWINMQ_BENCH"]
BROKER = os.environ["TWINMQ_BROKER"]


def varint(value):
    out = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(first, body):
    return bytes([first]) + varint(len(body)) + body


class Broker(socketserver.ThreadingTCPServer):
    """QoS 0 to 2 for exact filters, and one fault at the tenth delivery."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, fault="none"):
        super().__init__(("127.0.0.1", 0), Client)
        self.fault = fault
        self.lock = threading.Lock()
        self.subscribers = {}
        self.retained = {}
        self.connects = []  # whether clean, and the client identifier
        self.delivered = 0
        self.held = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def publish(self, topic, payload, qos):
        with self.lock:
            for client in self.subscribers.get(topic, []):
                self.deliver(client, topic, payload, qos)

    def deliver(self, client, topic, payload, qos):
        self.delivered += 1
        copies = [(client, topic, payload, qos)]
        if self.delivered == 10:
            if self.fault == "lose":
                return
            if self.fault == "double":
                copies *= 2
            if self.fault == "swap":
                self.held, copies = copies[0], []
            if self.fault == "garble":
                copies = [(client, topic, b"?" * len(payload), qos)]
        elif self.held is not None and self.held[0] is client:
            copies.append(self.held)
            self.held = None
        for copy in copies:
            copy[0].send_publish(*copy[1:])


class Client(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.request.makefile("rb")
        self.v5 = False
        self.last_id = 0

    def handle(self):
        while first := self.file.read(1):
            length, shift = 0, 0
            while True:
                digit = self.file.read(1)[0]
                length |= (digit & 0x7F) << shift
                shift += 7
                if digit < 0x80:
                    break
            if not self.on_packet(first[0], self.file.read(length)):
                return

    def on_packet(self, first, body):
        kind = first >> 4
        if kind == 1:
            self.v5 = body[6] == 5
            self.server.connects.append((bool(body[7] & 2), body[body.rindex(b"bench"):]))
            self.request.sendall(packet(0x20, b"\0\0" + (b"\0" if self.v5 else b"")))
        elif kind == 3:
            self.on_publish(first, body)
        elif kind == 5:
            self.request.sendall(packet(0x62, body[:2]))
        elif kind == 6:
            self.request.sendall(packet(0x70, body[:2]))
        elif kind == 8:
            self.on_subscribe(body)
        return kind != 14

    def on_publish(self, first, body):
        qos, size = (first >> 1) & 3, int.from_bytes(body[:2], "big")
        topic, rest = body[2:2 + size], body[2 + size:]
        if qos:
            self.request.sendall(packet(0x40 if qos == 1 else 0x50, rest[:2]))
            rest = rest[2:]
        payload = rest[1:] if self.v5 else rest
        if first & 1:
            self.server.retained[topic] = payload
        self.server.publish(topic, payload, qos)

    def on_subscribe(self, body):
        at, codes = 3 if self.v5 else 2, b""
        everything = False
        while at < len(body):
            size = int.from_bytes(body[at:at + 2], "big")
            topic = body[at + 2:at + 2 + size]
            everything = everything or topic == b"#"
            codes += body[at + 2 + size:at + 3 + size]
            self.server.subscribers.setdefault(topic, []).append(self)
            at += 3 + size
        self.request.sendall(packet(0x90, body[:2] + (b"\0" if self.v5 else b"") + codes))
        if everything:
            with self.server.lock:
                for topic, payload in self.server.retained.items():
                    self.server.deliver(self, topic, payload, 4)

    def send_publish(self, topic, payload, qos):
        first, identifier = 0x30 | (qos << 1), b""
        if qos == 4:
            first, qos = 0x31, 0
        if qos:
            self.last_id = self.last_id % 65535 + 1
            identifier = self.last_id.to_bytes(2, "big")
        body = len(topic).to_bytes(2, "big") + topic + identifier + (b"\0" if self.v5 else b"")
        self.request.sendall(packet(first, body + payload))


def bench(*arguments):
    run = subprocess.run([BENCH, *arguments], capture_output=True, text=True, timeout=60, check=False)
    return run


def measured(broker, command, *arguments):
    """Exit status and report of a run against `broker`."""
    run = bench(command, "--json", "--stall", "1", "--port", str(broker.server_address[1]),
                "--pid", str(os.getpid()), *arguments)
    return run.returncode, json.loads(run.stdout)


def pubsub(fault, *arguments):
    with Broker(fault) as broker:
        return measured(broker, "pubsub", "--publishers", "2", "--subscribers", "2", "--messages",
                        "200", *arguments)


class Correctness(unittest.TestCase):
    def test_an_honest_broker_passes_at_every_qos_and_version(self):
        for version in ("3.1.1", "5"):
            for qos in ("0", "1", "2"):
                status, report = pubsub("none", "--version", version, "--qos", qos)
                self.assertEqual((status, report["failure"]), (0, None))
                self.assertEqual((report["messages_in"], report["messages_out"]), (200, 200))
                self.assertGreater(report["cpu_us_per_message"], 0)
                self.assertGreater(report["latency_us"]["p50"], 0)

    def test_every_receiver_of_a_fan_out_is_counted(self):
        with Broker() as broker:
            status, report = measured(broker, "pubsub", "--topics", "fanout", "--publishers", "1",
                                      "--subscribers", "5", "--messages", "40")
        self.assertEqual((status, report["messages_in"], report["messages_out"]), (0, 40, 200))

    def test_a_lost_message_is_an_error(self):
        status, report = pubsub("lose", "--qos", "1")
        self.assertEqual((status, report["loss"], report["duplicates"]), (1, 1, 0))

    def test_a_second_copy_is_an_error_at_every_qos(self):
        for qos in ("0", "1", "2"):
            status, report = pubsub("double", "--qos", qos)
            self.assertEqual((status, report["loss"], report["duplicates"]), (1, 0, 1))

    def test_a_second_copy_of_the_very_last_message_is_an_error(self):
        with Broker("double") as broker:
            status, report = measured(broker, "pubsub", "--publishers", "1", "--subscribers", "1",
                                      "--messages", "10")
        self.assertEqual((status, report["duplicates"]), (1, 1))

    def test_messages_out_of_order_are_an_error(self):
        status, report = pubsub("swap", "--unbatched")
        self.assertEqual((status, report["loss"], report["reorders"]), (1, 0, 1))

    def test_a_changed_payload_is_an_error(self):
        status, report = pubsub("garble")
        self.assertEqual((status, report["loss"], report["duplicates"]), (1, 1, 1))

    def test_persistent_subscribers_have_sessions_that_end_with_the_run(self):
        with Broker() as broker:
            status, report = measured(broker, "pubsub", "--publishers", "2", "--subscribers", "2", "--messages",
                                      "200", "--qos", "1", "--persistent")
        self.assertEqual((status, report["parameters"]["persistent"]), (0, True))
        lasting = [client for clean, client in broker.connects if not clean]
        self.assertEqual(len(lasting), 2)
        self.assertEqual([clean for clean, client in broker.connects if client in lasting], [False, False, True, True])

    def test_the_open_loop_keeps_its_rate(self):
        status, report = pubsub("none", "--rate", "1000")
        self.assertEqual(status, 0)
        self.assertGreaterEqual(report["wall_seconds"], 0.19)

    def test_retained_messages_that_are_not_replayed_are_lost(self):
        for fault, loss in (("none", 0), ("lose", 1)):
            with Broker(fault) as broker:
                status, report = measured(broker, "retained", "--messages", "50", "--keep")
            self.assertEqual((status, report["loss"]), (1 if loss else 0, loss))
            self.assertEqual(report["messages_in"], 50)


class Connections(unittest.TestCase):
    def test_connects_are_counted_with_and_without_subscription(self):
        for option in ("--subscribe", "--churn"):
            with Broker() as broker:
                status, report = measured(broker, "connect", "--connections", "100", option)
            self.assertEqual((status, report["failure"]), (0, None))
            self.assertGreater(report["connects_per_second"], 0)
            self.assertEqual(report["cpu_us_per_subscribe"] is None, option == "--churn")

    def test_a_broker_that_is_not_there_is_a_failure_and_not_a_result(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            run = bench("connect", "--port", str(nobody.getsockname()[1]), "--json")
        self.assertEqual(run.returncode, 1)
        self.assertIn("nobody listens there", json.loads(run.stdout)["failure"])


class Kills(unittest.TestCase):
    def rounds(self, *settings):
        port = free_port()
        options = " ".join(f"--set {each}" for each in ("storage.profile=gateway", *settings))
        run = bench("durability", "--json", "--port", str(port), "--rounds", "3", "--qos", "2", "--start",
                    f"{BROKER} --listen mqtt://127.0.0.1:{{port}} --data-dir {{dir}}/data {options}")
        report = json.loads(run.stdout)
        self.assertIsNone(report["failure"])
        self.assertGreater(report["messages_in"], 0)
        return run.returncode, report

    def test_a_broker_that_keeps_its_promises_is_found_to_do_so(self):
        status, report = self.rounds()
        self.assertEqual((status, report["loss"], report["duplicates"], report["reorders"]), (0, 0, 0, 0))

    def test_a_broker_that_forgets_is_found_out(self):
        status, report = self.rounds("storage.durability=none")
        self.assertEqual(status, 1)
        self.assertEqual(report["loss"], report["messages_in"])


class Rules(unittest.TestCase):
    def added(self, *shape, broker=None):
        options = "--set storage.profile=gateway --set node.shards=1"
        run = bench("rules", "--json", "--port", str(free_port()), "--rounds", "1", "--messages", "1000", *shape,
                    "--start", f"{BROKER} {broker or '--config {dir}/rules.toml'} --listen mqtt://127.0.0.1:{{port}} "
                               f"--data-dir {{dir}}/data {options}")
        return run.returncode, json.loads(run.stdout)

    def test_every_result_of_every_rule_arrives(self):
        for shape, results in ((("--rules", "3", "--match"), 3 * 1100), (("--rules", "5", "--distinct", "--match"), 1100),
                               (("--rules", "2"), 0), (("--groups", "50"), 0)):
            status, report = self.added(*shape)
            self.assertEqual((status, report["failure"]), (0, None), shape)
            self.assertEqual(report["messages_out"], results, shape)
            self.assertIsNotNone(report["cpu_us_added"])

    def test_rules_that_are_not_there_are_found_out(self):
        status, report = self.added("--stall", "1", broker="--set log.level=error")
        self.assertEqual((status, report["failure"]), (1, "stalled"))


class Usage(unittest.TestCase):
    def test_all_subcommands_print_the_same_keys(self):
        keys = []
        commands = ("pubsub", "connect", "subscriptions", "retained", "shadow", "rules", "offline", "durability")
        for command in commands:
            start = ["--start", "false"] if command in ("rules", "durability") else []
            run = bench(command, "--json", "--port", "1", *start)
            report = json.loads(run.stdout)
            keys.append((list(report), list(report["parameters"]), list(report["latency_us"])))
        self.assertEqual(keys, [keys[0]] * len(commands))

    def test_bad_usage_is_refused_with_advice(self):
        cases = [(["pubsub", "--qos", "3"], "--qos"),
                 (["pubsub", "--payload", "8"], "--payload"),
                 (["pubsub", "--subscribers", "3"], "--topics pairs"),
                 (["pubsub", "--host", "192.0.2.1"], "--allow-remote"),
                 (["connect", "--connections", "9000000"], "ulimit"),
                 (["connect", "--pid", "2147483000"], "--pid"),
                 ([], "subcommand")]
        for arguments, advice in cases:
            run = bench(*arguments)
            self.assertEqual(run.returncode, 2, arguments)
            self.assertIn(advice, run.stderr)
            self.assertEqual(run.stdout, "")


if __name__ == "__main__":
    unittest.main()
