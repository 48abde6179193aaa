"""Results that leave the process: durable queues to files and HTTP servers, through outages and kill -9."""

import json
import os
import tempfile
import time
import unittest

from mqtt import Client
from programs import Daemon, run
from receiver import Receiver, first_ones

CONFIG = """
[rules]
file_directories = ["{folder}/out"]
http_targets = ["http://127.0.0.1:{port}/"]

[[rule]]
name = "kept"
sql = "SELECT n, topic(2) AS device FROM 'data/+'"
[[rule.action]]
type = "file"
path = "{folder}/out/kept.jsonl"
[[rule.action]]
type = "http"
url = "http://127.0.0.1:{port}/in"
body = "lines"
headers = ["X-Plant: north"]
"""


class Sinks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        os.mkdir(os.path.join(self.folder.name, "out"))
        self.receiver = Receiver()
        self.config = os.path.join(self.folder.name, "rules.toml")
        with open(self.config, "w") as file:
            file.write(CONFIG.format(folder=self.folder.name, port=self.receiver.port))

    def tearDown(self):
        self.receiver.end()
        self.folder.cleanup()

    def daemon(self, *more):
        return Daemon("--config", self.config, "--listen", "mqtt://127.0.0.1:0", "--data-dir",
                      os.path.join(self.folder.name, "data"), *more)

    def file_entries(self):
        with open(os.path.join(self.folder.name, "out", "kept.jsonl")) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def wait_for_file(self, wanted):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if {entry["n"] for entry in self.file_entries()} >= wanted:
                return True
            time.sleep(0.01)
        return False

    def test_results_reach_file_and_server(self):
        self.receiver.begin()
        with self.daemon("--set", "node.shards=2") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            for n in range(50):
                self.assertIn(device.publish_acknowledged("data/d1", json.dumps({"n": n})), (0, 16))
            self.assertTrue(self.receiver.wait_for(set(range(50))))
            self.assertTrue(self.wait_for_file(set(range(50))))
            self.assertEqual(self.receiver.lines[0], {"n": 0, "device": "d1"})
            self.assertEqual(self.receiver.headers["X-Plant"], "north")
            self.assertTrue(self.receiver.headers["Idempotency-Key"].startswith("kept-"))
        self.assertEqual(first_ones(self.file_entries()), list(range(50)))

    def test_nothing_is_lost_while_the_server_is_down_and_the_broker_is_killed(self):
        acknowledged = []
        for life in range(3):
            with self.daemon("--set", "node.shards=1", "--set", "storage.durability=os") as daemon:
                device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
                for n in range(life * 100, life * 100 + 100):
                    self.assertIn(device.publish_acknowledged("data/d1", json.dumps({"n": n})), (0, 16))
                    acknowledged.append(n)
                if life == 0:
                    daemon.wait_for_line("sink fails")
                daemon.process.kill()
                daemon.process.wait()
        self.receiver.begin()
        with self.daemon("--set", "node.shards=1"):
            self.assertTrue(self.receiver.wait_for(set(acknowledged)))
            self.assertTrue(self.wait_for_file(set(acknowledged)))
        self.assertEqual(first_ones(self.receiver.lines), acknowledged)
        self.assertEqual(first_ones(self.file_entries()), acknowledged)

    def test_a_full_queue_is_told_to_the_publisher(self):
        with open(self.config, "a") as file:
            file.write("queue_max = 3\n")
        with self.daemon("--set", "node.shards=1") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            codes = [device.publish_acknowledged("data/d1", json.dumps({"n": n})) for n in range(10)]
            self.assertIn(codes[0], (0, 16))
            self.assertEqual(codes[-1], 0x97)

    def test_a_rule_that_is_replaced_or_deleted_takes_its_queues_along(self):
        socket = os.path.join(self.folder.name, "data", "twinmq.sock")
        with open(self.config, "w") as file:
            file.write(f'[rules]\nhttp_targets = ["http://127.0.0.1:{self.receiver.port}/"]\n')
        definition = ("sql = \"SELECT n FROM 'data/+'\"\n[[action]]\ntype = \"http\"\nbody = \"lines\"\n"
                      f"url = \"http://127.0.0.1:{self.receiver.port}/%s\"\n")

        def twinmq(*arguments, text=None):
            code, output, error = run("twinmq", *arguments, "--socket", socket, text=text)
            self.assertEqual((code, error), (0, ""))
            return output

        def publish(numbers):
            for n in numbers:
                self.assertIn(device.publish_acknowledged("data/d1", json.dumps({"n": n})), (0, 16))

        with self.daemon("--set", "node.shards=2") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            daemon.wait_for_line("admin socket")
            twinmq("rule", "create", "gone", text=definition % "gone")
            publish(range(5))
            twinmq("rule", "delete", "gone")
            self.assertEqual(json.loads(twinmq("sink", "list", "--json")), [])
            twinmq("rule", "create", "kept", text=definition % "one")
            publish(range(10, 20))
            daemon.wait_for_line("sink fails")
            twinmq("rule", "replace", "kept", text=definition % "two")
            publish(range(20, 30))
            self.assertEqual(json.loads(twinmq("sink", "stats", "kept/0", "--json"))["waiting_entries"], 20)
            self.receiver.begin()
            self.assertTrue(self.receiver.wait_for(set(range(10, 30))))
            self.assertEqual(first_ones(self.receiver.lines), list(range(10, 30)))
            # Dead letters go back into their queue when somebody says so.
            self.receiver.status = 400
            publish([30])
            daemon.wait_for_line("entry refused by its sink")
            self.receiver.status = 204
            self.assertEqual(twinmq("sink", "replay", "kept/0"), "1 dead letters are back in the queue of kept/0\n")
            self.assertTrue(self.receiver.wait_for({30}))
            self.assertEqual(run("twinmq", "sink", "replay", "nobody", "--socket", socket)[0], 1)

    def test_rules_reach_only_what_the_administrator_allows(self):
        for old, new, what in (("/out/kept.jsonl", "/out/../../etc/x", "is not below any of rules.file_directories"),
                               ("/in\"", "/in\"", None),
                               ("url = \"http://127.0.0.1", "url = \"http://evil.example", "begins with none of rules.http_targets")):
            text = CONFIG.format(folder=self.folder.name, port=self.receiver.port).replace(old, new)
            with open(self.config, "w") as file:
                file.write(text)
            code, out, err = run("twinmqd", "--config", self.config, "--check")
            if what is None:
                self.assertEqual((code, err), (0, ""))
            else:
                self.assertEqual(code, 2)
                self.assertIn(what, err)


if __name__ == "__main__":
    unittest.main()
