"""Rules in a running daemon, with 1, 2 and 4 shards."""

import json
import os
import unittest

from configured import Configured
from mqtt import Client
from programs import run
from receiver import Receiver

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


WINDOWS = """
[[rule]]
name = "one"
sql = "SELECT d, count(*) AS n, sum(t) AS s FROM 'm' GROUP BY d, COUNT(1)"
[[rule.action]]
type = "republish"
topic = "w/one"
qos = 1

[[rule]]
name = "plain"
sql = "SELECT d, t, name FROM 'm'"
[[rule.action]]
type = "republish"
topic = "plain"
qos = 1

[[rule]]
name = "three"
sql = "SELECT d, sum(t) AS sum FROM 'm' GROUP BY d, COUNT(3)"
[[rule.action]]
type = "republish"
topic = "w/three"
qos = 1

[[rule]]
name = "hop"
sql = "SELECT d, collect(name) AS names FROM 'm' GROUP BY d, HOPPING('4s', '4s') EVENT TIME ts"
[[rule.action]]
type = "republish"
topic = "w/hop"
qos = 1

[[rule]]
name = "event"
sql = "SELECT d, first(name) AS first, last(name) AS last FROM 'm' GROUP BY d, TUMBLING('4s') EVENT TIME ts"
[[rule.action]]
type = "republish"
topic = "w/event"
qos = 1
"""


EVENTS = """
[limits]
queue_messages_max = 2
queue_drop_newest = ["drop/#"]

[[rule]]
name = "presence"
sql = "SELECT topic(5) AS client, eventType AS what FROM '$aws/events/presence/+/device'"
[[rule.action]]
type = "republish"
topic = "told/presence"
qos = 1

[[rule]]
name = "shadow"
sql = "SELECT topic(3) AS thing, current.state.reported.on AS on FROM '$aws/things/+/shadow/update/documents'"
[[rule.action]]
type = "republish"
topic = "told/shadow"
qos = 1

[[rule]]
name = "pairs"
sql = "SELECT count(*) AS n FROM 'm' GROUP BY d, COUNT(2)"

[[rule]]
name = "windows"
sql = "SELECT rule, groups FROM '$twinmq/events/window/+'"
[[rule.action]]
type = "republish"
topic = "told/window"
qos = 1

[[rule]]
name = "dropped"
sql = "SELECT reason, clientId AS client, topic, count FROM '$twinmq/events/dropped/+'"
[[rule.action]]
type = "republish"
topic = "told/dropped"
qos = 1
"""


