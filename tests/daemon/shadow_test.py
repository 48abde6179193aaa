"""Device shadows over MQTT: every vector with 1, 2 and 4 shards, what clients may not do, limits, restarts."""

import json
import os
import tempfile
import threading
import time
import unittest

from mqtt import Client, Closed
from programs import BIN, SHARDS, SOURCE, Daemon, run

with open(os.path.join(SOURCE, "tests/vectors/shadow.json"), encoding="utf-8") as file:
    VECTORS = json.load(file)["vectors"]

ANSWERS = ("/accepted", "/rejected", "/delta", "/documents")


def undated(value):
    """The value without its times, which are the daemon's own."""
    if isinstance(value, dict):
        return {key: 0 if key == "timestamp" and isinstance(inner, int) else undated(inner)
                for key, inner in value.items()}
    if isinstance(value, list):
        return [undated(inner) for inner in value]
    return value


def forget(value, path):
    """Takes "a.b" out of nested objects."""
    *parents, last = path.split(".")
    for key in parents:
        value = value.get(key, {})
    value.pop(last, None)


class Thing:
    """One client that asks, and one that sees every message about a thing."""

    def __init__(self, port, thing, name=None, **options):
        self.prefix = f"$aws/things/{thing}/shadow" + (f"/name/{name}" if name else "")
        self.watcher = Client(port, f"w-{thing}-{name}", clean=True, expiry=0)
        assert self.watcher.subscribe(self.prefix + "/#", 1) == 1
        self.asker = Client(port, f"a-{thing}-{name}", clean=True, expiry=0, **options)

    def ask(self, operation, payload, answers):
        """As many answers by the end of their topics, as JSON."""
        payload = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
        self.code = self.asker.publish_acknowledged(f"{self.prefix}/{operation}", payload)
        found = {}
        while len(found) < answers:
            message = self.watcher.receive(patience=20)
            assert message is not None, f"{len(found)} of {answers} answers: {found}"
            ending = message[0][len(self.prefix) + 1:]
            if ending.startswith(operation + "/"):
                assert ending not in found, ending
                assert not message[4], "a service message is retained"
                found[ending] = json.loads(message[1])
        return found

    def update(self, payload, answers=None):
        if answers is None:
            answers = 3 if payload["state"] and payload["state"].get("desired") else 2
        return self.ask("update", payload, answers)

    def get(self):
        (answer,) = self.ask("get", "", 1).values()
        return answer

    def silent(self):
        while (message := self.watcher.receive(patience=0.05)) is not None:
            assert not message[0].endswith(ANSWERS), message
        return True


