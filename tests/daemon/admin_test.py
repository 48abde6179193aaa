"""The local socket of administrators, backups, and a store looked at while nobody serves it."""

import json
import os
import socket
import stat
import tempfile
import unittest

from mqtt import Client
from programs import PATIENCE, Daemon, run

KEYS = ("11" * 32, "22" * 32)


class Admin(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="twinmq-admin-")
        self.data = os.path.join(self.folder.name, "data")
        self.socket = os.path.join(self.data, "twinmq.sock")

    def tearDown(self):
        self.folder.cleanup()

    def daemon(self, *settings, data=None):
        options = [option for setting in settings for option in ("--set", setting)]
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", data or self.data, *options)

    def port(self, daemon):
        """Of its only listener, once it can be administered."""
        port = daemon.ports()[0]
        daemon.wait_for_line("admin socket")
        return port

    def fill(self, port):
        reader = Client(port, "reader")
        reader.subscribe("q", 1)
        reader.disconnect()
        writer = Client(port, "writer", clean=True, expiry=0)
        for number in range(20):
            self.assertEqual(writer.publish_acknowledged("q", f"SECRET{number}", 1), 0)
        self.assertEqual(writer.publish_acknowledged("r", "KEPT", 1, retain=True), 0x10)

    def check(self, port):
        reader = Client(port, "reader")
        self.assertTrue(reader.session_present)
        self.assertEqual([reader.receive()[1] for _ in range(20)], [f"SECRET{number}" for number in range(20)])
        other = Client(port, "other", clean=True)
        other.subscribe("r", 1)
        self.assertEqual(other.receive()[1], "KEPT")

    def test_stats_and_sessions_are_told_and_a_client_is_kicked(self):
        with self.daemon("storage.durability=os") as daemon:
            port = self.port(daemon)
            self.fill(port)
            self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)
            code, out, err = run("twinmq", "stats", "--socket", self.socket)
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, r"durability +os\n")
            self.assertRegex(out, r"twinmq_sessions +\d+\n")
            self.assertRegex(out, r"twinmq_store_durability +1\n")
            self.assertRegex(out, r"store.room_bytes +\d+\n")
            metrics = json.loads(run("twinmq", "stats", "--json", "--socket", self.socket)[1])["metrics"]
            self.assertGreater(metrics["twinmq_store_writes_total"]["value"], 0)
            client = Client(port, "watched")
            self.assertIn('"watched" connected', run("twinmq", "sessions", "--socket", self.socket)[1])
            self.assertEqual(run("twinmq", "kick", "watched", "--socket", self.socket)[0], 0)
            self.assertEqual(client.next().kind, 14)
            code, _, err = run("twinmq", "kick", "nobody", "--socket", self.socket)
            self.assertEqual(code, 1)
            self.assertIn("nobody", err)
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)
        self.assertFalse(os.path.exists(self.socket))

    def test_nonsense_is_answered_and_silence_waits_for_nobody(self):
        with self.daemon() as daemon:
            self.port(daemon)
            for request, word in ((b"hello\n", "invalid_argument"), (b'{"operation": "fly"}\n', "not_found"),
                                  (b'{"operation": "kick"}\n', "invalid_argument"),
                                  (b'{"operation": "kick", "arguments": 7}\n', "invalid_argument"),
                                  (b'{"operation": "backup", "arguments": {"directory": "x"}}\n', "invalid_argument")):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(PATIENCE)
                    connection.connect(self.socket)
                    connection.sendall(request)
                    answer = json.loads(connection.recv(4096))
                    self.assertEqual(answer["error"]["code"], word)

    def test_a_backup_made_while_serving_is_restored_with_everything_acknowledged_before_it(self):
        backup = os.path.join(self.folder.name, "backup")
        with self.daemon() as daemon:
            port = self.port(daemon)
            self.fill(port)
            code, out, err = run("twinmq", "backup", backup, "--socket", self.socket)
            self.assertEqual((code, err), (0, ""))
            self.assertIn(backup, out)
            self.assertEqual(run("twinmq", "backup", backup, "--socket", self.socket)[0], 1)
            Client(port, "later").disconnect()
        code, _, err = run("twinmqd", "--restore", backup, "--data-dir", self.data)
        self.assertEqual(code, 2)
        self.assertIn("holds data already", err)
        other = os.path.join(self.folder.name, "other")
        self.assertEqual(run("twinmqd", "--restore", os.path.join(self.folder.name, "none"), "--data-dir", other)[0], 2)
        code, out, err = run("twinmqd", "--restore", backup, "--data-dir", other)
        self.assertEqual((code, err), (0, ""))
        with self.daemon(data=other) as daemon:
            self.check(daemon.ports()[0])
            self.assertFalse(Client(port=daemon_port(daemon), client_id="later").session_present)

    def test_a_store_is_checked_counted_and_dumped_while_nobody_serves_it(self):
        with self.daemon() as daemon:
            self.fill(daemon.ports()[0])
            code, _, err = run("twinmq", "store", "check", "--data-dir", self.data)
            self.assertEqual(code, 1)
            self.assertIn("in use by another broker", err)
        code, out, err = run("twinmq", "store", "check", "--data-dir", self.data)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("everything verifies", out)
        self.assertRegex(out, r"delivery +20 records")
        self.assertIn("table_bytes", run("twinmq", "store", "stats", "--data-dir", self.data)[1])
        records = [json.loads(line) for line in run("twinmq", "store", "dump", "--data-dir", self.data)[1].splitlines()]
        self.assertIn(("delivery", "SECRET7"), [(each["kind"], each.get("payload")) for each in records])
        self.assertEqual(run("twinmq", "store", "check", "--data-dir", self.folder.name + "/none")[0], 1)

    def test_an_encrypted_store_shows_nothing_without_its_key_and_changes_keys(self):
        first, second = (f"storage.encryption_key={key}" for key in KEYS)
        backup = os.path.join(self.folder.name, "backup")
        with self.daemon(first) as daemon:
            self.fill(daemon.ports()[0])
            self.assertEqual(run("twinmq", "backup", backup, "--socket", self.socket)[0], 0)
            daemon.signal("KILL")
            daemon.exit_code()
        for root in (self.data, backup):
            for folder, _, names in os.walk(root):
                for name in set(names) - {"twinmq.sock"}:
                    with open(os.path.join(folder, name), "rb") as file:
                        content = file.read()
                    self.assertNotIn(b"SECRET", content, name)
                    self.assertNotIn(b"KEPT", content, name)
        for settings, word in (((second,), "does not open"), ((), "are encrypted; set storage.encryption_key")):
            options = [option for setting in settings for option in ("--set", setting)]
            code, _, err = run("twinmqd", "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, *options)
            self.assertEqual(code, 1)
            self.assertIn(word, err)
        with self.daemon(second, f"storage.encryption_previous_key={KEYS[0]}") as daemon:
            self.port(daemon)
        self.assertEqual(run("twinmqd", "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.data, "--set", first)[0], 1)
        with self.daemon(second) as daemon:
            self.check(daemon.ports()[0])
        other = os.path.join(self.folder.name, "other")
        self.assertEqual(run("twinmqd", "--restore", backup, "--data-dir", other, "--set", first)[0], 0)
        with self.daemon(first, data=other) as daemon:
            self.check(daemon.ports()[0])
        code, out, err = run("twinmqd", "--set", "storage.encryption_key=short", "--check")
        self.assertEqual(code, 2)
        self.assertIn("64 hexadecimal digits", err)


def daemon_port(daemon):
    return int(next(line for line in daemon.seen if " ready " in line).split("127.0.0.1:")[1].split('"')[0].split()[0])


if __name__ == "__main__":
    unittest.main()
