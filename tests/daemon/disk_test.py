"""A daemon whose disk fills up, turns read-only, or was damaged while nobody looked."""

import os
import shutil
import subprocess
import tempfile
import unittest

from mqtt import Client, Closed
from programs import Daemon, run

MEBIBYTE = 1 << 20


class SmallDisk:
    """A file system of its own, which only root can make."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="twinmq-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path], capture_output=True)
        if done.returncode:
            os.rmdir(self.path)
            raise unittest.SkipTest("a file system can be mounted by root alone")

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=True)
        os.rmdir(self.path)


class Disk(unittest.TestCase):
    def setUp(self):
        self.disk = SmallDisk(48 * MEBIBYTE)
        self.data = os.path.join(self.disk.path, "data")

    def tearDown(self):
        self.disk.remove()

    def daemon(self, *settings):
        options = [option for setting in settings for option in ("--set", setting)]
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, "--set", "node.shards=2", "--set",
                      "storage.profile=gateway", *options)

    def fill_disk(self):
        with open(os.path.join(self.disk.path, "ballast"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass

    def free_disk(self):
        os.remove(os.path.join(self.disk.path, "ballast"))

    def reader_of(self, port):
        reader = Client(port, "reader")
        reader.subscribe("q", 2)
        reader.disconnect()

    def read_all(self, port):
        reader = Client(port, "reader")
        self.assertTrue(reader.session_present)
        found = []
        while (message := reader.receive(patience=0.3)) is not None:
            found.append(message[1])
        return found

    def test_a_full_disk_refuses_publishes_and_takes_them_again_when_there_is_room(self):
        with self.daemon("storage.free_bytes_min=8388608") as daemon:
            port = daemon.ports()[0]
            self.reader_of(port)
            old = Client(port, "old", level=4)
            writer = Client(port, "writer")
            self.assertEqual(writer.publish_acknowledged("q", "before", 1), 0)
            self.fill_disk()
            taken = ["before"]  # the room is looked at after each write
            while writer.publish_acknowledged("q", f"late {len(taken)}", 1) == 0:
                taken.append(f"late {len(taken)}")
            daemon.wait_for_line("disk full")
            self.assertEqual(writer.publish_acknowledged("q", "refused", 1), 0x97)
            self.assertEqual(writer.publish_acknowledged("q", "refused", 2), 0x97)
            old.publish("q", "refused", 1)
            with self.assertRaises(Closed):  # MQTT 3.1.1 cannot be told
                old.next()
            self.free_disk()
            daemon.wait_for_line("disk has room again")
            while (code := writer.publish_acknowledged("q", "after", 1)) != 0:  # every shard has to hear of it
                self.assertEqual(code, 0x97)
            self.assertEqual(self.read_all(port), taken + ["after"])

    def test_a_store_that_may_take_no_more_refuses_publishes_and_keeps_what_it_has(self):
        with self.daemon(f"storage.bytes_max={4 * MEBIBYTE}", "storage.compression=none") as daemon:
            port = daemon.ports()[0]
            self.reader_of(port)
            writer = Client(port, "writer")
            taken = []
            while (code := writer.publish_acknowledged("q", text := f"{len(taken)} " + "x" * 10_000, 1)) == 0:
                taken.append(text)
                self.assertLess(len(taken), 2000)
            self.assertEqual(code, 0x97)
            daemon.wait_for_line("disk full")
            self.assertEqual(self.read_all(port), taken)

    def test_a_disk_that_is_full_all_at_once_costs_connections_but_nothing_acknowledged(self):
        with self.daemon("storage.free_bytes_min=0") as daemon:
            port = daemon.ports()[0]
            self.reader_of(port)
            writer = Client(port, "writer")
            self.assertEqual(writer.publish_acknowledged("q", "before", 1), 0)
            self.fill_disk()
            acknowledged = ["before"]
            with self.assertRaises(Closed):
                for number in range(10_000):
                    text = f"{number} " + "x" * 10_000
                    self.assertEqual(writer.publish_acknowledged("q", text, 1), 0)
                    acknowledged.append(text)
            daemon.wait_for_line("commit failed")
            self.free_disk()
            daemon.wait_for_line("storage recovered")
            writer = Client(port, "writer")
            self.assertEqual(writer.publish_acknowledged("q", "after", 1), 0)
            acknowledged.append("after")
            found = self.read_all(port)
            self.assertEqual([each for each in acknowledged if each not in found], [])

    def test_a_disk_that_turns_read_only_is_survived(self):
        with self.daemon("storage.free_bytes_min=0") as daemon:
            port = daemon.ports()[0]
            self.reader_of(port)
            writer = Client(port, "writer")
            self.assertEqual(writer.publish_acknowledged("q", "before", 1), 0)
            daemon.signal("KILL")
            daemon.exit_code()
        self.disk.remount("ro")
        code, _, err = run("twinmqd", "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data)
        self.assertEqual(code, 1)
        self.assertIn("Read-only file system", err)
        self.disk.remount("rw")
        with self.daemon() as daemon:
            self.assertEqual(self.read_all(daemon.ports()[0]), ["before"])


class Damage(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="twinmq-damage-")
        self.data = os.path.join(self.folder.name, "data")

    def tearDown(self):
        self.folder.cleanup()

    def daemon(self, *more):
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, *more)

    def test_a_damaged_store_starts_with_a_report_unless_told_to_be_strict(self):
        for name in ("first", "second"):  # one table each
            with self.daemon() as daemon:
                client = Client(daemon.ports()[0], name)
                client.subscribe("x/" + name, 1)
                self.assertEqual(client.publish_acknowledged("r/" + name, name, 1, retain=True), 0x10)
                daemon.signal("KILL")
                daemon.exit_code()
        with self.daemon() as daemon:
            daemon.ports()
            daemon.signal("TERM")
            daemon.exit_code()
        store = os.path.join(self.data, "store")
        tables = sorted(name for name in os.listdir(store) if name.endswith(".sst"))
        with open(os.path.join(store, tables[0]), "r+b") as file:
            size = os.path.getsize(file.name)
            file.write(bytes(size))
        copy = self.data + "-copy"
        shutil.copytree(self.data, copy)

        code, _, err = run("twinmqd", "--listen", "mqtt://127.0.0.1:0", "--data-dir", copy, "--set",
                           "storage.strict=true")
        self.assertEqual(code, 1)
        self.assertIn("storage.strict", err)

        with self.daemon() as daemon:
            line = daemon.wait_for_line("stored file set aside")
            self.assertIn(f"file={tables[0]} bytes={size}", line.replace('"', ""))
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True)
            kept = [watcher.publish_acknowledged("x/" + name, "x") for name in ("first", "second")]
            self.assertEqual(kept, [0x10, 0])
            watcher.subscribe("r/#", 1)
            self.assertEqual(watcher.receive()[:2], ("r/second", "second"))
        self.assertEqual(os.listdir(os.path.join(self.data, "quarantine", "1")).count(tables[0]), 1)


if __name__ == "__main__":
    unittest.main()
