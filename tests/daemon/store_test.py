"""What a daemon with a data directory keeps over its end, orderly or not."""

import collections
import json
import os
import tempfile
import unittest

from mqtt import Client
from programs import Daemon, run


class Store(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="twinmq-store-")
        self.data = os.path.join(self.scratch.name, "data")

    def tearDown(self):
        self.scratch.cleanup()

    def daemon(self, *more, durability="fsync"):
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, "--set", "node.shards=2",
                      "--set", f"storage.durability={durability}", *more)

    def test_sessions_queues_and_retained_messages_survive_kill_and_restart(self):
        for durability, end in (("fsync", "KILL"), ("os", "KILL"), ("os", "TERM"), ("fsync", "TERM")):
            with self.subTest(durability=durability, end=end):
                self.data = os.path.join(self.scratch.name, durability + end)
                with self.daemon(durability=durability) as daemon:
                    self.assertIn(f"durability={durability}", daemon.wait_for_line("starting"))
                    port = daemon.ports()[0]
                    for level in (4, 5):
                        reader = Client(port, f"reader{level}", level=level)
                        self.assertEqual(reader.subscribe("q/#", 2), 2)
                        reader.disconnect()
                    writer = Client(port, "writer", clean=True, expiry=0)
                    for qos in (1, 2):
                        self.assertEqual(writer.publish_acknowledged(f"q/{qos}", f"m{qos}", qos), 0)
                    self.assertEqual(writer.publish_acknowledged("r/1", "kept", 1, retain=True), 0x10)
                    self.assertEqual(writer.publish_acknowledged("r/2", "set", 1, retain=True), 0x10)
                    self.assertEqual(writer.publish_acknowledged("r/2", "", 1, retain=True), 0x10)
                    daemon.signal(end)
                    daemon.exit_code()
                # With another number of shards: nothing on disk knows it.
                with self.daemon("--set", "node.shards=3", durability=durability) as daemon:
                    port = daemon.ports()[0]
                    for level in (4, 5):
                        reader = Client(port, f"reader{level}", level=level)
                        self.assertTrue(reader.session_present)
                        self.assertEqual([reader.receive()[:3] for _ in range(2)],
                                         [("q/1", "m1", 1), ("q/2", "m2", 2)])
                    other = Client(port, "other", clean=True)
                    other.subscribe("r/#", 1)
                    self.assertEqual(other.receive()[:2], ("r/1", "kept"))
                    self.assertIsNone(other.receive(patience=0.2))

    def test_a_queue_longer_than_memory_survives_a_kill_and_comes_whole_and_in_order(self):
        memory = ("--set", "limits.queue_memory_bytes=20000")
        texts = [f"{n} " + "x" * 200 for n in range(1500)]
        with self.daemon(*memory, durability="os") as daemon:
            port = daemon.ports()[0]
            reader = Client(port, "reader")
            self.assertEqual(reader.subscribe("q", 1), 1)
            reader.disconnect()
            writer = Client(port, "writer", clean=True, expiry=0)
            for text in texts[:1000]:
                self.assertEqual(writer.publish_acknowledged("q", text, 1), 0)
            daemon.process.kill()
            daemon.process.wait()
        with self.daemon(*memory, durability="os") as daemon:
            port = daemon.ports()[0]
            writer = Client(port, "writer", clean=True, expiry=0)
            for text in texts[1000:]:
                self.assertEqual(writer.publish_acknowledged("q", text, 1), 0)
            reader = Client(port, "reader")
            self.assertTrue(reader.session_present)
            self.assertEqual([reader.receive()[1] for _ in texts], texts)

    def metric(self, name):
        code, out, err = run("twinmq", "stats", "--json", "--socket", os.path.join(self.data, "twinmq.sock"))
        self.assertEqual(code, 0, err)
        return json.loads(out)["metrics"]["twinmq_" + name]["value"]

    def kinds(self):
        """Records in the store, by kind."""
        code, out, err = run("twinmq", "store", "dump", "--data-dir", self.data)
        self.assertEqual(code, 0, err)
        return collections.Counter(json.loads(line)["kind"] for line in out.splitlines())

    def test_a_long_message_waits_once_however_many_sessions_wait_for_it(self):
        readers = [f"reader{n}" for n in range(20)]
        texts = [f"{n} " + "x" * 20_000 for n in range(50)]
        for memory in ("0", "100000000"):
            with self.subTest(memory=memory):
                self.data = os.path.join(self.scratch.name, "data" + memory)
                options = ("--set", f"limits.queue_memory_bytes={memory}")
                with self.daemon(*options) as daemon:
                    port = daemon.ports()[0]
                    for name in readers:
                        reader = Client(port, name)
                        reader.subscribe("q", 1)
                        reader.disconnect()
                    writer = Client(port, "writer", clean=True, expiry=0)
                    for text in texts:
                        self.assertEqual(writer.publish_acknowledged("q", text, 1), 0)
                    daemon.signal("KILL")
                    daemon.exit_code()
                kinds = self.kinds()
                self.assertEqual(kinds["delivery"], 1000)
                self.assertEqual(kinds["message"], 100)  # on each of two shards
                code, out, err = run("twinmq", "store", "check", "--data-dir", self.data)
                self.assertEqual(code, 0, out + err)
                with self.daemon("--set", "node.shards=3", *options) as daemon:
                    port = daemon.ports()[0]
                    for name in readers:
                        reader = Client(port, name)
                        self.assertEqual([reader.receive()[1] for _ in texts], texts)
                        reader.subscribe("q", 1)  # answered behind the acknowledgements
                        reader.disconnect()
                    daemon.signal("TERM")
                    daemon.exit_code()
                self.assertEqual(self.kinds()["delivery"], 0)

    def test_listeners_and_topics_have_durability_of_their_own(self):
        levels = ("--listen", "mqtt://127.0.0.1:0", "--set", "listener[1].durability=os",
                  "--set", "storage.fsync_filters=commands/#", "--set", "storage.none_filters=pulse/#")
        topics = ["plain", "commands/a", "pulse/a"]
        with self.daemon(*levels) as daemon:
            strict, relaxed = daemon.ports()
            reader = Client(strict, "reader")
            reader.subscribe("#", 1)
            reader.disconnect()
            daemon.wait_for_line("client disconnected")
            for port, synced in ((strict, [True, True, False]), (relaxed, [False, True, False])):
                writer = Client(port, f"writer{port}", clean=True, expiry=0)
                for topic, expected in zip(topics, synced):
                    before = self.metric("store_syncs_total"), self.metric("store_writes_total")
                    self.assertEqual(writer.publish_acknowledged(topic, f"{port}"), 0)
                    while self.metric("store_writes_total") == before[1]:
                        pass
                    self.assertEqual(self.metric("store_syncs_total") > before[0], expected, (port, topic))
                writer.disconnect()
            daemon.signal("KILL")
            daemon.exit_code()
        # The process ended, not the machine: everything that was written is there.
        with self.daemon() as daemon:
            reader = Client(daemon.ports()[0], "reader")
            self.assertEqual([reader.receive()[:2] for _ in range(6)],
                             [(topic, f"{port}") for port in (strict, relaxed) for topic in topics])

    def test_levels_that_no_store_could_keep_are_refused(self):
        code, _, err = run("twinmqd", "--check", "--data-dir", "", "--set", "storage.os_filters=telemetry/#")
        self.assertEqual(code, 2)
        self.assertIn("storage.os_filters", err)

    def test_publishers_wait_for_a_full_queue_where_back_pressure_is_wanted(self):
        with self.daemon("--set", "limits.queue_messages_max=10", "--set", "limits.queue_back_pressure=#") as daemon:
            port = daemon.ports()[0]
            reader = Client(port, "reader")
            reader.subscribe("q", 1)
            reader.disconnect()
            writer = Client(port, "writer", clean=True, expiry=0)
            for n in range(15):
                writer.publish("q", str(n))
            answered = [writer.next().kind for _ in range(10)]
            self.assertEqual(answered, [4] * 10)
            self.assertIsNone(writer.next(0.3))
            self.assertEqual(self.metric("held_back_messages"), 5)
            reader = Client(port, "reader")
            self.assertEqual([reader.receive()[1] for _ in range(15)], [str(n) for n in range(15)])
            self.assertEqual([writer.next().kind for _ in range(5)], [4] * 5)

    def test_a_delayed_will_of_a_persistent_session_survives_the_broker(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher")
            watcher.subscribe("will/#", 1)
            watcher.disconnect()
            Client(port, "doomed", will=("will/doomed", "gone", 1, 1)).cut()
            daemon.wait_for_line("")
            daemon.signal("KILL")
        with self.daemon() as daemon:
            watcher = Client(daemon.ports()[0], "watcher")
            self.assertEqual(watcher.receive()[:2], ("will/doomed", "gone"))

    def test_a_qos_2_message_in_the_middle_of_its_handshake_is_neither_lost_nor_doubled(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            reader = Client(port, "reader")
            reader.subscribe("q", 2)
            reader.disconnect()
            writer = Client(port, "writer")
            identifier = writer.publish("q", "once", 2)
            self.assertEqual(writer.next().kind, 5)  # PUBREC: stored with its identifier
            daemon.signal("KILL")
            daemon.exit_code()
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            writer = Client(port, "writer")
            self.assertTrue(writer.session_present)
            writer.publish("q", "once", 2, packet_id=identifier, dup=True)
            self.assertEqual(writer.next().kind, 5)
            writer.send(6, 2, identifier.to_bytes(2, "big"))
            self.assertEqual(writer.next().kind, 7)
            reader = Client(port, "reader")
            self.assertEqual(reader.receive()[:2], ("q", "once"))
            self.assertIsNone(reader.receive(patience=0.2))

    def test_a_second_daemon_on_the_same_data_directory_is_refused_clearly(self):
        with self.daemon() as daemon:
            daemon.ports()
            code, _, err = run("twinmqd", "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data)
            self.assertEqual(code, 1)
            self.assertIn(f"in use by another broker (process {daemon.process.pid})", err)

    def test_data_of_a_newer_version_is_refused_clearly(self):
        with self.daemon() as daemon:
            daemon.ports()
        with open(os.path.join(self.data, "FORMAT"), "w") as file:
            file.write("999\n")
        code, _, err = run("twinmqd", "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data)
        self.assertEqual(code, 1)
        self.assertIn("has format 999", err)

    def test_without_durability_nothing_is_written(self):
        with self.daemon(durability="none") as daemon:
            daemon.ports()
        self.assertFalse(os.path.exists(self.data))


if __name__ == "__main__":
    unittest.main()
