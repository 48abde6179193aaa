"""Rules in a running daemon, with 1, 2 and 4 shards."""

import json
import os
import tempfile
import unittest

from mqtt import Client
from programs import Daemon, run

RULES = r"""
[[rule]]
name = "hot"
sql = "SELECT temperature, topic(2) AS device FROM 'sensors/+/data' WHERE temperature > 50 AND location.site = 'a'"
[[rule.action]]
type = "republish"
topic = "alerts/${topic(2)}"
qos = 1

[[rule]]
name = "changes"
sql = "SELECT state, lag(state) AS before FROM 'door/+' WHERE changed(state)"
persist = true
[[rule.action]]
type = "republish"
topic = "door/changed"
qos = 1

[[rule]]
name = "loop"
sql = "SELECT * FROM 'loop'"
[[rule.action]]
type = "republish"
topic = "loop"

[[rule]]
name = "lamp"
sql = "SELECT on FROM 'lamps/+'"
[[rule.action]]
type = "shadow"
thing = "${topic(2)}"
"""


class Rules(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.config = os.path.join(self.folder.name, "rules.toml")
        with open(self.config, "w") as file:
            file.write(RULES)

    def tearDown(self):
        self.folder.cleanup()

    def daemon(self, shards):
        return Daemon("--config", self.config, "--listen", "mqtt://127.0.0.1:0", "--data-dir",
                      os.path.join(self.folder.name, f"data{shards}"), "--set", f"node.shards={shards}")

    def receive(self, client):
        topic, payload, *_ = client.receive(patience=20)
        return topic, json.loads(payload)

    def test_messages_set_off_rules_on_every_number_of_shards(self):
        for shards in (1, 2, 4):
            with self.subTest(shards=shards), self.daemon(shards) as daemon:
                port = daemon.ports()[0]
                watcher = Client(port, "watcher", clean=True, expiry=0)
                for topic in ("alerts/#", "door/changed", "$aws/things/lamp1/shadow/update/accepted"):
                    watcher.subscribe(topic, 1)
                devices = [Client(port, f"device{i}", clean=True, expiry=0) for i in range(4)]
                hot = json.dumps({"temperature": 60, "location": {"site": "a"}})
                cold = json.dumps({"temperature": 40, "location": {"site": "a"}})
                devices[0].publish_acknowledged("sensors/s0/data", cold)
                devices[1].publish_acknowledged("sensors/s1/data", "no json")
                self.assertIn(devices[2].publish_acknowledged("sensors/s2/data", hot), (0, 16))
                self.assertEqual(self.receive(watcher), ("alerts/s2", {"temperature": 60, "device": "s2"}))
                devices[3].publish_acknowledged("$aws/rules/hot/sensors/s3/data", hot)
                self.assertEqual(self.receive(watcher), ("alerts/s3", {"temperature": 60, "device": "s3"}))
                devices[0].publish_acknowledged("lamps/lamp1", '{"on":true}')
                topic, accepted = self.receive(watcher)
                self.assertEqual(accepted["state"], {"reported": {"on": True}})
                # What a rule remembers does not depend on where messages enter.
                for i, state in enumerate(["open", "open", "shut", "shut"]):
                    devices[i].publish_acknowledged("door/1", json.dumps({"state": state}))
                self.assertEqual(self.receive(watcher)[1], {"state": "open"})
                self.assertEqual(self.receive(watcher)[1], {"state": "shut", "before": "open"})
                # A rule that sets itself off ends.
                devices[0].publish_acknowledged("loop", "{}")
                devices[0].publish_acknowledged("sensors/s0/data", hot)
                self.assertEqual(self.receive(watcher)[0], "alerts/s0")

    def test_what_a_persistent_rule_remembers_survives_a_kill(self):
        for expected in ({"state": "open"}, None):
            with self.daemon(2) as daemon:
                port = daemon.ports()[0]
                watcher = Client(port, "watcher", clean=True, expiry=0)
                watcher.subscribe("door/changed", 1)
                device = Client(port, "device", clean=True, expiry=0)
                device.publish_acknowledged("door/1", '{"state":"open"}')
                if expected:
                    self.assertEqual(self.receive(watcher)[1], expected)
                else:
                    device.publish_acknowledged("door/1", '{"state":"shut"}')
                    self.assertEqual(self.receive(watcher)[1]["state"], "shut")

    def test_clients_cannot_speak_for_a_rule(self):
        with self.daemon(2) as daemon:
            port = daemon.ports()[0]
            device = Client(port, "device", clean=True, expiry=0)
            self.assertEqual(device.publish_acknowledged("$twinmq/rules/state/changes", "x"), 0x87)

    def test_a_rule_that_cannot_be_read_is_refused_with_its_place(self):
        with open(self.config, "a") as file:
            file.write("[[rule]]\nname = \"bad\"\nsql = \"SELECT a FORM 'x'\"\n")
        code, _, error = run("twinmqd", "--config", self.config, "--check")
        self.assertEqual(code, 2)
        self.assertIn('rule "bad": sql: line 1, column 10: expected FROM, WHERE or the end of the statement, found \'FORM\'', error)

    def test_the_printed_configuration_reads_back_with_its_rules(self):
        code, printed, _ = run("twinmqd", "--config", self.config, "--print-config")
        self.assertEqual(code, 0)
        again = os.path.join(self.folder.name, "again.toml")
        with open(again, "w") as file:
            file.write(printed)
        code, twice, error = run("twinmqd", "--config", again, "--print-config")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(printed[printed.index("[[rule]]"):], twice[twice.index("[[rule]]"):])
        self.assertIn('topic = "alerts/${topic(2)}"', twice)


if __name__ == "__main__":
    unittest.main()