class Rules(Configured):
    def setUp(self):
        super().setUp()
        self.configure(RULES)

    def daemon(self, shards):
        return super().daemon("--set", f"node.shards={shards}", data=f"data{shards}")

    def daemon_without(self, module):
        return super().daemon("--set", "node.shards=2", "--set", f"modules.{module}=false")

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
        self.configure(rules)
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

    def test_windows_yield_the_same_with_every_number_of_shards(self):
        self.configure(WINDOWS)
        told = {}
        for shards in (1, 2, 4):
            with self.subTest(shards=shards), self.daemon(shards) as daemon:
                port = daemon.ports()[0]
                watcher = Client(port, "watcher", clean=True, expiry=0)
                for topic in ("w/#", "plain", "end"):
                    watcher.subscribe(topic, 1)
                device = Client(port, "device", clean=True, expiry=0)
                for i in range(12):
                    device.publish_acknowledged("m", json.dumps({"d": f"d{i % 2}", "t": i, "name": "n" * (i + 1), "ts": i * 1000}))
                device.publish_acknowledged("end", "{}")
                got = sorted((self.receive(watcher) for _ in range(12 + 12 + 4 + 4 + 5)), key=json.dumps)
                told[shards] = got
                by_topic = {topic: [value for name, value in got if name == topic] for topic in {name for name, _ in got}}
                self.assertEqual({topic: len(values) for topic, values in by_topic.items()},
                                 {"w/one": 12, "plain": 12, "w/three": 4, "w/hop": 4, "w/event": 4, "end": 1})
                self.assertIn({"d": "d1", "t": 11, "name": "n" * 12}, by_topic["plain"])
                self.assertIn({"d": "d1", "n": 1, "s": 11}, by_topic["w/one"])
                self.assertIn({"d": "d0", "sum": 0 + 2 + 4}, by_topic["w/three"])
        self.assertEqual(told[1], told[2])
        self.assertEqual(told[1], told[4])

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

    def test_once_knows_what_it_saw_before_a_kill(self):
        self.configure("""
[[rule]]
name = "fresh"
sql = "SELECT id FROM 'orders' WHERE once(id, '1h')"
persist = true
[[rule.action]]
type = "republish"
topic = "fresh"
qos = 1
""")
        for start, fresh in enumerate((["a", "b"], ["c"], ["d"])):
            with self.daemon(2) as daemon:
                port = daemon.ports()[0]
                watcher = Client(port, "watcher", clean=True, expiry=0)
                watcher.subscribe("fresh", 1)
                device = Client(port, "device", clean=True, expiry=0)
                for order in ("a", "b", "a", *"cd"[:start], "b"):
                    device.publish_acknowledged("orders", json.dumps({"id": order}))
                for order in fresh:
                    self.assertEqual(self.receive(watcher), ("fresh", {"id": order}))
                device.publish_acknowledged("fresh", '"the end"')
                self.assertEqual(self.receive(watcher), ("fresh", "the end"))
                daemon.signal("KILL")

    def test_without_rules_everything_else_works(self):
        with self.daemon_without("rules") as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True, expiry=0)
            for topic in ("sensors/#", "alerts/#", "$aws/events/presence/connected/device", "$aws/things/+/shadow/update/accepted"):
                self.assertIn(watcher.subscribe(topic, 1), (0, 1))
            device = Client(port, "device", clean=True, expiry=0)
            self.assertEqual(self.receive(watcher)[0], "$aws/events/presence/connected/device")
            hot = {"temperature": 60, "location": {"site": "a"}}
            device.publish_acknowledged("sensors/s1/data", json.dumps(hot))
            self.assertEqual(self.receive(watcher), ("sensors/s1/data", hot))
            self.assertIn(device.publish_acknowledged("$aws/rules/hot/sensors/s1/data", json.dumps(hot)), (0, 16))
            device.publish_acknowledged("$aws/things/t/shadow/update", '{"state":{"reported":{"x":1}}}')
            self.assertEqual(self.receive(watcher)[1]["state"], {"reported": {"x": 1}})
            kept = Client(port, "kept", clean=True, expiry=3600)
            kept.subscribe("kept", 1)
            kept.cut()
            device.publish_acknowledged("kept", '"one"', retain=True)
            self.assertEqual(self.receive(Client(port, "kept", clean=False, expiry=3600)), ("kept", "one"))
            # No rule acted in between.
            device.publish_acknowledged("alerts/end", '"end"')
            self.assertEqual(self.receive(watcher), ("alerts/end", "end"))
            daemon.wait_for_line("admin socket")
            self.assertIn("rules are switched off", run("twinmq", "rule", "list", "--socket", self.path("data/twinmq.sock"))[2]
                          + run("twinmq", "rule", "create", "x", "--socket", self.path("data/twinmq.sock"), text="sql = \"SELECT * FROM 'a'\"")[2])

    def test_without_events_everything_else_works(self):
        with self.daemon_without("events") as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True, expiry=0)
            for topic in ("$aws/events/#", "$twinmq/events/#", "alerts/#"):
                self.assertIn(watcher.subscribe(topic, 1), (0, 1))
            device = Client(port, "device", clean=True, expiry=0)
            device.subscribe("x", 1)
            device.publish_acknowledged("sensors/s2/data", json.dumps({"temperature": 60, "location": {"site": "a"}}))
            self.assertEqual(self.receive(watcher), ("alerts/s2", {"temperature": 60, "device": "s2"}))
            self.assertEqual(device.publish_acknowledged("$aws/events/presence/connected/x", "{}"), 0x87)

    def test_what_the_broker_tells_about_itself_sets_off_rules(self):
        self.configure(EVENTS)
        for shards in (1, 2):
            with self.subTest(shards=shards), self.daemon(shards) as daemon:
                port = daemon.ports()[0]
                watcher = Client(port, "watcher", clean=True, expiry=0)
                watcher.subscribe("told/#", 1)
                device = Client(port, "device", clean=True, expiry=0)
                self.assertEqual(self.receive(watcher), ("told/presence", {"client": "device", "what": "connected"}))
                for on in (False, True):
                    device.publish_acknowledged("$aws/things/lamp/shadow/update", json.dumps({"state": {"reported": {"on": on}}}))
                self.assertEqual(self.receive(watcher), ("told/shadow", {"thing": "lamp", "on": False}))
                self.assertEqual(self.receive(watcher), ("told/shadow", {"thing": "lamp", "on": True}))
                for _ in range(2):
                    device.publish_acknowledged("m", '{"d":1}')
                self.assertEqual(self.receive(watcher), ("told/window", {"rule": "pairs", "groups": 1}))
                sleeper = Client(port, "sleeper", clean=True, expiry=3600)
                sleeper.subscribe("drop/#", 1)
                sleeper.cut()
                dropped = 0
                for i in range(7):
                    device.publish_acknowledged(f"drop/{i}", "x")
                while dropped < 5:
                    topic, told = self.receive(watcher)
                    if topic == "told/presence":
                        continue
                    self.assertEqual((topic, told["reason"], told["client"], told["topic"][:5]), ("told/dropped", "queue_full", "sleeper", "drop/"))
                    dropped += told["count"]
                self.assertEqual(dropped, 5)
                for forged in ("$twinmq/events/dropped/hops", "$twinmq/events/window/pairs"):
                    self.assertEqual(device.publish_acknowledged(forged, "{}"), 0x87)

    def test_results_wait_for_others_and_batches_have_their_size(self):
        receiver = Receiver()
        receiver.begin()
        self.addCleanup(receiver.end)
        self.configure(f"""
[rules]
http_targets = ["http://127.0.0.1:{receiver.port}/"]
[[rule]]
name = "batched"
sql = "SELECT n FROM 'n'"
[[rule.action]]
type = "http"
url = "http://127.0.0.1:{receiver.port}/in"
body = "lines"
batch_max = 5
linger_milliseconds = 2000
""")
        with self.daemon(1) as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            for n in range(10):
                device.publish_acknowledged("n", json.dumps({"n": n}))
            self.assertTrue(receiver.wait_for(set(range(10))))
            self.assertEqual([entry["n"] for entry in receiver.lines], list(range(10)))
            # As many requests as batches: each waited for others, and took five at most.
            self.assertGreaterEqual(len(receiver.first_of), 2)
            self.assertLess(len(receiver.first_of), 10)

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
        again = self.file("again.toml", printed)
        code, twice, error = run("twinmqd", "--config", again, "--print-config")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(printed[printed.index("[[rule]]"):], twice[twice.index("[[rule]]"):])
        self.assertIn('topic = "alerts/${topic(2)}"', twice)


if __name__ == "__main__":
    unittest.main()
