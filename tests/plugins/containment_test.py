"""Plugins in a running daemon: every kind at work, and every failure contained."""

import json
import os
import time
import unittest

from configured import Configured
from mqtt import Client, Closed
from programs import connect, run

SAMPLES = os.environ["TWINMQ_SAMPLES"]

PLUGIN = """
[[plugin]]
name = "sample"
path = "{samples}/sample.so"
deadline_milliseconds = {deadline}
options = {{ greeting = "hello", list = [1, 2.5, {{ a = true }}] }}
"""

RULES = """
[[rule]]
name = "fast"
sql = "SELECT twice(n) AS n FROM 'fast/+'"
[[rule.action]]
type = "republish"
topic = "out/${topic(2)}"
qos = 1

[[rule]]
name = "slow"
sql = "SELECT slow_twice(slow_twice(n)) AS n, aws_lambda('arn:aws:lambda:eu-west-1:1:function:slow_twice', n) AS twice FROM 'slow/+'"
[[rule.action]]
type = "republish"
topic = "out/${topic(2)}"
qos = 1

[[rule]]
name = "failing"
sql = "SELECT fail(n) AS a, slow_fail(n) AS b, n FROM 'failing'"
[[rule.action]]
type = "republish"
topic = "out/failing"
qos = 1

[[rule]]
name = "late"
sql = "SELECT pause(ms) AS waited, n FROM 'late'"
[[rule.action]]
type = "republish"
topic = "out/late"
qos = 1

[[rule]]
name = "hanging"
sql = "SELECT hang() AS never, n FROM 'hanging'"
[[rule.action]]
type = "republish"
topic = "out/hanging"
qos = 1

[[rule]]
name = "stuck"
sql = "SELECT fast_hang() AS never FROM 'stuck'"
[[rule.action]]
type = "log"

[[rule]]
name = "crashing"
sql = "SELECT crash() AS never FROM 'crash'"
[[rule.action]]
type = "republish"
topic = "out/crash"
qos = 1

[[rule]]
name = "window"
sql = "SELECT range_of(n) AS spread FROM 'window' GROUP BY COUNT(3)"
[[rule.action]]
type = "republish"
topic = "out/window"
qos = 1

[[rule]]
name = "slow_window"
sql = "SELECT sum(slow_twice(n)) AS doubled FROM 'slow_window' WHERE slow_twice(n) > 2 GROUP BY COUNT(3)"
[[rule.action]]
type = "republish"
topic = "out/slow_window"
qos = 1

[[rule]]
name = "sink"
sql = "SELECT VALUE n FROM 'sink'"
[[rule.action]]
type = "plugin"
plugin = {{ name = "lines", path = "{folder}/lines.txt" }}
"""


