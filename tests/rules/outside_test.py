"""What rules look into beside the message: tables, message types and secrets."""

import base64
import json
import os
import unittest

from configured import Configured
from mqtt import Client
from programs import run
from receiver import Receiver

CONFIG = """
[rules]
lookup_directory = "{folder}/tables"
descriptor_directory = "{folder}/types"
http_targets = ["http://127.0.0.1:{port}/"]
secrets = ["token=file:{folder}/token", "plant=env:TWINMQ_TEST_PLANT"]

[[rule]]
name = "rooms"
sql = "SELECT n, lookup('plant/rooms', topic(2), 'room') AS room FROM 'data/+'"
[[rule.action]]
type = "republish"
topic = "rooms"
qos = 1

[[rule]]
name = "packed"
sql = "SELECT VALUE decode(*, 'proto', 'plant.desc', 'plant.Reading') FROM 'packed'"
[[rule.action]]
type = "republish"
topic = "unpacked"
qos = 1

[[rule]]
name = "sent"
sql = "SELECT n FROM 'data/+'"
[[rule.action]]
type = "http"
url = "http://127.0.0.1:{port}/in"
headers = ["Authorization: Bearer ${{get_secret('token')}}", "X-Plant: ${{ get_secret('plant', 'SecretString') }}!"]
"""


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def reading_types():
    """message Reading { int32 t = 1; } in the package plant, as protoc writes it."""
    member = field(1, b"t") + bytes([3 << 3, 1, 4 << 3, 1, 5 << 3, 5])
    message = field(1, b"Reading") + field(2, member)
    return field(1, field(1, b"plant.proto") + field(2, b"plant") + field(4, message) + field(12, b"proto3"))


