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

[[rule]]
name = "enriched"
sql = "SELECT t, get_thing_shadow(topic(2)).state.reported.room AS room FROM 'rooms/+'"
[[rule.action]]
type = "republish"
topic = "enriched/${get_thing_shadow(topic(2)).version}"
qos = 1

[[rule]]
name = "own"
sql = "SELECT get_or_default(get_thing_shadow(topic(3)).state.reported.room, 'none') AS room FROM '$aws/things/+/shadow/update'"
[[rule.action]]
type = "republish"
topic = "own"
qos = 1
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

    def test_rules_read_shadows_wherever_they_are_at_home_and_after_a_restart(self):
        for shards in (1, 2, 4):
            for started in range(2):
                with self.subTest(shards=shards, started=started), self.daemon(shards) as daemon:
                    port = daemon.ports()[0]
                    watcher = Client(port, "watcher", clean=True, expiry=0)
                    watcher.subscribe("enriched/#", 1)
                    watcher.subscribe("own", 1)
                    device = Client(port, "device", clean=True, expiry=0)
                    for i in range(4):
                        if not started:
                            # A rule about the very update does not wait for itself.
                            device.publish_acknowledged(f"$aws/things/t{i}/shadow/update", json.dumps({"state": {"reported": {"room": i}}}))
                            topic, answer = self.receive(watcher)
                            self.assertEqual(topic, "own")
                            self.assertIn(answer["room"], ("none", i))
                        device.publish_acknowledged(f"rooms/t{i}", json.dumps({"t": 20}))
                        self.assertEqual(self.receive(watcher), ("enriched/1", {"t": 20, "room": i}))
                    device.publish_acknowledged("rooms/nobody", json.dumps({"t": 20}))
                    device.publish_acknowledged("rooms/t0", json.dumps({"t": 21}))
                    self.assertEqual(self.receive(watcher), ("enriched/1", {"t": 21, "room": 0}))

    def test_the_alerts_of_the_readme_are_raised_reminded_of_and_acknowledged(self):
        with open(os.path.join(os.environ["TWINMQ_SOURCE"], "src/modules/rules/README.md")) as file:
            rules = next(block for block in file.read().split("```toml\n")[1:] if 'name = "acknowledge"' in block).split("```")[0]
        with open(self.config, "w") as file:
            file.write(rules)
        with self.daemon(2) as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True, expiry=0)
            for topic in ("alerts/+/open", "$aws/things/+/shadow/name/alert/update/accepted"):
                watcher.subscribe(topic, 1)
            device = Client(port, "device", clean=True, expiry=0)
            operator = Client(port, "operator", clean=True, expiry=0)

            def measure(t):
                device.publish_acknowledged("sensors/s1/data", json.dumps({"t": t}))

            for raised in range(2):
                measure(20)
                measure(71)
                told = [self.receive(watcher)]
                if told[0][0] == "alerts/s1/open":  # one of them was quicker
                    told = [self.receive(watcher)]
                self.assertEqual(told[0][1]["state"]["reported"]["state"], "raised")
                measure(66)
                self.assertEqual(self.receive(watcher), ("alerts/s1/open", {"device": "s1", "t": 66}))
                operator.publish_acknowledged("alerts/s1/acknowledge", "{}")
                accepted = self.receive(watcher)[1]["state"]["reported"]
                self.assertEqual((accepted["state"], accepted["by"]), ("acknowledged", "operator"))
                measure(67)

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

    def test_clients_see_neither_what_rules_send_each_other_nor_what_is_ingested(self):
        with self.daemon(2) as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True, expiry=0)
            for hidden in ("$aws/rules/#", "$aws/rules/hot/+/s1/data", "$twinmq/rules/state/+", "$share/g/$aws/rules/#"):
                self.assertEqual(watcher.subscribe(hidden, 1), 0x87)

            def next_topic():
                return next(topic for topic in iter(lambda: watcher.receive(patience=20)[0], None) if not topic.startswith("$aws/events/"))

            for topic in ("$aws/#", "$aws/+/hot/#", "$twinmq/#", "alerts/#", "door/changed"):
                watcher.subscribe(topic, 1)
            devices = [Client(port, f"device{i}", clean=True, expiry=0) for i in range(4)]
            for device in devices:
                device.publish_acknowledged("$aws/rules/hot/sensors/s3/data", '{"temperature": 60, "location": {"site": "a"}}')
                self.assertEqual(next_topic(), "alerts/s3")
            self.assertEqual(devices[0].publish_acknowledged("$aws/rules/hot/sensors/s3/data", "{}", retain=True), 0x87)
            for i, device in enumerate(devices):
                device.publish_acknowledged("door/1", json.dumps({"state": i}))
                self.assertEqual(next_topic(), "door/changed")

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
