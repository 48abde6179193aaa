"""Rules that are made, changed and deleted while the daemon runs, by the command line."""

import json
import os
import unittest

from configured import Configured
from mqtt import Client
from programs import run

CONFIG = """
[[rule]]
name = "fixed"
sql = "SELECT * FROM 'fixed'"
[[rule.action]]
type = "republish"
topic = "fixed/out"
"""

HOT = """
sql = "SELECT t FROM 'in/+' WHERE t > {limit}"
[[action]]
type = "republish"
topic = "out/${{topic(2)}}"
qos = 1
"""


class Management(Configured):
    def setUp(self):
        super().setUp()
        self.configure(CONFIG)

    def daemon(self, shards=2, *more):
        return super().daemon("--set", f"node.shards={shards}", *more)

    def twinmq(self, *arguments, text=None):
        """Words of a command; the socket comes behind them."""
        return run("twinmq", *arguments, "--socket", self.socket, text=text)

    def must(self, *arguments, text=None):
        code, output, error = self.twinmq(*arguments, text=text)
        self.assertEqual((code, error), (0, ""))
        return output

    def test_a_rule_is_in_force_on_every_shard_when_the_answer_comes(self):
        for shards in (1, 4):
            with self.subTest(shards=shards), self.daemon(shards) as daemon:
                port = daemon.ports()[0]
                daemon.wait_for_line("admin socket")
                watcher = Client(port, "watcher", clean=True, expiry=0)
                watcher.subscribe("out/#", 1)
                devices = [Client(port, f"device{i}", clean=True, expiry=0) for i in range(5)]

                def hear(above, silent_below):
                    for device in devices:
                        device.publish_acknowledged("in/x", json.dumps({"t": silent_below}))
                        device.publish_acknowledged("in/x", json.dumps({"t": above}))
                        self.assertEqual(self.receive(watcher), ("out/x", {"t": above}))

                self.assertEqual(self.must("rule", "create", "hot", text=HOT.format(limit=50)), "hot is enabled\n")
                hear(51, 50)
                self.must("rule", "replace", "hot", self.file("hot.toml", HOT.format(limit=70)))
                hear(71, 70)
                self.assertEqual(self.must("rule", "disable", "hot"), "hot is disabled\n")
                for device in devices:
                    device.publish_acknowledged("in/x", '{"t":99}')
                self.must("rule", "enable", "hot")
                hear(72, 70)
                self.must("rule", "delete", "hot")
                for device in devices:
                    device.publish_acknowledged("in/x", '{"t":99}')
                    device.publish_acknowledged("out/y", '{"t":0}')
                    self.assertEqual(self.receive(watcher), ("out/y", {"t": 0}))

    def test_what_surely_is_a_mistake_is_told_wherever_a_rule_is_made(self):
        loop = "sql = \"SELECT * FROM 'loop/+' WHERE a = undefined\"\n[[action]]\ntype = \"republish\"\ntopic = \"loop/${topic(2)}\"\n"
        compared = "line 1, column 32: a comparison with Undefined is always Undefined: use isUndefined()"
        covered = 'FROM may cover "loop/${topic(2)}", where an action publishes: the rule sees what it made itself, until limits.hops_max ends that'
        self.configure(CONFIG + "[[rule]]\nname = \"looping\"\n" + loop.replace("[[action]]", "[[rule.action]]"))
        code, output, error = run("twinmqd", "--config", self.config, "--check")
        self.assertEqual((code, output), (0, "configuration is sound\n"))
        for sentence in (compared, covered.replace('"', '\\"')):
            self.assertIn(f'rule warning rule=looping warning="{sentence}"', error)
        with self.daemon() as daemon:
            daemon.wait_for_line("rule warning rule=looping warning=")
            daemon.wait_for_line("admin socket")
            for operation in ("create", "replace"):
                self.assertEqual(self.twinmq("rule", operation, "again", text=loop),
                                 (0, "again is enabled\n", f"warning: {compared}\nwarning: {covered}\n"))
                daemon.wait_for_line("rule warning rule=again warning=")
            self.assertIn(f"# warning: {covered}\n", self.must("rule", "show", "again"))
            self.must("rule", "create", "hot", text=HOT.format(limit=50))

    def test_stored_rules_survive_a_kill_and_deleted_ones_stay_deleted(self):
        with self.daemon(2) as daemon:
            daemon.wait_for_line("admin socket")
            self.must("rule", "create", "hot", text=HOT.format(limit=50))
            self.must("rule", "create", "off", text="enabled = false\n" + HOT.format(limit=1))
            self.must("rule", "create", "gone", text=HOT.format(limit=1))
            self.must("rule", "delete", "gone")
            daemon.process.kill()
        with self.daemon(3) as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            rules = json.loads(self.must("rule", "list", "--json"))
            self.assertEqual([(rule["name"], rule["enabled"], rule["stored"]) for rule in rules],
                             [("fixed", True, False), ("hot", True, True), ("off", False, True)])
            watcher = Client(port, "watcher", clean=True, expiry=0)
            watcher.subscribe("out/#", 1)
            Client(port, "device", clean=True, expiry=0).publish_acknowledged("in/d", '{"t":60}')
            self.assertEqual(self.receive(watcher), ("out/d", {"t": 60}))
            shown = self.must("rule", "show", "hot")
            self.assertIn("# enabled, stored\n", shown)
            self.must("rule", "replace", "hot", text=shown)

    def test_what_a_rule_remembers_stays_while_its_statement_does(self):
        definition = 'persist = true\nsql = "SELECT lag(v) AS before FROM \'in\'"\n[[action]]\ntype = "republish"\ntopic = "%s"\n'
        with self.daemon(2) as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            watcher = Client(port, "watcher", clean=True, expiry=0)
            watcher.subscribe("#", 1)
            device = Client(port, "device", clean=True, expiry=0)
            hears = lambda topic: next(payload for seen, payload in iter(lambda: self.receive(watcher), None) if seen == topic)
            self.must("rule", "create", "r", text=definition % "one")
            device.publish_acknowledged("in", '{"v":1}')
            self.assertEqual(hears("one"), {})
            self.must("rule", "replace", "r", text=definition % "two")
            device.publish_acknowledged("in", '{"v":2}')
            self.assertEqual(hears("two"), {"before": 1})
            self.must("rule", "replace", "r", text=definition.replace("lag(v)", "lag(v, 1, 'none')") % "three")
            device.publish_acknowledged("in", '{"v":3}')
            self.assertEqual(hears("three"), {"before": "none"})
            daemon.process.kill()
        with self.daemon(4) as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True, expiry=0)
            watcher.subscribe("three", 1)
            Client(port, "device", clean=True, expiry=0).publish_acknowledged("in", '{"v":4}')
            self.assertEqual(self.receive(watcher)[1], {"before": 3})

    def test_rules_of_the_file_are_read_only_and_names_are_unique(self):
        with self.daemon() as daemon:
            daemon.wait_for_line("admin socket")
            for command in (("replace", "fixed", "-"), ("enable", "fixed"), ("disable", "fixed"), ("delete", "fixed")):
                code, _, error = self.twinmq("rule", *command, text=HOT.format(limit=1))
                self.assertEqual(code, 1)
                self.assertIn('the rule "fixed" is the configuration\'s and cannot be changed at run time', error)
            code, _, error = self.twinmq("rule", "create", "fixed", text=HOT.format(limit=1))
            self.assertEqual((code, error), (1, 'twinmq: there is a rule "fixed" already, in the configuration\n'))
            self.must("rule", "create", "hot", text=HOT.format(limit=1))
            code, _, error = self.twinmq("rule", "create", "hot", text=HOT.format(limit=1))
            self.assertEqual((code, error), (1, 'twinmq: there is a rule "hot" already, in the store\n'))
            for command in ("show", "enable", "disable", "delete", "stats"):
                code, _, error = self.twinmq("rule", command, "nobody")
                self.assertEqual((code, error), (1, 'twinmq: there is no rule "nobody"\n'))
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)
        self.configure(CONFIG.replace("fixed\"\nsql", "hot\"\nsql"))
        with self.daemon() as daemon:
            self.assertNotEqual(daemon.exit_code(), 0)
            line = daemon.wait_for_line("stands in")
            self.assertIn('the rule "hot" stands in the configuration (rule[0]) and in the store (key uhot)', line)
        self.configure(CONFIG)
        with self.daemon() as daemon:
            daemon.wait_for_line("admin socket")
            self.must("rule", "delete", "hot")

    def test_what_cannot_be_read_is_refused_with_its_place(self):
        faults = {
            "sql = \"SELECT a FORM 'x'\"": "rule \"r\": sql: line 1, column 10: expected FROM, WHERE or the end of the "
                                           "statement, found 'FORM'\n  SELECT a FORM 'x'\n           ^\n",
            "sql = 7": "standard input:1:7: sql: allowed: a text",
            "sql = \"SELECT * FROM 'x'\"\nfoo = 1": "standard input:2:7: foo: unknown key; allowed: name, sql",
            "sql = ": "standard input:1:7: not TOML",
            "{\"sql\": \"SELECT * FROM 'x'\",\n  \"action\": [}": "standard input:2:14: not JSON",
            "{\"sql\": null}": "standard input: sql: allowed: a text, a number",
            "{\"sql\": \"SELECT * FROM 'x'\", \"qos\": 1}": "standard input: qos: unknown key",
            "name = \"other\"\nsql = \"SELECT * FROM 'x'\"": "name: found \"other\", allowed: \"r\", or none",
            "sql = \"SELECT nosuch(a) AS a FROM 'x'\"": "there is no function nosuch()",
            HOT.format(limit=1).replace("republish", "http"): "an http action needs a url",
            "sql = \"SELECT * FROM 'x'\"\n[[action]]\ntype = \"file\"\npath = \"/etc/x\"": "is not below any of rules.file_directories",
            "sql = \"SELECT * FROM 'x'\"\n[[action]]\ntype = \"republish\"\ntopic = \"$SYS/x\"": "only the broker publishes there",
        }
        with self.daemon() as daemon:
            daemon.wait_for_line("admin socket")
            for definition, expected in faults.items():
                code, output, error = self.twinmq("rule", "create", "r", text=definition)
                with self.subTest(definition):
                    self.assertEqual((code, output), (2, ""))
                    self.assertIn(expected, error)
            code, _, error = self.twinmq("rule", "create", "a-b", text=HOT.format(limit=1))
            self.assertEqual(code, 2)
            self.assertIn("1 to 128 letters, digits and _", error)
            self.assertEqual(self.twinmq("rule", "create", "n" * 129, text=HOT.format(limit=1))[0], 2)
            self.must("rule", "create", "n" * 128, text=HOT.format(limit=1))
            self.must("rule", "create", "json", text=json.dumps(
                {"sql": "SELECT * FROM 'x'", "action": [{"type": "republish", "topic": "y", "user_properties": ["a=b"]}]}))
            self.assertEqual(json.loads(self.must("rule", "show", "json", "--json"))["rule"]["action"][0]["topic"], "y")

    def test_hostile_definitions_are_refused_and_disturb_nobody(self):
        with self.daemon() as daemon:
            daemon.wait_for_line("admin socket")
            for definition in ("", "{}", "[]", 'sql = "SELECT ' + "a" * 1_000_000 + ' FROM \'x\'"', "x" * 3_000_000,
                               'sql = "SELECT ' + "(" * 10_000 + "1" + ")" * 10_000 + " AS x FROM 'x'\"",
                               '{"sql": ' + "[" * 100_000, '{"sql": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
                               "action = " + "[" * 10_000, "action = [[1]]", '{"action": [{"type": "log", "topic": {"a": 1}}]}',
                               "sql = \"SELECT * FROM 'x'\"\n" + "[[action]]\ntype = \"log\"\n" * 11,
                               "sql = \"SELECT * FROM 'x'\"\n[[action]]\ntype = \"republish\"\ntopic = \"a/${\""):
                with self.subTest(definition=definition[:40]):
                    code, output, error = self.twinmq("rule", "create", "r", text=definition)
                    self.assertEqual((code, output), (2, ""), error[:200])
            self.assertNotEqual(self.twinmq("rule", "create", "r", text="#" * 5_000_000)[0], 0)
            self.must("rule", "create", "r", text=HOT.format(limit=1))
            self.assertEqual(len(json.loads(self.must("rule", "list", "--json"))), 2)

    def test_a_rule_may_not_be_made_to_publish_where_its_principal_may_not(self):
        acl = self.file("acl", "topic readwrite #\n\nuser rule:hot\ntopic read in\ntopic write out/#\n\n"
                        "user rule:cold\ntopic read in/#\ntopic deny in/hidden\ntopic write cold/#\n")
        more = ("--set", f"access.acl_file={acl}")
        fixed = lambda topic: f"sql = \"SELECT * FROM 'in'\"\n[[action]]\ntype = \"republish\"\ntopic = \"{topic}\"\n"
        with self.daemon(2, *more) as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            code, _, error = self.twinmq("rule", "create", "cold", text=fixed("out/x"))
            self.assertEqual((code, error), (1, 'twinmq: the access rules do not let rule:cold publish to "out/x"\n'))
            code, _, error = self.twinmq("rule", "create", "hot", text=fixed("out/x").replace("'in'", "'other/#'"))
            self.assertEqual((code, error), (1, 'twinmq: the access rules do not let rule:hot subscribe to "other/#"\n'))
            self.must("rule", "create", "hot", text=fixed("out/x"))
            # Where a topic depends on the message, the message decides.
            self.must("rule", "create", "cold", text=HOT.format(limit=1))
            watcher = Client(port, "watcher", clean=True, expiry=0)
            watcher.subscribe("out/#", 1)
            device = Client(port, "device", clean=True, expiry=0)
            device.publish_acknowledged("in/x", '{"t":60}')
            device.publish_acknowledged("in/hidden", '{"t":60}')
            device.publish_acknowledged("in", '{"t":1}')
            self.assertEqual(self.receive(watcher), ("out/x", {"t": 1}))
            cold = json.loads(self.must("rule", "stats", "cold", "--json"))
            self.assertEqual((cold["matched"], cold["actions_failed"], cold["refused"]), (1, 1, 1))

    def test_a_reload_changes_rules_of_the_file_and_a_bad_one_changes_nothing(self):
        def republish(name, sql, topic):
            return f'[[rule]]\nname = "{name}"\nsql = "{sql}"\n[[rule.action]]\ntype = "republish"\ntopic = "{topic}"\n'

        def reload(text, line):
            self.configure(text)
            daemon.signal("HUP")
            return daemon.wait_for_line(line)

        self.configure(republish("a", "SELECT lag(v) AS before FROM 'in'", "one") + republish("b", "SELECT * FROM 'in'", "two"))
        with self.daemon(3) as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            watcher = Client(port, "watcher", clean=True, expiry=0)
            for topic in ("one", "two", "three", "four", "last"):
                watcher.subscribe(topic, 1)
            devices = [Client(port, f"device{i}", clean=True, expiry=0) for i in range(3)]

            def heard(v):
                """What every rule makes of a message of each device, as a set."""
                found = set()
                for device in devices:
                    device.publish_acknowledged("in", json.dumps({"v": v}))
                    device.publish_acknowledged("last", "{}")
                    for topic, payload in iter(lambda: self.receive(watcher), ("last", {})):
                        found.add((topic, payload.get("before")))
                return found

            self.must("rule", "create", "stored", text="sql = \"SELECT * FROM 'in'\"\n[[action]]\ntype = \"republish\"\ntopic = \"four\"\n")
            self.assertEqual(heard(1), {("one", None), ("one", 1), ("two", None), ("four", None)})
            reload(republish("a", "SELECT lag(v) AS before FROM 'in'", "three") + republish("c", "SELECT * FROM 'in'", "two"), "reloaded")
            self.assertEqual(heard(1), {("three", 1), ("two", None), ("four", None)})
            self.assertEqual([rule["name"] for rule in json.loads(self.must("rule", "list", "--json"))], ["a", "c", "stored"])
            line = reload(republish("a", "SELECT a FORM 'x'", "one"), "reload refused")
            self.assertIn("line 1, column", line)
            line = reload(republish("stored", "SELECT * FROM 'in'", "one"), "reload refused")
            self.assertIn('the rule \\"stored\\" stands in the configuration', line)
            self.assertEqual(heard(2), {("three", 1), ("three", 2), ("two", None), ("four", None)})
            reload("# no rules\n", "reloaded")
            self.assertEqual(heard(3), {("four", None)})

    def test_a_stored_rule_stops_when_the_file_no_longer_lets_it_write_where_it_does(self):
        out = self.path("out")
        os.mkdir(out)
        allowed = f'[rules]\nfile_directories = ["{out}"]\n'
        self.configure(allowed)
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            device = Client(port, "device", clean=True, expiry=0)
            self.must("rule", "create", "kept", text=f"sql = \"SELECT n FROM 'in'\"\n[[action]]\ntype = \"file\"\npath = \"{out}/lines\"\n")
            self.configure("# no rules\n")
            daemon.signal("HUP")
            daemon.wait_for_line("stored rule does not run")
            daemon.wait_for_line("reloaded")
            device.publish_acknowledged("in", '{"n":1}')
            self.assertIn("faulty", self.must("rule", "list"))
            self.assertIn("is not below any of rules.file_directories", self.must("rule", "show", "kept"))
            self.configure(allowed)
            daemon.signal("HUP")
            daemon.wait_for_line("reloaded")
            device.publish_acknowledged("in", '{"n":2}')
            while json.loads(self.must("sink", "stats", "kept/0", "--json"))["delivered"] == 0:
                pass
            with open(os.path.join(out, "lines")) as file:
                self.assertEqual(file.read(), '{"n":2}\n')

    def test_counts_are_told_by_rule_and_as_metrics(self):
        self.configure(CONFIG + "[rules]\nsteps_max = 1000\n")
        with self.daemon(2) as daemon:
            port = daemon.ports()[0]
            daemon.wait_for_line("admin socket")
            self.must("rule", "create", "hot", text=HOT.format(limit=50).replace("out/$", "$$SYS/$"))
            self.must("rule", "create", "long", text="sql = \"SELECT (SELECT VALUE v + 1 FROM list) AS l FROM 'list'\"\n")
            for i in range(4):
                device = Client(port, f"device{i}", clean=True, expiry=0)
                device.publish_acknowledged("in/x", '{"t":60}')
                device.publish_acknowledged("in/x", '{"t":40}')
                device.publish_acknowledged("list", json.dumps({"list": [{"v": 1}] * 2000}))
            hot = json.loads(self.must("rule", "stats", "hot", "--json"))
            self.assertEqual([hot[key] for key in ("matched", "unmatched", "actions_done", "actions_failed")], [4, 4, 0, 4])
            long = json.loads(self.must("rule", "stats", "long", "--json"))
            self.assertEqual((long["failed"]["steps_spent"], long["matched"]), (4, 0))
            self.assertIn("failed.steps_spent       4\n", self.must("rule", "stats", "long"))
            metrics = json.loads(self.must("stats", "--json"))["metrics"]
            self.assertEqual([metrics[f"twinmq_rule_{name}_total"]["value"] for name in
                              ("matched", "unmatched", "failed", "actions_done", "actions_failed")], [4, 4, 4, 0, 4])

    def test_a_statement_is_explained(self):
        with self.daemon() as daemon:
            daemon.wait_for_line("admin socket")
            self.must("rule", "create", "hot", text=HOT.format(limit=50))
            told = self.must("rule", "explain", "hot")
            self.assertIn("from     in/+\nwhere    (t > 50)\nselect   t\n", told)

    def test_open_windows_survive_a_kill(self):
        rule = ("persist = true\nsql = \"SELECT d, count(*) AS n, sum(v) AS s FROM 'in' GROUP BY d, COUNT(4)\"\n"
                "[[action]]\ntype = \"republish\"\ntopic = \"out\"\nqos = 1\n")
        for life in range(2):
            with self.daemon(2 + life) as daemon:
                port = daemon.ports()[0]
                daemon.wait_for_line("admin socket")
                if life == 0:
                    self.must("rule", "create", "sums", text=rule)
                watcher = Client(port, "watcher", clean=True, expiry=0)
                watcher.subscribe("out", 1)
                device = Client(port, "device", clean=True, expiry=0)
                for i in range(2):
                    device.publish_acknowledged("in", json.dumps({"d": "a", "v": 10 ** (2 * life + i)}))
                if life == 1:
                    self.assertEqual(self.receive(watcher)[1], {"d": "a", "n": 4, "s": 1111})
                daemon.process.kill()
                daemon.process.wait()


if __name__ == "__main__":
    unittest.main()
