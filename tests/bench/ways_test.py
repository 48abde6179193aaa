"""twinmq-bench on every way into the daemon: TCP, TLS, WebSocket, both, and a Unix socket; nothing is lost on any."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "daemon"))
import programs  # noqa: E402

BENCH = os.environ["TWINMQ_BENCH"]
KEPT = os.path.join(os.path.dirname(programs.BIN), "tests", "certificates")


class Ways(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([os.path.join(programs.SOURCE, "tests", "support", "certificates.sh"), KEPT], check=True)
        cls.folder = tempfile.TemporaryDirectory(prefix="twinmq-bench-")
        cls.socket = os.path.join(cls.folder.name, "s")
        listeners = ("mqtt://127.0.0.1:0", "ws://127.0.0.1:0/mqtt", "mqtts://127.0.0.1:0", "wss://127.0.0.1:0/mqtt",
                     "unix://" + cls.socket)
        options = [part for url in listeners for part in ("--listen", url)]
        for number in (2, 3):
            for key, name in (("certificate", "server.pem"), ("key", "server.key")):
                options += ["--set", f"listener[{number}].tls.{key}={os.path.join(KEPT, name)}"]
        cls.daemon = programs.Daemon(*options, "--data-dir", "", "--set", "storage.durability=none", "--set",
                                     "node.shards=2")
        ready = cls.daemon.wait_for_line(r"\bready\b")

        def port(scheme):
            return ["--port", re.search(rf"\b{scheme}://[^\",\s]*:(\d+)", ready)[1]]
        tls = ["--host", "127.0.0.1", "--cafile", os.path.join(KEPT, "ca.pem")]
        cls.ways = {
            "tcp": port("mqtt"),
            "ws": [*port("ws"), "--ws", "/mqtt"],
            "mqtts": [*port("mqtts"), *tls],
            "mqtts 1.2": [*port("mqtts"), *tls, "--tls-version", "12"],
            "wss": [*port("wss"), "--ws", "/mqtt", *tls],
            "unix": ["--unix", cls.socket],
        }

    @classmethod
    def tearDownClass(cls):
        cls.daemon.signal("TERM")
        code = cls.daemon.exit_code()
        cls.daemon.__exit__()
        cls.folder.cleanup()
        assert code == 0, code

    def measured(self, command, *arguments):
        done = subprocess.run([BENCH, command, "--json", "--pid", str(self.daemon.process.pid), *arguments],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr, done.stdout))
        return json.loads(done.stdout)

    def test_messages_pass_without_loss_on_every_way(self):
        for name, way in self.ways.items():
            for qos in ("1", "2"):
                with self.subTest(way=name, qos=qos):
                    report = self.measured("pubsub", *way, "--publishers", "3", "--subscribers", "3", "--qos", qos,
                                           "--messages", "600", "--payload", "300")
                    self.assertEqual(report["failure"], None)
                    self.assertEqual((report["messages_in"], report["messages_out"]), (600, 600))
                    self.assertEqual((report["loss"], report["duplicates"], report["reorders"]), (0, 0, 0))

    def test_connects_are_measured_on_every_way(self):
        # More than a Unix socket's backlog holds: they wait for their turn.
        for name, way in self.ways.items():
            with self.subTest(way=name):
                report = self.measured("connect", *way, "--connections", "300")
                self.assertEqual(report["failure"], None)
                self.assertGreater(report["connects_per_second"], 0)

    def test_an_authority_that_did_not_sign_the_certificate_is_a_failure(self):
        for name in ("mqtts", "wss"):
            way = [os.path.join(KEPT, "other-ca.pem") if part.endswith("ca.pem") else part for part in self.ways[name]]
            done = subprocess.run([BENCH, "pubsub", "--json", *way, "--messages", "10", "--stall", "2"],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIsNotNone(json.loads(done.stdout)["failure"])


if __name__ == "__main__":
    unittest.main()