class Plugins(Configured):
    def setUp(self):
        super().setUp()
        self.write(2000)

    def write(self, deadline):
        rules = RULES.replace("${topic(2)}", "${{topic(2)}}").format(folder=self.folder.name)
        self.configure(PLUGIN.format(samples=SAMPLES, deadline=deadline) + rules)

    def clients(self, daemon):
        port = daemon.ports()[0]
        receiver = Client(port, "receiver", clean=True, expiry=0)
        receiver.subscribe("out/#", 1)
        return receiver, Client(port, "device", clean=True, expiry=0)

    def payload(self, receiver):
        return json.loads(receiver.receive()[1])

    def test_functions_fast_and_slow_keep_the_order_of_a_publisher(self):
        with self.daemon("--set", "node.shards=2") as daemon:
            receiver, device = self.clients(daemon)
            for n in range(40):
                device.publish(f"{'slow' if n % 3 == 0 else 'fast'}/{n}", json.dumps({"n": n}))
            for n in range(40):
                wanted = {"n": 4 * n, "twice": 2 * n} if n % 3 == 0 else {"n": 2 * n}
                self.assertEqual(self.payload(receiver), wanted)

    def test_a_window_gathers_what_slow_functions_answer_wherever_its_home_is(self):
        for shards in (1, 2, 4):
            with self.daemon("--set", f"node.shards={shards}") as daemon:
                receiver, device = self.clients(daemon)
                for n in range(1, 8):
                    device.publish("slow_window", json.dumps({"n": n}))
                self.assertEqual([self.payload(receiver) for _ in range(2)], [{"doubled": 18}, {"doubled": 36}])

    def test_a_statement_is_tried_with_the_functions_of_a_daemons_plugins(self):
        code, output, error = run("twinmq", "rule", "test", "--config", self.config, "--values", "--sql",
                                  "SELECT twice(n) AS fast, slow_twice(n) AS slow FROM 't'", "--topic", "t", "--payload", '{"n":2}')
        self.assertEqual((code, output), (0, 'n is 2\ntwice(n) is 4\nslow_twice(n) is 4\nmatch\n{"fast":4,"slow":4}\n'), error)

    def test_a_stored_rule_does_not_run_without_the_plugin_it_needs(self):
        with self.daemon() as daemon:
            receiver, device = self.clients(daemon)
            daemon.wait_for_line("admin socket")
            definition = "sql = \"SELECT twice(n) AS n FROM 'new'\"\n[[action]]\ntype = \"republish\"\ntopic = \"out/new\"\nqos = 1\n"
            self.assertEqual(run("twinmq", "rule", "create", "new", "--socket", self.socket, text=definition)[0], 0)
            device.publish_acknowledged("new", '{"n":2}')
            self.assertEqual(self.payload(receiver), {"n": 4})
        self.configure("")
        with self.daemon() as daemon:
            daemon.wait_for_line("stored rule does not run.*there is no function twice")
            receiver, device = self.clients(daemon)
            daemon.wait_for_line("admin socket")
            self.assertIn("new                      faulty", run("twinmq", "rule", "list", "--socket", self.socket)[1])
            device.publish_acknowledged("new", '{"n":2}')
            device.publish_acknowledged("out/next", '{"n":0}')
            self.assertEqual(self.payload(receiver), {"n": 0})

    def test_what_throws_is_undefined_and_logged(self):
        with self.daemon() as daemon:
            receiver, device = self.clients(daemon)
            self.assertIn(device.publish_acknowledged("failing", '{"n":1}'), (0, 16))
            self.assertEqual(self.payload(receiver), {"n": 1})
            code, out, err = run("twinmq", "plugins", "--socket", self.socket)
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, r"^sample calls=\d+ errors=4 timeouts=0\n$")
            daemon.wait_for_line(r'plugin failed.*call=fail reason="it \\"broke\\""')

    def test_what_is_late_is_undefined_and_what_hangs_disables_its_plugin(self):
        self.write(50)
        with self.daemon("--set", "node.shards=1") as daemon:
            receiver, device = self.clients(daemon)
            self.assertIn(device.publish_acknowledged("late", '{"ms":400,"n":1}'), (0, 16))
            self.assertEqual(self.payload(receiver), {"n": 1})
            self.assertIn(device.publish_acknowledged("hanging", '{"n":2}'), (0, 16))
            self.assertEqual(self.payload(receiver), {"n": 2})
            daemon.wait_for_line("plugin disabled.*plugin=sample.*hangs")
            # Its authorizer and its transformation do not answer any more: rights fail closed.
            self.assertEqual(device.publish_acknowledged("fast/x", '{"n":3}'), 0x87)
            daemon.signal("TERM")
            daemon.wait_for_line("plugin counted plugin=sample .*timeouts=2 disabled=true")
            self.assertEqual(daemon.exit_code(), 0)

    def test_what_promised_to_be_fast_and_hangs_is_named(self):
        with self.daemon("--set", "node.shards=1", "--set", "limits.callback_warning_milliseconds=50") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            device.publish("stuck", "{}")
            line = daemon.wait_for_line("is slow")
            self.assertRegex(line, r'callback="plugin function fast_hang" milliseconds=\d+')

    def test_after_a_plugin_crashed_nothing_acknowledged_is_missing(self):
        path = self.path("lines.txt")
        for life in range(2):
            with self.daemon("--set", "node.shards=2") as daemon:
                port = daemon.ports()[0]
                receiver = Client(port, "receiver")
                if life == 0:
                    receiver.subscribe("out/#", 1)
                    receiver.disconnect()
                device = Client(port, "device", clean=True, expiry=0)
                for n in range(life * 50, life * 50 + 50):
                    self.assertIn(device.publish_acknowledged("fast/x", json.dumps({"n": n})), (0, 16))
                    self.assertIn(device.publish_acknowledged("sink", json.dumps({"n": n})), (0, 16))
                if life == 0:
                    device.publish("crash", "{}")
                    self.assertNotEqual(daemon.exit_code(), 0)
                    with self.assertRaises(Closed):
                        device.next()
                    continue
                self.assertTrue(receiver.session_present)
                self.assertEqual([self.payload(receiver)["n"] for _ in range(100)], [2 * n for n in range(100)])
                end = time.monotonic() + 60
                numbers = []
                while set(numbers) != set(range(100)) and time.monotonic() < end:
                    with open(path) as file:
                        numbers = [int(line.split()[2]) for line in file if line.endswith("\n")]
                self.assertEqual(sorted(set(numbers)), list(range(100)))

    def test_an_aggregate_and_a_sink(self):
        with self.daemon() as daemon:
            receiver, device = self.clients(daemon)
            for n in (3, 10, 5):
                device.publish_acknowledged("window", json.dumps({"n": n}))
            self.assertEqual(self.payload(receiver), {"spread": 7})
            device.publish_acknowledged("sink", '{"n":"refuse"}')
            for n in range(20):
                self.assertIn(device.publish_acknowledged("sink", json.dumps({"n": n})), (0, 16))
            daemon.signal("TERM")
            daemon.exit_code()
        with self.daemon() as daemon:  # whatever was left is delivered by the next start
            receiver, device = self.clients(daemon)
            device.publish_acknowledged("sink", '{"n":20}')
            path = self.path("lines.txt")
            while True:
                lines = []
                if os.path.exists(path):
                    with open(path) as file:
                        lines = file.read().splitlines()
                if len({line.split()[0] for line in lines}) == 21:
                    break
            self.assertEqual(list(dict.fromkeys(int(line.split()[2]) for line in lines)), list(range(21)))

    def test_transformation_authenticator_and_authorizer(self):
        with self.daemon("--set", "access.anonymous=true") as daemon:
            port = daemon.ports()[0]
            receiver = Client(port, "receiver", clean=True, expiry=0)
            receiver.subscribe("shout/#", 1)
            device = Client(port, "device", clean=True, expiry=0)
            self.assertEqual(device.publish_acknowledged("shout/a", "drop"), 0)
            self.assertEqual(device.publish_acknowledged("shout/a", "throw"), 0x83)
            self.assertEqual(device.publish_acknowledged("shout/a", "hey", qos=2), 0)
            self.assertEqual(receiver.receive()[1], "HEY")
            self.assertEqual(device.publish_acknowledged("secret/a", "x"), 0x87)
            for user, code in ((b"guest", 0), (b"villain", 0x87), (b"thrower", 0x88), (b"nobody", 0)):
                connection, got = connect(port, client_id=user, user=user, password=b"x")
                self.assertEqual((user, got), (user, code))
                connection.close()

    def test_an_authenticator_that_hangs_lets_nobody_in_and_holds_nobody_up(self):
        self.write(50)
        with self.daemon("--set", "access.anonymous=true", "--set", "node.shards=1") as daemon:
            port = daemon.ports()[0]
            device = Client(port, "device", clean=True, expiry=0)
            self.assertEqual(device.publish_acknowledged("shout/a", "hey"), 16)
            for _ in range(2):
                connection, code = connect(port, client_id=b"s", user=b"sleeper", password=b"x")
                self.assertGreaterEqual(code, 0x80)
                connection.close()
            self.assertGreaterEqual(device.publish_acknowledged("other/a", "hey"), 0)

    def test_what_cannot_be_loaded_refuses_the_start_and_says_where(self):
        for path, options, what in (("/nowhere.so", "{}", "there is no file /nowhere.so"),
                                    (SAMPLES + "/old_abi.so", "{}", "was made for version 0 of the plugin interface"),
                                    (SAMPLES + "/new_abi.so", "{}", "was made for version 2 of the plugin interface"),
                                    (SAMPLES + "/no_symbol.so", "{}", "has no twinmq_plugin_abi()"),
                                    (__file__, "{}", "cannot be loaded"),
                                    (SAMPLES + "/sample.so", '{ fail = "bad option" }', 'did not open: "bad option"')):
            self.configure(f'data_dir = "{self.folder.name}/data"\n\n[[plugin]]\nname = "x"\npath = "{path}"\noptions = {options}\n')
            code, _, err = run("twinmqd", "--config", self.config, "--check")
            self.assertEqual(code, 2, err)
            self.assertIn('broker.toml:3:1: plugin "x": ', err)
            self.assertIn(what, err)

    def test_rules_are_checked_against_the_plugins(self):
        for sql, what in (("SELECT unknown_one(n) AS n FROM 'a'", "there is no function unknown_one()"),
                          ("SELECT range_of(n) AS n FROM 'a'", "is an aggregate"),
                          ("SELECT slow_twice(n) AS n, lag(n) AS b FROM 'a'", "not declared fast"),
                          ("SELECT twice(n) AS n FROM 'a' GROUP BY COUNT(2)", "is no aggregate")):
            self.configure(PLUGIN.format(samples=SAMPLES, deadline=100) + f'[[rule]]\nname = "r"\nsql = "{sql}"\n')
            code, _, err = run("twinmqd", "--config", self.config, "--check")
            self.assertEqual(code, 2, err)
            self.assertIn(what, err)

    def test_the_configuration_prints_as_it_was_read(self):
        code, out, err = run("twinmqd", "--config", self.config, "--print-config")
        self.assertEqual(code, 0, err)
        self.assertIn('options = { "greeting" = "hello", "list" = [ 1, 2.5, { "a" = true } ] }', out)
        self.assertIn('plugin = { name = "lines", "path" =', out)
        self.configure(out)
        again = run("twinmqd", "--config", self.config, "--print-config")[1]
        self.assertEqual(again[again.index("[[rule]]"):], out[out.index("[[rule]]"):])


if __name__ == "__main__":
    unittest.main()
