"""What is done to shadows on purpose: another device's by every path, HTTP abused, documents that are bombs."""

import http.client
import json
import os
import socket
import tempfile
import threading
import unittest

from http_test import Http
from mqtt import Client, Closed, _number, _text
from programs import SHARDS, Daemon
from shadow_test import Thing

PATTERNS = ("pattern readwrite $aws/things/%c/shadow/#\n" "pattern readwrite $twinmq/things/%c/shadow/#\n"
            "topic readwrite free/#\n")


class Abuse(unittest.TestCase):
    def start(self, *more):
        daemon = Daemon("--listen", "mqtt://127.0.0.1:0", "--listen", "http://127.0.0.1:0", "--set", f"node.shards={SHARDS}",
                        "--set", "storage.durability=none", *more)
        self.addCleanup(daemon.__exit__)
        line = daemon.wait_for_line(r"\bready\b")
        self.mqtt, self.http = (int(line.split(f"{scheme}://127.0.0.1:")[1].split()[0].strip('",'))
                                for scheme in ("mqtt", "http"))
        return daemon

    def status_of(self, method, path, body, **headers):
        """Of a request of its own connection; 0: it was hung up on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        except ConnectionError:
            return 0
        finally:
            connection.close()

    def publish_by_alias(self, client, topic, payload):
        """The reason codes of a PUBLISH that sets an alias, and of one that has the alias alone."""
        codes = []
        for name in (topic, ""):
            identifier = client.new_id()
            client.send(3, 2, _text(name) + identifier.to_bytes(2, "big") + _number(3) + b"\x23\0\1" + payload)
            packet = client.next()
            codes.append(packet.body[2] if packet.kind == 4 and len(packet.body) > 2 else packet.kind)
            if packet.kind != 4:
                break
        return codes

    def test_another_devices_shadow_is_out_of_reach_by_every_path(self):
        with tempfile.TemporaryDirectory() as folder:
            acl = os.path.join(folder, "acl")
            with open(acl, "w", encoding="utf-8") as rules:
                rules.write(PATTERNS)
            self.start("--set", f"access.acl_file={acl}", "--set", "access.anonymous=true",
                       "--set", "shadow.history_versions=5", "--set", "shadow.queries=true")
            other = Client(self.mqtt, "other", clean=True, expiry=0)
            other.subscribe("$aws/things/other/shadow/+/+", 1)
            secret = '{"state":{"desired":{"key":"secret"},"reported":{"key":"old"}}}'
            other.publish_acknowledged("$aws/things/other/shadow/update", secret)
            attacker = Client(self.mqtt, "attacker", clean=True, expiry=0)
            for filter in ("#", "$aws/#", "$aws/things/#", "$aws/things/+/shadow/#", "$twinmq/#", "$twinmq/things/+/shadow/#",
                           "$share/g/$aws/things/+/shadow/#", "+/things/other/shadow/#", "$aws/things/other/shadow/get/accepted",
                           "$twinmq/things/other/shadow/history/accepted", "$twinmq/shadows/query/accepted", "free/answers"):
                attacker.subscribe(filter, 1)
            for operation in ("get", "update", "delete", "name/n/update", "name/n/get"):
                self.assertEqual(attacker.publish_acknowledged("$aws/things/other/shadow/" + operation, secret), 0x87)
                self.assertEqual(attacker.publish_acknowledged("$aws/things/other/shadow/" + operation, secret, 1, True), 0x87)
            for operation in ("update", "patch", "history", "cbor/get", "cbor/update", "cbor/delete", "removed"):
                self.assertEqual(attacker.publish_acknowledged("$twinmq/things/other/shadow/" + operation, secret), 0x87)
            self.assertEqual(attacker.publish_acknowledged("$twinmq/shadows/query", '{"query":"version > 0"}'), 0x87)
            self.assertEqual(set(self.publish_by_alias(
                Client(self.mqtt, "aliasing", clean=True, expiry=0), "$aws/things/other/shadow/delete", b"")) - {0x87, 14}, set())
            for identifier in ("+", "#", "other/shadow", "../other"):  # in the place of %c
                try:
                    odd = Client(self.mqtt, identifier, clean=True, expiry=0)
                    odd.subscribe("$aws/things/other/shadow/#", 1)
                    self.assertNotEqual(odd.publish_acknowledged("$aws/things/other/shadow/delete", ""), 0)
                except (Closed, AssertionError):
                    pass
            try:  # a will is asked about when it is made or when it is due
                dying = Client(self.mqtt, "dying", clean=True, expiry=0, will=("$aws/things/other/shadow/delete", "{}", 1, 0))
                dying.cut()
            except (Closed, AssertionError):
                pass
            for method, path in (("GET", "/things/other/shadow"), ("POST", "/things/other/shadow"),
                                 ("DELETE", "/things/other/shadow"), ("GET", "/things/attacker/../other/shadow"),
                                 ("GET", "/api/things/shadow/ListNamedShadowsForThing/other"),
                                 ("GET", "/api/v1/shadows/other/history"), ("POST", "/api/v1/shadows/other/update"),
                                 ("GET", "/api/v1/shadows?query=version%20%3E%200"),
                                 ("POST", "/topics/%24aws%2Fthings%2Fother%2Fshadow%2Fdelete?qos=1")):
                status, _, body = Http(self.http).ask(method, path, "{}" if method == "POST" else None)
                self.assertIn(status, (400, 401, 403, 404), path)
                self.assertNotIn("secret", json.dumps(body))
            # Each of its own is told, the other's stays what it was.
            attacker.publish("$aws/things/attacker/shadow/get", "")
            heard = []
            while "$aws/things/attacker/shadow/get/rejected" not in heard:
                heard.append(attacker.receive()[0])
            self.assertFalse([topic for topic in heard if "other" in topic or "query" in topic], heard)
            while other.receive(patience=0.2) is not None:
                pass
            other.publish("$aws/things/other/shadow/get", "")
            answer = json.loads(other.receive()[1])
            self.assertEqual((answer["version"], answer["state"]["desired"]), (1, {"key": "secret"}))

    def test_http_refuses_what_is_sent_to_break_it(self):
        daemon = self.start("--set", "http.request_timeout_seconds=2", "--set", "http.body_bytes_max=200000")
        good = Http(self.http)
        self.assertEqual(good.ask("POST", "/things/t/shadow", {"state": {"desired": {"a": 1}}})[0], 200)
        slow = socket.create_connection(("127.0.0.1", self.http), timeout=30)
        slow.sendall(b"POST /things/t/shadow HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
        for method, path, body, statuses in (
                ("GET", "/things/../../etc/passwd", None, (400, 404)),
                ("GET", "/things/%2e%2e%2f%2e%2e%2fetc/shadow", None, (400, 404)),
                ("GET", "/things/t%00x/shadow", None, (400,)),
                ("POST", "/things/t/shadow", "[" * 100_000, (400,)),
                ("POST", "/things/t/shadow", '{"state":{"desired":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}}",
                 (400, 413, 0)),
                ("POST", "/things/t/shadow", '{"state":{"desired":{"a":"' + "x" * 190_000 + '"}}}', (413,)),
                ("POST", "/things/t/shadow", "x" * 300_000, (413, 0)),
                ("PUT", "/things/t/shadow", "{}", (404, 405)),
                ("TRACE", "/things/t/shadow", None, (400, 404, 405)),
                ("POST", "/things/t/shadow?method=DELETE", "{}", (400,))):
            with self.subTest(path=path, body=(body or "")[:20]):
                headers = {"X-HTTP-Method-Override": "DELETE"}
                self.assertIn(self.status_of(method, path, body, **headers), statuses)
                self.assertEqual(Http(self.http).ask("GET", "/things/t/shadow")[2]["version"], 1)
        self.assertEqual(slow.recv(4096)[:12], b"HTTP/1.1 408")
        slow.close()
        answer = Http(self.http).ask("GET", "/things/t/shadow")
        self.assertNotIn("Access-Control-Allow-Origin", answer[1])
        self.assertEqual(answer[2]["version"], 1)
        self.assertIsNone(daemon.process.poll())

    def test_documents_that_are_bombs_change_nothing_and_one_of_many_wins(self):
        daemon = self.start("--set", "mqtt.packet_size_max=20000000")
        thing = Thing(self.mqtt, "target")
        thing.update({"state": {"desired": {"a": 1}}})
        deep = '{"state":{"desired":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}}"
        for payload, codes in ((deep, (400, 413)), ('{"state":{"desired":{"a":"' + "x" * 10_000_000 + '"}}}', (413,)),
                               ('{"state":{"desired":{"a":1e309}}}', (400,)), ('{"state":{"desired":{"a":NaN}}}', (400,)),
                               ('{"state":{"desired":{"a":[1,null]}}}', (400,)), ("{", (400,)), (b"\xff\xfe", (400, 415)),
                               ('{"state":{"desired":{"a":1}},"version":9223372036854775808}', (400, 409)),
                               ('{"state":{"desired":{"a":1}},"version":-1}', (400, 409)),
                               ('{"state":{"desired":{"a":1}},"version":1.5}', (400, 409))):
            answer = thing.ask("update", payload, 1)["update/rejected"]
            self.assertIn(answer["code"], codes, payload[:40])
        self.assertEqual((thing.get()["version"], thing.get()["state"]["desired"]), (1, {"a": 1}))
        # Sound, though odd: the last of doubled keys counts, numbers keep their digits, no key is magic.
        odd = ('{"state":{"desired":{"a":1,"a":2,"__proto__":{"b":1},"constructor":3,"big":1e308,'
               '"huge":123456789012345678901234567890}}}')
        self.assertIn("update/accepted", thing.ask("update", odd, 3))
        thing.asker.publish_acknowledged(thing.prefix + "/get", "")
        text = ""
        while '"huge"' not in text:
            text = thing.watcher.receive()[1]
        self.assertIn('"huge":123456789012345678901234567890', text)
        self.assertIn('"__proto__":{"b":1}', text)
        self.assertIn('"a":2', text)
        # Deleted and made anew by many at once: one winner per version, and no answer is left out.
        rivals = [Client(self.mqtt, f"rival{i}", clean=True, expiry=0) for i in range(6)]
        for rival in rivals:
            rival.subscribe("$aws/things/target/shadow/+/rejected", 1)
        version = 2
        for round in range(5):
            thing.ask("delete", "", 1)
            version += 1
            threads = [threading.Thread(target=rival.publish_acknowledged, args=(
                "$aws/things/target/shadow/update",
                json.dumps({"state": {"desired": {"n": i}, "reported": {"n": i}}, "version": version})))
                for i, rival in enumerate(rivals)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            answers = []
            while len(answers) < len(rivals):
                topic, payload = thing.watcher.receive()[:2]
                self.assertFalse(topic.endswith("delta"), "a delta of what was deleted")
                if topic.endswith(("update/accepted", "update/rejected")):
                    answers.append(json.loads(payload))
            version += 1
            self.assertEqual([each["version"] for each in answers if "version" in each], [version])
            self.assertEqual([each["code"] for each in answers if "code" in each], [409] * (len(rivals) - 1))
        self.assertIsNone(daemon.process.poll())


if __name__ == "__main__":
    unittest.main()