class Shadow(unittest.TestCase):
    def daemon(self, *more, shards=SHARDS):
        return Daemon("--listen", "mqtt://127.0.0.1:0", "--set", f"node.shards={shards}",
                      "--set", "storage.durability=none", *more)

    def seed(self, thing, vector):
        """Brings the shadow to the vector's stored document, by as many updates as its version."""
        given, buried = vector["given"], vector.get("givenTombstoneVersion")
        if given:
            for _ in range(given["version"] - 1):
                thing.update({"state": {}}, 2)
            state = given["state"]
            thing.asker.publish_acknowledged(thing.prefix + "/update", json.dumps({"state": state}))
            self.assertEqual(thing.get()["version"], given["version"], given)
        if buried:
            for _ in range(buried - 1):
                thing.update({"state": {}}, 2)
            thing.ask("delete", "", 1)

    def run_vector(self, port, vector):
        thing = Thing(port, vector["thing"], vector["shadowName"])
        self.seed(thing, vector)
        while thing.watcher.receive(patience=0.01):
            pass
        for step in vector["steps"]:
            request = step["request"]
            operation = request["topic"].rsplit("/", 1)[1]
            payload = request["payload"] if "payload" in request else request["rawPayload"]
            answers = thing.ask(operation, payload, len(step["expectPublished"]))
            self.assertEqual(thing.code, 0)
            for expected in step["expectPublished"]:
                ending = expected["topic"][len(thing.prefix) + 1:]
                self.assertIn(ending, answers)
                got, wanted = undated(answers[ending]), undated(expected["payload"])
                for path in expected.get("ignore", []):
                    forget(got, path)
                    forget(wanted, path)
                if ending.endswith("rejected"):
                    got.pop("timestamp", None)
                self.assertEqual(got, wanted)
        self.assertTrue(thing.silent())

    def test_every_vector_with_one_two_and_four_shards(self):
        for shards in (1, 2, 4):
            with self.daemon(shards=shards) as daemon:
                port = daemon.ports()[0]
                for number, vector in enumerate(VECTORS):
                    with self.subTest(shards=shards, vector=vector["id"]):
                        text = json.dumps(vector, ensure_ascii=False).replace("thermo1", f"thermo1-{number}")
                        self.run_vector(port, json.loads(text))

    def test_clients_can_neither_forge_answers_nor_retain_nor_invent_topics(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            watcher = Client(port, "watcher", clean=True)
            watcher.subscribe("$aws/things/#", 1)
            for topic, retain in (("update/accepted", 0), ("update/delta", 0), ("update/documents", 0),
                                  ("get/accepted", 0), ("get/rejected", 0), ("delete/accepted", 0), ("update", 1),
                                  ("get", 1), ("foo", 0), ("name/n/update/rejected", 0), ("name/n/get", 1),
                                  ("name/n/list", 0)):
                with self.subTest(topic=topic, retain=retain):
                    forger = Client(port, "forger", clean=True, expiry=0)
                    self.assertEqual(forger.publish_acknowledged("$aws/things/T/shadow/" + topic, "{}", 1, retain),
                                     0x87)
                    old = Client(port, "old", clean=True, level=4)
                    try:
                        old.publish_acknowledged("$aws/things/T/shadow/" + topic, "{}", 1, retain)
                    except Closed:
                        pass
            self.assertIsNone(watcher.receive(patience=0.2))

    def test_a_named_shadow_is_another_one_than_the_classic(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            classic, named = Thing(port, "T"), Thing(port, "T", "$cfg")
            classic.update({"state": {"reported": {"a": 1}}})
            self.assertEqual(named.get()["message"], "No shadow exists with name: '$cfg'")
            named.update({"state": {"reported": {"b": 2}}})
            named.update({"state": {"reported": {"b": 3}}})
            self.assertEqual(classic.get()["version"], 1)
            self.assertEqual(named.get()["state"], {"reported": {"b": 3}})

    def test_of_concurrent_updates_of_one_version_one_wins(self):
        for shards in (1, 4):
            with self.daemon(shards=shards) as daemon:
                port = daemon.ports()[0]
                thing = Thing(port, "race")
                thing.update({"state": {"reported": {"n": 0}}})
                rivals = [Client(port, f"rival{i}", clean=True, expiry=0) for i in range(8)]
                for version in range(1, 6):
                    request = json.dumps({"state": {"reported": {"n": version}}, "version": version})
                    for rival in rivals:
                        rival.publish(thing.prefix + "/update", request)
                    accepted = rejected = 0
                    while accepted + rejected < len(rivals):
                        topic, payload = thing.watcher.receive()[:2]
                        accepted += topic.endswith("update/accepted")
                        if topic.endswith("update/rejected"):
                            self.assertEqual(json.loads(payload)["code"], 409)
                            rejected += 1
                    self.assertEqual(accepted, 1)
                self.assertEqual(thing.get()["version"], 6)

    def test_the_quotas_of_aws_are_a_profile(self):
        with self.daemon("--set", "shadow.profile=aws") as daemon:
            thing = Thing(daemon.ports()[0], "busy")
            for _ in range(60):
                thing.asker.publish(thing.prefix + "/get", '{"clientToken":"t"}', 0)
            codes = set()
            while 429 not in codes:
                message = thing.watcher.receive(patience=20)
                self.assertIsNotNone(message)
                if message[0].endswith("rejected"):
                    answer = json.loads(message[1])
                    self.assertEqual(answer["clientToken"], "t")
                    codes.add(answer["code"])
            self.assertEqual(codes - {429, 404}, set())

    def test_limits_are_configured(self):
        with self.daemon("--set", "shadow.document_bytes_max=100", "--set", "shadow.depth_max=2",
                         "--set", "shadow.token_bytes_max=3") as daemon:
            thing = Thing(daemon.ports()[0], "small")
            for payload, code in (({"state": {"desired": {"a": "x" * 100}}}, 413),
                                  ({"state": {"desired": {"a": {"b": {"c": 1}}}}}, 400),
                                  ({"state": {}, "clientToken": "four"}, 400)):
                self.assertEqual(thing.update(payload, 1)["update/rejected"]["code"], code)

    def test_a_device_reaches_its_own_shadows_only(self):
        with tempfile.TemporaryDirectory() as folder:
            acl = os.path.join(folder, "acl")
            with open(acl, "w", encoding="utf-8") as rules:
                rules.write("pattern readwrite $aws/things/%c/shadow/#\n")
            with self.daemon("--set", f"access.acl_file={acl}", "--set", "access.anonymous=true") as daemon:
                port = daemon.ports()[0]
                mine = Client(port, "mine", clean=True, expiry=0)
                other = Client(port, "other", clean=True, expiry=0)
                other.publish_acknowledged("$aws/things/other/shadow/update", '{"state":{"desired":{"a":1}}}')
                self.assertEqual(mine.subscribe("$aws/things/mine/shadow/#", 1), 1)
                for topic in ("$aws/things/other/shadow/#", "$aws/things/other/shadow/update/delta",
                              "$share/g/$aws/things/other/shadow/#", "$aws/things/+/shadow/name/+/update/accepted"):
                    mine.subscribe(topic, 1)  # what overlaps is allowed, and then filtered
                self.assertEqual(mine.subscribe("$aws/things/other/shadow/get/accepted", 1), 0x87)
                for topic in ("other/shadow/update", "other/shadow/get", "other/shadow/delete",
                              "mine/../other/shadow/get", "Mine/shadow/get", "other/shadow/name/mine/update"):
                    self.assertEqual(mine.publish_acknowledged("$aws/things/" + topic, '{"state":{}}'), 0x87, topic)
                mine.publish("$aws/things/mine/shadow/update", '{"state":{}}')
                seen = set()
                while "$aws/things/mine/shadow/update/accepted" not in seen:
                    seen.add(mine.receive()[0])
                other.publish_acknowledged("$aws/things/other/shadow/update", '{"state":{"desired":{"a":1}}}')
                other.publish_acknowledged("$aws/things/other/shadow/name/n/update", '{"state":{"desired":{"a":1}}}')
                while (message := mine.receive(patience=0.2)) is not None:
                    seen.add(message[0])
                self.assertFalse(any("other" in topic for topic in seen), seen)

    def test_a_deaf_persistent_device_gets_its_delta_when_it_comes_back(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.daemon("--data-dir", os.path.join(folder, "data"), "--set", "storage.durability=os") as daemon:
                port = daemon.ports()[0]
                device = Client(port, "device")
                device.subscribe("$aws/things/device/shadow/update/delta", 1)
                device.disconnect()
                app = Client(port, "app", clean=True)
                self.assertEqual(app.publish_acknowledged("$aws/things/device/shadow/update",
                                                          '{"state":{"desired":{"on":true}}}'), 0)
                daemon.signal("KILL")
                daemon.exit_code()
            with self.daemon("--data-dir", os.path.join(folder, "data"), "--set", "storage.durability=os",
                             shards=3) as daemon:
                device = Client(daemon.ports()[0], "device")
                topic, payload = device.receive()[:2]
                self.assertEqual(topic, "$aws/things/device/shadow/update/delta")
                self.assertEqual(json.loads(payload)["state"], {"on": True})

    def test_versions_survive_kill_and_go_on_after_deletion(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            options = ("--data-dir", data, "--set", "storage.durability=os")
            with self.daemon(*options, shards=1) as daemon:
                port = daemon.ports()[0]
                kept, gone = Thing(port, "kept"), Thing(port, "gone", "n")
                for number in range(3):
                    kept.update({"state": {"reported": {"n": number}}})
                    gone.update({"state": {"reported": {"n": number}}})
                gone.ask("delete", "", 1)
                daemon.signal("KILL")
                daemon.exit_code()
            with self.daemon(*options, shards=4) as daemon:
                port = daemon.ports()[0]
                kept, gone = Thing(port, "kept"), Thing(port, "gone", "n")
                self.assertEqual(kept.get()["version"], 3)
                self.assertEqual(kept.get()["state"], {"reported": {"n": 2}})
                self.assertEqual(gone.get()["code"], 404)
                answer = gone.update({"state": {"reported": {"n": 9}}})
                self.assertEqual(answer["update/accepted"]["version"], 5)

    def test_documents_beyond_the_memory_are_read_back(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.daemon("--data-dir", os.path.join(folder, "data"), "--set", "storage.durability=os",
                             "--set", "shadow.cache_bytes=1048576") as daemon:
                port = daemon.ports()[0]
                writer = Client(port, "writer", clean=True)
                text = "x" * 4000
                count = 600
                for number in range(count):
                    writer.publish(f"$aws/things/t{number}/shadow/update",
                                   json.dumps({"state": {"reported": {"n": number, "text": text}}}))
                done = 0
                while done < count:
                    done += writer.next().kind == 4
                self.assertEqual(writer.subscribe("$aws/things/+/shadow/get/+", 1), 1)
                for number in range(0, count, 7):
                    writer.publish(f"$aws/things/t{number}/shadow/get", "", 0)
                    topic, payload = writer.receive()[:2]
                    self.assertEqual(topic, f"$aws/things/t{number}/shadow/get/accepted")
                    self.assertEqual(json.loads(payload)["state"]["reported"]["n"], number)

    def test_without_the_module_the_topics_are_ordinary(self):
        with self.daemon("--set", "modules.shadow=false") as daemon:
            port = daemon.ports()[0]
            client, other = Client(port, "c", clean=True), Client(port, "o", clean=True)
            client.subscribe("$aws/things/T/shadow/#", 1)
            self.assertEqual(other.publish_acknowledged("$aws/things/T/shadow/update/accepted", "mine"), 0)
            self.assertEqual(client.receive()[:2], ("$aws/things/T/shadow/update/accepted", "mine"))
            other.publish("$aws/things/T/shadow/get", "")
            self.assertEqual(client.receive()[0], "$aws/things/T/shadow/get")
            self.assertIsNone(client.receive(patience=0.2))

    def test_what_goes_beyond_aws_has_topics_of_its_own(self):
        for shards in (1, 4):
            with self.daemon(shards=shards) as daemon:
                port = daemon.ports()[0]
                thing = Thing(port, "own")
                own = Client(port, "own-watcher", clean=True)
                own.subscribe("$twinmq/things/own/shadow/#", 1)
                thing.update({"state": {"desired": {"l": [1, 2], "k": 1}}})
                asker = Client(port, "own-asker", clean=True)

                def ask(operation, payload, ending):
                    asker.publish("$twinmq/things/own/shadow/" + operation, json.dumps(payload))
                    while True:
                        topic, text = own.receive()[:2]
                        if topic == "$twinmq/things/own/shadow/" + ending:
                            return json.loads(text)

                self.assertEqual(ask("patch", {"patch": [{"op": "add", "path": "/desired/l/0", "value": 0}]},
                                     "patch/accepted")["version"], 2)
                self.assertEqual(ask("update", {"state": {"desired": {"k": None}}, "if": {"desired": {"k": 2}}},
                                     "update/rejected")["code"], 409)
                self.assertEqual(ask("update", {"state": {"desired": {"k": None}}, "if": {"desired": {"k": 1}}},
                                     "removed")["state"], {"k": None})
                self.assertEqual(thing.get()["state"]["desired"], {"l": [0, 1, 2]})
                for topic in ("removed", "patch/accepted", "get", "x"):
                    self.assertEqual(asker.publish_acknowledged("$twinmq/things/own/shadow/" + topic, "{}"), 0x87)

    def test_desired_keys_with_a_time_to_live_expire_across_a_restart(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            options = ("--data-dir", data, "--set", "storage.durability=os")
            with self.daemon(*options) as daemon:
                own = Client(daemon.ports()[0], "own", clean=True)
                own.subscribe("$twinmq/things/door/shadow/removed", 1)
                for key, ttl in (("open", 2), ("light", 1)):
                    own.publish_acknowledged("$twinmq/things/door/shadow/update",
                                             json.dumps({"state": {"desired": {key: True, "stay": 1}},
                                                         "ttl": {key: ttl}}))
                topic, text = own.receive(patience=20)[:2]
                self.assertEqual(topic, "$twinmq/things/door/shadow/removed")
                self.assertEqual(json.loads(text)["state"], {"light": None})
                daemon.signal("KILL")
                daemon.exit_code()
            with self.daemon(*options, shards=1) as daemon:
                thing = Thing(daemon.ports()[0], "door")
                deadline = time.monotonic() + 30
                while thing.get()["version"] < 4 and time.monotonic() < deadline:
                    thing.watcher.receive(patience=0.1)
                answer = thing.get()
                self.assertEqual((answer["version"], answer["state"]["desired"]), (4, {"stay": 1}))

    def test_requests_in_cbor_are_answered_in_cbor(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            asker, thing = Client(port, "cbor", clean=True), Thing(port, "c")
            own = Client(port, "cbor-watcher", clean=True)
            own.subscribe("$twinmq/things/c/shadow/cbor/+/+", 1)
            # {"state": {"desired": {"a": 1.5}}}
            update = b"\xa1\x65state\xa1\x67desired\xa1\x61a\xf9\x3e\x00"
            asker.publish_acknowledged("$twinmq/things/c/shadow/cbor/update", update)
            self.assertEqual(own.receive()[0], "$twinmq/things/c/shadow/cbor/update/accepted")
            self.assertEqual(thing.get()["state"]["desired"], {"a": 1.5})
            asker.publish_acknowledged("$twinmq/things/c/shadow/cbor/get", b"")
            self.assertEqual(own.receive()[0], "$twinmq/things/c/shadow/cbor/get/accepted")
            asker.publish_acknowledged("$twinmq/things/c/shadow/cbor/update", b"{}")
            self.assertEqual(own.receive()[0], "$twinmq/things/c/shadow/cbor/update/rejected")
            for topic in ("cbor", "cbor/x", "cbor/get/accepted"):
                self.assertEqual(asker.publish_acknowledged("$twinmq/things/c/shadow/" + topic, b"\xa0"), 0x87)

    def test_an_update_that_breaks_its_schema_changes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            schema, conf = os.path.join(folder, "lamp.json"), os.path.join(folder, "twinmq.toml")
            with open(schema, "w", encoding="utf-8") as file:
                file.write('{"properties": {"desired": {"properties": {"dim": {"maximum": 100}}}}}')
            with open(conf, "w", encoding="utf-8") as file:
                file.write(f'[[shadow.schema]]\nthing = "lamp-*"\nfile = "{schema}"\n')
            with self.daemon("--config", conf) as daemon:
                port = daemon.ports()[0]
                lamp, other = Thing(port, "lamp-1"), Thing(port, "other")
                update = {"state": {"desired": {"dim": 101}}}
                answer = lamp.update(update, 1)["update/rejected"]
                self.assertEqual((answer["code"], answer["message"]),
                                 (400, "State breaks its schema at /desired/dim: is above the maximum of 100"))
                self.assertEqual(lamp.get()["code"], 404)
                self.assertIn("update/accepted", other.update(update))
                self.assertIn("update/accepted", lamp.update({"state": {"desired": {"dim": 100}}}))
            with open(schema, "w", encoding="utf-8") as file:
                file.write('{"properties": {"desired": {"unevaluatedProperties": false}}}')
            code, out, log = run("twinmqd", "--config", conf, "--check")
            self.assertEqual(code, 2)
            self.assertIn('"unevaluatedProperties" is not known', (out + log).replace("\\", ""))

    def test_no_accepted_version_is_lost_when_the_broker_dies(self):
        """Writers note every accepted version; after each kill the shadow is at that version or later, never earlier,
        and holds what that version wrote."""
        things = 6
        accepted = [0] * things
        with tempfile.TemporaryDirectory() as folder:
            options = ("--data-dir", os.path.join(folder, "data"), "--set", "storage.durability=os")
            for life in range(8):
                with self.daemon(*options, shards=life % 3 + 1) as daemon:
                    port = daemon.ports()[0]
                    for number in range(things):
                        document = self.document(port, f"thing{number}", f"check{number}-{life}")
                        self.assertGreaterEqual(document["version"], accepted[number])
                        if document["version"]:
                            self.assertEqual(document["state"]["reported"]["v"], document["version"])
                        accepted[number] = document["version"]
                    enough = threading.Event()
                    writers = [threading.Thread(target=self.write, args=(port, number, accepted, enough))
                               for number in range(things)]
                    for writer in writers:
                        writer.start()
                    self.assertTrue(enough.wait(60))
                    daemon.signal("KILL")
                    daemon.exit_code()
                    for writer in writers:
                        writer.join()

    @staticmethod
    def write(port, number, accepted, enough):
        prefix = f"$aws/things/thing{number}/shadow/update"
        try:
            client = Client(port, f"writer{number}", clean=True, expiry=0)
            client.subscribe(prefix + "/+", 1)
            for _ in range(100_000):
                version = accepted[number]
                client.publish(prefix, json.dumps({"state": {"reported": {"v": version + 1}}, "version": version}))
                while True:
                    topic, payload = client.receive()[:2]
                    if topic.endswith("accepted"):
                        accepted[number] = json.loads(payload)["version"]
                        break
                    assert not topic.endswith("rejected"), payload
                if accepted[number] - version != 1:
                    break
                if sum(accepted) % 300 > 290:
                    enough.set()
        except (Closed, OSError):
            pass

    @staticmethod
    def document(port, thing, client_id):
        client = Client(port, client_id, clean=True, expiry=0)
        client.subscribe(f"$aws/things/{thing}/shadow/get/+", 1)
        client.publish(f"$aws/things/{thing}/shadow/get", "")
        topic, payload = client.receive()[:2]
        return json.loads(payload) if topic.endswith("accepted") else {"version": 0}


if __name__ == "__main__":
    assert BIN
    unittest.main()
