"""Results that leave the process: durable queues to files and HTTP servers, through outages and kill -9."""

import json
import os
import time
import unittest

from configured import Configured
from mqtt import Client
from programs import run
from receiver import Receiver, first_ones

CONFIG = """
[rules]
file_directories = ["{folder}/out"]
http_targets = ["http://127.0.0.1:{port}/"]

[[rule]]
name = "kept"
sql = "SELECT n, topic(2) AS device FROM 'data/+'"
[[rule.action]]
type = "file"
path = "{folder}/out/kept.jsonl"
[[rule.action]]
type = "http"
url = "http://127.0.0.1:{port}/in"
body = "lines"
headers = ["X-Plant: north"]
"""


class Sinks(Configured):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("out"))
        self.receiver = Receiver()
        self.configure(CONFIG.format(folder=self.folder.name, port=self.receiver.port))

    def tearDown(self):
        self.receiver.end()
        super().tearDown()

    def file_entries(self):
        with open(self.path("out/kept.jsonl")) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def wait_for_file(self, wanted):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if {entry["n"] for entry in self.file_entries()} >= wanted:
                return True
            time.sleep(0.01)
        return False

    def test_results_reach_file_and_server(self):
        self.receiver.begin()
        with self.daemon("--set", "node.shards=2") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            for n in range(50):
                self.assertIn(device.publish_acknowledged("data/d1", json.dumps({"n": n})), (0, 16))
            self.assertTrue(self.receiver.wait_for(set(range(50))))
            self.assertTrue(self.wait_for_file(set(range(50))))
            self.assertEqual(self.receiver.lines[0], {"n": 0, "device": "d1"})
            self.assertEqual(self.receiver.headers["X-Plant"], "north")
            self.assertTrue(self.receiver.headers["Idempotency-Key"].startswith("kept-"))
        self.assertEqual(first_ones(self.file_entries()), list(range(50)))

    def test_nothing_is_lost_while_the_server_is_down_and_the_broker_is_killed(self):
        acknowledged = []
        for life in range(3):
            with self.daemon("--set", "node.shards=1", "--set", "storage.durability=os") as daemon:
                device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
                for n in range(life * 100, life * 100 + 100):
                    self.assertIn(device.publish_acknowledged("data/d1", json.dumps({"n": n})), (0, 16))
                    acknowledged.append(n)
                if life == 0:
                    daemon.wait_for_line("sink fails")
                daemon.process.kill()
                daemon.process.wait()
        self.receiver.begin()
        with self.daemon("--set", "node.shards=1"):
            self.assertTrue(self.receiver.wait_for(set(acknowledged)))
            self.assertTrue(self.wait_for_file(set(acknowledged)))
        self.assertEqual(first_ones(self.receiver.lines), acknowledged)
        self.assertEqual(first_ones(self.file_entries()), acknowledged)

    def test_a_full_queue_is_told_to_the_publisher(self):
        with open(self.config, "a") as file:
            file.write("queue_max = 3\n")
        with self.daemon("--set", "node.shards=1") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            codes = [device.publish_acknowledged("data/d1", json.dumps({"n": n})) for n in range(10)]
            self.assertIn(codes[0], (0, 16))
            self.assertEqual(codes[-1], 0x97)

    def test_a_rule_that_is_replaced_or_deleted_takes_its_queues_along(self):
        self.configure(f'[rules]\nhttp_targets = ["http://127.0.0.1:{self.receiver.port}/"]\n')
        definition = ("sql = \"SELECT n FROM 'data/+'\"\n[[action]]\ntype = \"http\"\nbody = \"lines\"\n"
                      f"url = \"http://127.0.0.1:{self.receiver.port}/%s\"\n")

        def twinmq(*arguments, text=None):
            code, output, error = run("twinmq", *arguments, "--socket", self.socket, text=text)
            self.assertEqual((code, error), (0, ""))
            return output

        def publish(numbers):
            for n in numbers:
                self.assertIn(device.publish_acknowledged("data/d1", json.dumps({"n": n})), (0, 16))

        with self.daemon("--set", "node.shards=2") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            daemon.wait_for_line("admin socket")
            twinmq("rule", "create", "gone", text=definition % "gone")
            publish(range(5))
            twinmq("rule", "delete", "gone")
            self.assertEqual(json.loads(twinmq("sink", "list", "--json")), [])
            twinmq("rule", "create", "kept", text=definition % "one")
            publish(range(10, 20))
            daemon.wait_for_line("sink fails")
            twinmq("rule", "replace", "kept", text=definition % "two")
            publish(range(20, 30))
            self.assertEqual(json.loads(twinmq("sink", "stats", "kept/0", "--json"))["waiting_entries"], 20)
            self.receiver.begin()
            self.assertTrue(self.receiver.wait_for(set(range(10, 30))))
            self.assertEqual(first_ones(self.receiver.lines), list(range(10, 30)))
            # Dead letters go back into their queue when somebody says so.
            self.receiver.status = 400
            publish([30])
            daemon.wait_for_line("entry refused by its sink")
            self.receiver.status = 204
            self.assertEqual(twinmq("sink", "replay", "kept/0"), "1 dead letters are back in the queue of kept/0\n")
            self.assertTrue(self.receiver.wait_for({30}))
            self.assertEqual(run("twinmq", "sink", "replay", "nobody", "--socket", self.socket)[0], 1)

    def test_redirects_are_not_followed(self):
        self.receiver.begin()
        with self.daemon("--set", "node.shards=1") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            for n, status in enumerate((301, 307)):
                self.receiver.status = status
                device.publish_acknowledged("data/d1", json.dumps({"n": n}))
                daemon.wait_for_line(f"entry refused by its sink.*HTTP {status}")
            self.receiver.status = 204
            device.publish_acknowledged("data/d1", '{"n":2}')
            self.assertTrue(self.receiver.wait_for({2}))
        self.assertEqual({path for path, _ in self.receiver.requests}, {"/in"})

    def test_addresses_and_headers_may_depend_on_the_message(self):
        text = CONFIG.format(folder=self.folder.name, port=self.receiver.port)
        self.configure(text.replace('/"]', '/in/"]').replace('/in"', '/in/${topic(2)}?n=${n}"')
                       .replace("X-Plant: north", "X-Plant: ${topic(2)}-${missing}"))
        with self.daemon("--set", "node.shards=1") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            for n, name in enumerate(("a", "a/b", "b", "..", "%2e%2e", "b@evil", "c")):
                self.assertIn(device.publish_acknowledged(f"data/{name}", json.dumps({"n": n})), (0, 16))
            daemon.wait_for_line("sink fails")
        self.receiver.begin()
        with self.daemon("--set", "node.shards=1") as daemon:  # addresses are kept with what waits
            for _ in range(2):
                daemon.wait_for_line("entry refused by its sink.*has a segment")
            self.assertTrue(self.receiver.wait_for({6}))
        self.assertEqual([(path, headers["X-Plant"]) for path, headers in self.receiver.requests],
                         [("/in/a?n=0", "a-"), ("/in/b?n=2", "b-"), ("/in/b@evil?n=5", "b@evil-"), ("/in/c?n=6", "c-")])

    def test_a_reload_changes_where_results_may_go_at_once(self):
        text = CONFIG.format(folder=self.folder.name, port=self.receiver.port).replace('/in"', '/${topic(2)}/in"')
        root = f'"http://127.0.0.1:{self.receiver.port}/'
        both, one = (text.replace(f'[{root}"]', f"[{targets}]") for targets in (f'{root}a/", {root}b/"', f'{root}a/"'))
        self.configure(both)
        self.receiver.begin()
        with self.daemon("--set", "node.shards=1") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            device.publish_acknowledged("data/b", '{"n":1}')
            self.assertTrue(self.receiver.wait_for({1}))
            self.configure(one)
            daemon.signal("HUP")
            daemon.wait_for_line("reloaded")
            device.publish_acknowledged("data/b", '{"n":2}')
            daemon.wait_for_line("entry refused by its sink.*begins with none of rules.http_targets")
            device.publish_acknowledged("data/a", '{"n":3}')
            self.assertTrue(self.receiver.wait_for({3}))
        self.assertEqual([path for path, _ in self.receiver.requests], ["/b/in", "/a/in"])

    def test_a_file_of_csv(self):
        text = CONFIG.format(folder=self.folder.name, port=self.receiver.port)
        self.configure(text.replace('kept.jsonl"', 'kept.csv"\nformat = "csv"\ncolumns = ["device", "n", "more"]')
                       .replace("SELECT n,", "SELECT n, more,"))
        with self.daemon("--set", "node.shards=1") as daemon:
            device = Client(daemon.ports()[0], "device", clean=True, expiry=0)
            device.publish_acknowledged("data/d1", '{"n":1,"more":"a,b"}')
            device.publish_acknowledged("data/d2", '{"n":2.50,"more":{"x":[1]}}')
            device.publish_acknowledged("data/d3", '{"n":"last"}')
            wanted = 'device,n,more\nd1,1,"a,b"\nd2,2.5,"{""x"":[1]}"\nd3,last,\n'
            end = time.monotonic() + 60
            found = ""
            while found != wanted and time.monotonic() < end:
                with open(self.path("out/kept.csv"), newline="") as file:
                    found = file.read()
            self.assertEqual(found, wanted)
        self.configure(text.replace('kept.jsonl"', 'kept.csv"\nformat = "csv"'))
        self.assertIn("needs columns", run("twinmqd", "--config", self.config, "--check")[2])

    def test_rules_reach_only_what_the_administrator_allows(self):
        os.mkdir(self.path("outside"))
        os.symlink(self.path("outside"), self.path("out/away"))
        os.symlink(self.path("outside/file"), self.path("out/link"))
        for old, new, what in (("/out/kept.jsonl", "/out/../../etc/x", "is not below any of rules.file_directories"),
                               ("/out/kept.jsonl", "/out/away/x", "leads by a link out of rules.file_directories"),
                               ("/out/kept.jsonl", "/out/link", "is a link"),
                               ("/in\"", "/in/../admin\"", "has a segment"),
                               ("/in\"", "/in/%2e%2e/admin\"", "has a segment"),
                               ("/in\"", "/in/..\\\\admin\"", "backslash"),
                               ("url = \"http://", "url = \"http://me@", "names a user"),
                               ('/"]', '/in/"]', "begins with none of rules.http_targets"),
                               ('/"]', '/../"]', "rules.http_targets"),
                               ("url = \"http://127.0.0.1", "url = \"http://evil.example/${n}", "begins with none of rules.http_targets"),
                               ("/in\"", "/in\"", None),
                               ("url = \"http://127.0.0.1", "url = \"http://evil.example", "begins with none of rules.http_targets")):
            text = CONFIG.format(folder=self.folder.name, port=self.receiver.port).replace(old, new)
            self.configure(text)
            code, out, err = run("twinmqd", "--config", self.config, "--check")
            if what is None:
                self.assertEqual((code, err), (0, ""))
            else:
                self.assertEqual(code, 2, new)
                self.assertIn(what, err)
        # The same for rules that are made at run time.
        port = self.receiver.port
        self.configure(f'[rules]\nfile_directories = ["{self.path("out")}"]\nhttp_targets = ["http://127.0.0.1:{port}/in/"]\n')
        with self.daemon() as daemon:
            daemon.wait_for_line("admin socket")
            for action, what in ((f'"http"\nurl = "http://127.0.0.1:{port}/in/../admin"', "has a segment"),
                                 (f'"file"\npath = "{self.path("out/away/x")}"', "leads by a link"),
                                 (f'"file"\npath = "{self.path("out/link")}"', "is a link")):
                code, _, err = run("twinmq", "rule", "create", "r", "--socket", self.socket,
                                   text=f"sql = \"SELECT * FROM 'a'\"\n[[action]]\ntype = {action}\n")
                self.assertNotEqual(code, 0)
                self.assertIn(what, err)
        self.assertEqual(os.listdir(self.path("outside")), [])


if __name__ == "__main__":
    unittest.main()
