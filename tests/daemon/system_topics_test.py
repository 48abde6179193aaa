"""$SYS as a daemon serves it: what it tells, and that it is true of this run only."""

import json
import os
import tempfile
import unittest

from mqtt import Client
from programs import Daemon, run


class SystemTopics(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="twinmq-sys-")
        self.data = os.path.join(self.folder.name, "data")

    def tearDown(self):
        self.folder.cleanup()

    def daemon(self, *more):
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, "--set", "node.shards=1",
                      "--set", "sys.interval_seconds=1", *more)

    def store_writes(self):
        told = run("twinmq", "stats", "--json", "--socket", os.path.join(self.data, "twinmq.sock"))[1]
        return json.loads(told)["metrics"]["twinmq_store_writes_total"]["value"]

    def wait_for(self, client, topic, value=None):
        while True:
            message = client.receive()
            self.assertIsNotNone(message)
            if message[0] == topic and value in (None, message[1]):
                return message[1]

    def test_nothing_of_it_is_written_and_nothing_outlives_the_run(self):
        with self.daemon() as daemon:
            reader = Client(daemon.ports()[0], "reader", clean=True, expiry=0)
            reader.publish_acknowledged("kept", "yes", 1, retain=True)
            reader.subscribe("$SYS/broker/uptime", 0)
            before, first = self.store_writes(), self.wait_for(reader, "$SYS/broker/uptime")
            while self.wait_for(reader, "$SYS/broker/uptime") == first:
                pass
            self.assertEqual(self.store_writes(), before)
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)
        records = [json.loads(line) for line in run("twinmq", "store", "dump", "--data-dir", self.data)[1].splitlines()]
        retained = [each for each in records if each["kind"] == "retained"]
        self.assertIn("kept", json.dumps(retained))
        self.assertNotIn("$SYS", json.dumps(records))
        with self.daemon("--set", "modules.sys=false") as daemon:
            reader = Client(daemon.ports()[0], "reader", clean=True, expiry=0)
            reader.subscribe("$SYS/#", 0)
            reader.subscribe("kept", 0)  # the one shard answers in order
            self.assertEqual(reader.receive()[:2], ("kept", "yes"))

    def test_the_level_of_durability_and_what_was_dropped_are_told(self):
        for level, durability in enumerate(("none", "os", "fsync")):
            self.data = os.path.join(self.folder.name, durability)
            with self.subTest(durability=durability), self.daemon(
                    "--set", f"storage.durability={durability}", "--set", "limits.queue_messages_max=1",
                    "--set", "limits.queue_drop_newest=#") as daemon:
                port = daemon.ports()[0]
                watcher = Client(port, "watcher", clean=True, expiry=0)
                watcher.subscribe("$SYS/broker/metrics/twinmq_store_durability", 0)
                self.assertEqual(watcher.receive()[1], str(level))
                watcher.subscribe("$SYS/broker/publish/messages/dropped", 0)
                self.assertEqual(watcher.receive()[1], "0")
                away = Client(port, "away", clean=True)
                away.subscribe("a", 1)
                away.disconnect()
                writer = Client(port, "writer", clean=True, expiry=0)
                for text in ("kept", "dropped", "dropped"):
                    writer.publish_acknowledged("a", text)
                daemon.wait_for_line("queue full.*client=away.*dropped=newest")
                self.wait_for(watcher, "$SYS/broker/publish/messages/dropped", "2")


if __name__ == "__main__":
    unittest.main()