class Outside(Configured):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path("tables/plant"))
        os.mkdir(self.path("types"))
        self.receiver = Receiver()
        self.table("device,room\nd1,hall\n")
        self.file("types/plant.desc", reading_types())
        self.file("token", b"s3cr3t-one\n")
        self.configure(CONFIG.format(folder=self.folder.name, port=self.receiver.port))

    def tearDown(self):
        self.receiver.end()
        super().tearDown()

    def table(self, text):
        """Replaced at once, as editors do."""
        self.file("tables/plant/.new", text)
        os.replace(self.path("tables/plant/.new"), self.path("tables/plant/rooms.csv"))

    def options(self):
        return ("--config", self.config, "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.path("data"))

    def daemon(self, *more):
        return super().daemon(*more, env={"TWINMQ_TEST_PLANT": "north"})

    def test_tables_are_looked_into_and_read_again_when_they_change(self):
        with self.daemon("--set", "node.shards=2") as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True, expiry=0)
            watcher.subscribe("rooms", 1)
            devices = [Client(port, f"device{i}", clean=True, expiry=0) for i in range(3)]

            def rooms(n):
                found = []
                for device in devices:
                    device.publish_acknowledged("data/d1", json.dumps({"n": n}))
                    found.append(self.receive(watcher)[1].get("room"))
                return found

            self.assertEqual(rooms(1), ["hall"] * 3)
            self.table("device,room\nd1,cellar\nd2\n")
            self.assertIn("rooms.csv: line 3: expected 2 fields, found 1", daemon.wait_for_line("rule files kept"))
            self.assertEqual(rooms(2), ["hall"] * 3)
            self.table("device,room\nd1,cellar\n")
            daemon.wait_for_line("rule files renewed")
            self.assertEqual(rooms(3), ["cellar"] * 3)
            # A new file in a new folder, and a whole reload.
            os.mkdir(self.path("tables/more"))
            daemon.wait_for_line("rule files renewed")
            self.file("tables/more/empty.json", b"{}")
            self.assertIn("tables=2", daemon.wait_for_line("rule files renewed"))
            self.file("tables/more/empty.json", b"{")
            daemon.wait_for_line("rule files kept")
            daemon.signal("HUP")
            daemon.wait_for_line("empty.json: line 1")
            self.assertEqual(rooms(4), ["cellar"] * 3)
            os.remove(self.path("tables/more/empty.json"))
            daemon.wait_for_line("tables=1")

    def test_a_start_is_refused_for_a_table_that_is_none_or_lies_elsewhere(self):
        self.file("elsewhere.csv", b"a,b\n1,2\n")
        os.symlink(self.path("elsewhere.csv"), self.path("tables/link.csv"))
        code, _, error = run("twinmqd", *self.options(), env={"TWINMQ_TEST_PLANT": "north"})
        self.assertNotEqual(code, 0)
        self.assertIn("tables/link.csv: this link leads out of the directory", error)
        os.remove(self.path("tables/link.csv"))
        self.file("types/bad.desc", b"no descriptor")
        code, _, error = run("twinmqd", *self.options(), env={"TWINMQ_TEST_PLANT": "north"})
        self.assertNotEqual(code, 0)
        self.assertIn("types/bad.desc: this is no FileDescriptorSet", error)
        os.remove(self.path("types/bad.desc"))
        self.table("device,room\n" + "".join(f"d{i},hall\n" for i in range(1000)))
        code, _, error = run("twinmqd", *self.options(), "--set", "rules.files_bytes_max=4096", env={"TWINMQ_TEST_PLANT": "north"})
        self.assertNotEqual(code, 0)
        self.assertIn("rooms.csv: it takes more room than rules.files_bytes_max leaves", error)

    def test_protobuf_is_decoded_and_what_is_none_counted(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            watcher = Client(port, "watcher", clean=True, expiry=0)
            watcher.subscribe("unpacked", 1)
            device = Client(port, "device", clean=True, expiry=0)
            device.publish_acknowledged("packed", b"\x08\x15")
            self.assertEqual(self.receive(watcher)[1], {"t": 21})
            device.publish_acknowledged("packed", b"\x08")
            self.assertEqual(self.receive(watcher)[1], None)
            code, told, _ = run("twinmq", "rule", "stats", "packed", "--json", "--socket", self.socket)
            self.assertEqual((code, json.loads(told)["undecodable"]), (0, 1))

    def test_a_statement_is_tried_with_tables_and_types(self):
        env = {"TWINMQ_TEST_PLANT": "north"}
        code, told, error = run("twinmq", "rule", "test", "--config", self.config, "--json", "--topic", "t", "--sql",
                                "SELECT lookup('plant/rooms', d).room AS room, decode(p, 'proto', 'plant.desc', 'Reading').t AS t FROM 't'",
                                "--payload", json.dumps({"d": "d1", "p": base64.b64encode(b"\x08\x15").decode()}), env=env)
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(json.loads(told)["result"], {"room": "hall", "t": 21})

    def test_secrets_reach_the_server_and_are_shown_nowhere(self):
        self.receiver.begin()
        shown = []
        with self.daemon("--set", "node.shards=1", "--log-level", "debug") as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            device = Client(port, "device", clean=True, expiry=0)
            device.publish_acknowledged("data/d1", '{"n": 1}')
            self.assertTrue(self.receiver.wait_for({1}))
            self.assertEqual(self.receiver.headers["Authorization"], "Bearer s3cr3t-one")
            self.assertEqual(self.receiver.headers["X-Plant"], "north!")
            # A new secret counts at once.
            self.file("token", b"s3cr3t-two")
            device.publish_acknowledged("data/d1", '{"n": 2}')
            self.assertTrue(self.receiver.wait_for({2}))
            self.assertEqual(self.receiver.headers["Authorization"], "Bearer s3cr3t-two")
            # Without it the result waits.
            os.rename(self.path("token"), self.path("gone"))
            device.publish_acknowledged("data/d1", '{"n": 3}')
            daemon.wait_for_line("sink fails")
            os.rename(self.path("gone"), self.path("token"))
            self.assertTrue(self.receiver.wait_for({3}))
            socket = ("--socket", self.socket)
            for command in (("rule", "show", "sent"), ("rule", "show", "sent", "--json"), ("rule", "list", "--json"),
                            ("rule", "explain", "sent"), ("rule", "stats", "sent", "--json"), ("sink", "list")):
                code, told, error = run("twinmq", *command, *socket)
                self.assertEqual((code, error), (0, ""), command)
                shown.append(told)
            unknown = "sql = \"SELECT n FROM 'x'\"\n[[action]]\ntype = \"http\"\nurl = \"http://127.0.0.1:%d/\"\nheaders = [\"A: %s\"]\n"
            for header, fault in (("${get_secret('nothing')}", 'the secret "nothing" is none of rules.secrets'),
                                  ("${get_secret('token')} ${topic()}",
                                   "a header that names a secret holds ${get_secret('NAME')} and no other expression")):
                code, _, error = run("twinmq", "rule", "create", "r", *socket, text=unknown % (self.receiver.port, header))
                self.assertNotEqual(code, 0)
                self.assertIn(fault, error)
        code, printed, _ = run("twinmqd", "--config", self.config, "--print-config", env={"TWINMQ_TEST_PLANT": "north"})
        self.assertEqual(code, 0)
        self.assertIn("get_secret('token')", printed)
        self.assertNotIn("s3cr3t", "".join([*shown, printed, *daemon.seen]))


if __name__ == "__main__":
    unittest.main()
