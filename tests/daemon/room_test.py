"""What queues of absent clients take of memory and disk, give back, and how a backup made meanwhile compares."""

import json
import os
import re
import subprocess
import tempfile
import threading
import time
import unittest

from mqtt import Client
from programs import BIN, PATIENCE, Daemon, run

MIB = 1024 * 1024
MESSAGES = 60_000
PAYLOAD = 1_000


def resident(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024


def on_disk(folder):
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                pass  # compacted away meanwhile
    return total


def becomes(condition):
    """Whether it comes true while one waits."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


class Room(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="twinmq-room-")
        self.data = os.path.join(self.folder.name, "data")

    def tearDown(self):
        self.folder.cleanup()

    def daemon(self, *settings):
        options = [option for setting in settings for option in ("--set", setting)]
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, *options)

    def bench(self, port, daemon, *options):
        done = subprocess.run([os.path.join(BIN, "twinmq-bench"), "offline", "--json", "--port", str(port), "--pid",
                               str(daemon.process.pid), *options], capture_output=True, text=True, timeout=300, check=False)
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["failure"], report["loss"], report["duplicates"]), (0, None, 0, 0))
        return report

    @unittest.skipIf("TWINMQ_SANITIZED" in os.environ, "sanitizers take memory of their own")
    def test_a_gateway_at_rest_has_less_than_forty_megabytes(self):
        with self.daemon("storage.profile=gateway") as daemon:
            Client(daemon.ports()[0], "device").publish_acknowledged("a", "1")
            self.assertLess(resident(daemon), 40 * MIB)

    @unittest.skipIf("TWINMQ_SANITIZED" in os.environ, "sanitizers take memory of their own")
    def test_a_long_queue_takes_disk_and_little_memory_and_both_come_back(self):
        budget = ("storage.profile=gateway", "limits.queue_memory_bytes=1000000", "limits.queue_messages_max=1000000",
                  "limits.queue_bytes_max=1000000000", "storage.durability=os", "node.shards=1")
        with self.daemon(*budget) as daemon:
            report = self.bench(daemon.ports()[0], daemon, "--messages", str(MESSAGES), "--payload", str(PAYLOAD),
                                "--subscribers", "4", "--publishers", "4", "--window", "50")
            # Sixty megabytes wait; one may be in memory, and the store has six of its own.
            self.assertLess(report["rss_bytes_queued"] - report["rss_bytes_before"], 30 * MIB)
            self.assertTrue(becomes(lambda: on_disk(self.data) < MESSAGES * PAYLOAD // 3), on_disk(self.data))
            self.assertTrue(becomes(lambda: resident(daemon) < report["rss_bytes_before"] + 30 * MIB), resident(daemon))

    def test_a_backup_made_under_load_has_everything_acknowledged_before_it_began(self):
        acknowledged = []
        stop = threading.Event()
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            away = Client(port, "away")
            away.subscribe("load", 1)
            away.disconnect()

            def publish():
                client = Client(port, "publisher")
                while not stop.is_set():
                    if client.publish_acknowledged("load", str(len(acknowledged))) < 0x80:
                        acknowledged.append(len(acknowledged))

            publisher = threading.Thread(target=publish)
            publisher.start()
            self.assertTrue(becomes(lambda: len(acknowledged) > 100))
            before = len(acknowledged)
            backup = os.path.join(self.folder.name, "backup")
            self.assertEqual(run("twinmq", "backup", backup, "--socket", os.path.join(self.data, "twinmq.sock"))[0], 0)
            after = len(acknowledged)
            stop.set()
            publisher.join()
        self.data = os.path.join(self.folder.name, "restored")
        self.assertEqual(run("twinmqd", "--restore", backup, "--data-dir", self.data)[0], 0)
        with self.daemon() as daemon:
            away = Client(daemon.ports()[0], "away")
            for number in range(before):
                self.assertEqual(int(away.receive()[1]), number)
            # One may have been stored whose acknowledgement came later.
            restored = before
            while (message := away.receive(patience=1)) is not None:
                self.assertEqual(int(message[1]), restored)
                restored += 1
            self.assertLessEqual(restored, after + 1)


if __name__ == "__main__":
    unittest.main()
