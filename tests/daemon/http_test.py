"""The HTTP data plane: AWS's calls with their status codes, headers and bodies, who may do what, with 1, 2 and 4 shards."""

import base64
import hashlib
import http.client
import json
import os
import socket
import tempfile
import time
import unittest
import urllib.parse

from mqtt import Client
from programs import SHARDS, SOURCE, Daemon, run

with open(os.path.join(SOURCE, "tests/vectors/shadow.json"), encoding="utf-8") as file:
    VECTORS = json.load(file)["http"]


class Http:
    """A connection that is kept, and the answers as (status, headers, JSON)."""

    def __init__(self, port, headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = headers or {}

    def __del__(self):
        self.connection.close()

    def ask(self, method, path, body=None, **headers):
        body = json.dumps(body) if isinstance(body, (dict, list)) else body
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, {**self.headers, **more})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None


class HttpApi(unittest.TestCase):
    def start(self, *more, shards=SHARDS):
        daemon = Daemon("--listen", "mqtt://127.0.0.1:0", "--listen", "http://127.0.0.1:0",
                        "--set", f"node.shards={shards}", "--set", "storage.durability=none", *more)
        self.addCleanup(daemon.__exit__)
        line = daemon.wait_for_line(r"\bready\b")
        self.mqtt, self.http = (int(line.split(f"{scheme}://127.0.0.1:")[1].split()[0].strip('",'))
                                for scheme in ("mqtt", "http"))
        return daemon

    def test_every_vector_with_one_two_and_four_shards(self):
        for shards in (1, 2, 4):
            self.start(shards=shards)
            client = Http(self.http)
            watcher = Client(self.mqtt, "watcher", clean=True)
            watcher.subscribe("$aws/things/+/shadow/#", 1)
            for number, vector in enumerate(VECTORS):
                with self.subTest(shards=shards, vector=vector["id"]):
                    text = json.dumps(vector).replace("thermo1", f"t{number}")
                    self.run_vector(client, watcher, json.loads(text), f"t{number}")

    def run_vector(self, client, watcher, vector, thing):
        if vector.get("given"):
            for _ in range(vector["given"]["version"] - 1):
                client.ask("POST", f"/things/{thing}/shadow", {"state": {}})
            client.ask("POST", f"/things/{thing}/shadow", {"state": vector["given"]["state"]})
        for name in vector.get("namedShadows", []):
            client.ask("POST", f"/things/{thing}/shadow?name={name}", {"state": {}})
        request, expect = vector["request"], vector["expect"]
        status, headers, body = client.ask(request["method"], request["path"], request.get("body"))
        self.assertEqual(status, expect["status"])
        for name, value in expect.get("header", {}).items():
            self.assertEqual(headers[name], value)
        for key, value in expect.get("body", {}).items():
            if key == "timestamp":
                self.assertLess(abs(body[key] - time.time()), 100)
            else:
                self.assertEqual(body[key], value)
        for key in expect.get("bodyHas", []):
            self.assertIn(key, body)
        if "resultsLength" in expect:
            self.assertEqual(len(body["results"]), expect["resultsLength"])
        while (message := watcher.receive(patience=0.02)) is not None:
            self.assertFalse(message[0].endswith("/rejected"), message)

    def test_an_update_is_told_over_mqtt_as_well(self):
        self.start()
        watcher = Client(self.mqtt, "watcher", clean=True)
        watcher.subscribe("$aws/things/lamp/shadow/#", 1)
        status, _, body = Http(self.http).ask("POST", "/things/lamp/shadow",
                                              {"state": {"desired": {"on": True}}, "clientToken": "t"})
        self.assertEqual((status, body["version"], body["clientToken"]), (200, 1, "t"))
        seen = {watcher.receive()[0].rsplit("/", 1)[1] for _ in range(3)}
        self.assertEqual(seen, {"accepted", "delta", "documents"})
        status, _, body = Http(self.http).ask("GET", "/things/lamp/shadow")
        self.assertEqual(body["state"], {"desired": {"on": True}, "delta": {"on": True}})
        self.assertIsNone(watcher.receive(patience=0.1))

    def test_errors_have_the_names_of_aws(self):
        self.start("--set", "http.body_bytes_max=20000")
        client = Http(self.http)
        for method, path, body, status, kind in (
                ("POST", "/things/t/shadow", "nonsense", 400, "InvalidRequestException"),
                ("POST", "/things/t/shadow", b'{"state":"\xff"}', 415, "UnsupportedDocumentEncodingException"),
                ("POST", "/things/t/shadow", {"state": {"desired": {"a": "x" * 9000}}}, 413,
                 "RequestEntityTooLargeException"),
                ("GET", "/things/t/shadow?name=a.b", None, 400, "InvalidRequestException"),
                ("GET", "/things/a%20b/shadow", None, 400, "InvalidRequestException"),
                ("GET", "/things/t/shadow", None, 404, "ResourceNotFoundException"),
                ("GET", "/nowhere", None, 404, "ResourceNotFoundException"),
                ("PUT", "/topics/a", "x", 405, "MethodNotAllowedException"),
                ("POST", "/topics/a?qos=2", "x", 400, "InvalidRequestException"),
                ("POST", "/topics/a/%2B", "x", 400, "InvalidRequestException"),
                ("POST", "/topics/$aws/things/t/shadow/update/accepted", "x", 403, "ForbiddenException"),
                ("POST", "/topics/$SYS/x", "x", 403, "ForbiddenException"),
                ("POST", "/topics/$aws/things/t/shadow/update?retain=true", "{}", 403, "ForbiddenException"),
                ("GET", "/retainedMessage/none", None, 404, "ResourceNotFoundException"),
                ("GET", "/api/things/shadow/ListNamedShadowsForThing/t?pageSize=101", None, 400,
                 "InvalidRequestException")):
            with self.subTest(path=path):
                answer = client.ask(method, path, body)
                self.assertEqual((answer[0], answer[1]["x-amzn-ErrorType"]), (status, kind))
                self.assertIn("message", answer[2])

    def test_names_are_listed_in_pages_without_what_was_deleted(self):
        self.start()
        client = Http(self.http)
        for name in ("a", "b", "c", "$d", "gone"):
            client.ask("POST", f"/things/t/shadow?name={name.replace('$', '%24')}", {"state": {}})
        client.ask("POST", "/things/t/shadow", {"state": {}})
        client.ask("DELETE", "/things/t/shadow?name=gone")
        names, token = [], ""
        while True:
            path = f"/api/things/shadow/ListNamedShadowsForThing/t?pageSize=2&nextToken={token}"
            _, _, body = client.ask("GET", path)
            names += body["results"]
            if "nextToken" not in body:
                break
            token = body["nextToken"].replace("$", "%24")
        self.assertEqual(names, ["$d", "a", "b", "c"])

    def test_publishing_and_what_is_retained(self):
        for shards in (1, 2, 4):
            # With none, an answer does not promise that the store has it already.
            folder = self.enterContext(tempfile.TemporaryDirectory())
            self.start("--set", "storage.durability=os", "--data-dir", folder,
                       *(("--set", "modules.shadow=false") if shards == 2 else ()), shards=shards)
            client = Http(self.http)
            watcher = Client(self.mqtt, "watcher", clean=True)
            watcher.subscribe("plant/#", 1)
            properties = base64.b64encode(json.dumps([{"k": "v"}]).encode()).decode()
            status, _, body = client.ask("POST", "/topics/plant%2Fa/b?qos=1&contentType=text%2Fplain", "hello",
                                         x_amz_mqtt5_user_properties=properties)
            self.assertEqual((status, body["message"]), (200, "OK"))
            self.assertEqual(watcher.receive()[:3], ("plant/a/b", "hello", 1))
            for topic in ("r1", "r2", "r3"):
                self.assertEqual(client.ask("POST", f"/topics/{topic}?qos=1&retain=true", "kept " + topic)[0], 200)
            status, _, body = client.ask("GET", "/retainedMessage/r2")
            self.assertEqual((status, body["topic"], base64.b64decode(body["payload"]), body["qos"]),
                             (200, "r2", b"kept r2", 1))
            self.assertLess(abs(body["lastModifiedTime"] / 1000 - time.time()), 100)
            topics, token = [], None
            while True:
                _, _, body = client.ask("GET", "/retainedMessage?maxResults=2" + (f"&nextToken={token}" if token else ""))
                topics += [each["topic"] for each in body["retainedTopics"]]
                token = body.get("nextToken", "").replace("=", "%3D")
                if not token:
                    break
            self.assertEqual(topics, ["r1", "r2", "r3"])

    def test_who_may_do_what_is_asked_at_the_same_doors_as_mqtt(self):
        with tempfile.TemporaryDirectory() as folder:
            passwords, tokens, acl = (os.path.join(folder, name) for name in ("passwords", "tokens", "acl"))
            salt = b"salt"
            hashed = base64.b64encode(hashlib.sha512(b"secret" + salt).digest()).decode()
            with open(passwords, "w", encoding="utf-8") as out:
                out.write(f"mine:$6${base64.b64encode(salt).decode()}${hashed}\n")
            token = "0123456789abcdef0123456789abcdef"
            with open(tokens, "w", encoding="utf-8") as out:
                out.write(f"mine:sha256${hashlib.sha256(token.encode()).hexdigest()}$never\n")
            with open(acl, "w", encoding="utf-8") as out:
                out.write("pattern readwrite $aws/things/%u/shadow/#\npattern readwrite free/%u/#\n"
                          "pattern readwrite $aws/things/%c/shadow/#\n")
            os.chmod(passwords, 0o600)
            os.chmod(tokens, 0o600)
            self.start("--set", f"access.password_file={passwords}", "--set", f"access.token_file={tokens}",
                       "--set", f"access.acl_file={acl}")
            self.assertEqual(Http(self.http).ask("GET", "/things/mine/shadow")[0], 401)
            for bad in ("Basic " + base64.b64encode(b"mine:wrong").decode(), "Bearer nonsense", "Basic !!", "Digest x",
                        "Basic " + base64.b64encode(b"nocolon").decode(), ""):
                self.assertEqual(Http(self.http, {"Authorization": bad}).ask("GET", "/things/mine/shadow")[0], 401, bad)
            for good in ("Basic " + base64.b64encode(b"mine:secret").decode(), "Bearer " + token):
                client = Http(self.http, {"Authorization": good})
                self.assertEqual(client.ask("POST", "/things/mine/shadow", {"state": {}})[0], 200, good)
                self.assertEqual(client.ask("GET", "/things/mine/shadow")[0], 200)
                for method, path in (("GET", "/things/other/shadow"), ("POST", "/things/other/shadow"),
                                     ("DELETE", "/things/other/shadow?name=mine"), ("GET", "/things/Mine/shadow"),
                                     ("GET", "/api/things/shadow/ListNamedShadowsForThing/other"),
                                     ("POST", "/topics/free/other/x"), ("GET", "/retainedMessage/free/other/x"),
                                     ("POST", "/topics/$aws/things/other/shadow/update"),
                                     ("POST", "/topics/%24aws%2Fthings%2Fother%2Fshadow%2Fget")):
                    self.assertEqual(client.ask(method, path, "{}" if method == "POST" else None)[0], 403, path)
                self.assertEqual(client.ask("POST", "/topics/free/mine/x", "x")[0], 200)

    def pages(self, client, query, limit=7):
        """The names of what all pages of a query show, how many documents were looked at, and the index."""
        names, looked, token = [], 0, ""
        while True:
            path = "/api/v1/shadows?" + urllib.parse.urlencode({"query": query, "limit": limit, "nextToken": token},
                                                                 quote_via=urllib.parse.quote)
            status, _, body = client.ask("GET", path)
            self.assertEqual(status, 200, body)
            names += [each["thing"] for each in body["results"]]
            looked += body["lookedAt"]
            token = body.get("nextToken", "")
            if not token:
                return names, looked, body.get("index")

    def test_queries_over_all_shadows_find_the_same_with_and_without_an_index(self):
        for shards in (1, 4):
            with tempfile.TemporaryDirectory() as folder:
                options = ("--data-dir", os.path.join(folder, "data"), "--set", "storage.durability=os",
                           "--set", "shadow.queries=true")
                wanted = [f"q{n}" for n in range(60) if n - 20 < 10]
                for index in ([], ["reported.battery", "reported.mode"], ["reported.mode"]):
                    daemon = self.start(*options, *(["--set", "shadow.indexes=" + ",".join(index)] if index else []),
                                        shards=shards)
                    client = Http(self.http)
                    for n in range(60) if not index else ():
                        client.ask("POST", f"/things/q{n}/shadow",
                                   {"state": {"reported": {"battery": n - 20, "mode": ["on", "off", 3][n % 3]}}})
                    device = Client(self.mqtt, "q7", clean=True)
                    path = "reported.battery" if "reported.battery" in index else None
                    deadline = time.monotonic() + 30
                    while True:
                        names, looked, used = self.pages(client, "reported.battery < 10 AND connected = false")
                        if used == path or time.monotonic() > deadline:
                            break
                    self.assertEqual((sorted(names), used), (sorted(set(wanted) - {"q7"}), path))
                    self.assertEqual(looked, 31 if path else 60)
                    names = self.pages(client, "connected = true AND reported.mode = 'off'")[0]
                    self.assertEqual(names, ["q7"])
                    self.assertEqual(len(self.pages(client, "reported.mode >= 'off' AND reported.mode < 'on'")[0]), 20)
                    self.assertEqual(len(self.pages(client, "3 = reported.mode")[0]), 20)
                    self.assertEqual(len(self.pages(client, "reported.battery BETWEEN -5 AND 5")[0]), 11)
                    client.ask("POST", "/things/q3/shadow", {"state": {"reported": {"battery": 99}}})
                    self.assertEqual(self.pages(client, "reported.battery > 90")[0], ["q3"])
                    client.ask("POST", "/things/q3/shadow", {"state": {"reported": {"battery": -17}}})
                    device.disconnect()
                    daemon.signal("TERM")
                    daemon.exit_code()

    def test_only_who_has_the_right_may_query(self):
        self.start()
        self.assertEqual(Http(self.http).ask("GET", "/api/v1/shadows?query=true")[0], 404)
        with tempfile.TemporaryDirectory() as folder:
            acl = os.path.join(folder, "acl")
            with open(acl, "w", encoding="utf-8") as out:
                out.write("topic readwrite #\npattern readwrite $twinmq/things/%c/shadow/#\n")
            self.start("--set", f"access.acl_file={acl}", "--set", "shadow.queries=true")
            self.assertEqual(Http(self.http).ask("GET", "/api/v1/shadows?query=true")[0], 403)
            self.assertEqual(Client(self.mqtt, "d", clean=True).publish_acknowledged("$twinmq/shadows/query", "{}"), 0x87)
        self.start("--set", "shadow.queries=true")
        client = Http(self.http)
        client.ask("POST", "/things/a/shadow", {"state": {"reported": {"x": 1}}})
        for bad in ("query=", "query=a+=", "query=a%20%3D", "query=true&limit=0", "query=true&limit=5000",
                    "query=true&nextToken=zz", "query=true&nextToken=6a"):
            self.assertEqual(client.ask("GET", "/api/v1/shadows?" + bad)[0], 400, bad)
        self.assertEqual(len(client.ask("GET", "/api/v1/shadows?query=reported.x+%2B+1+=%202")[2]["results"]), 1)
        asker = Client(self.mqtt, "asker", clean=True)
        watcher = Client(self.mqtt, "query-watcher", clean=True)
        watcher.subscribe("$twinmq/shadows/query/+", 1)
        code = asker.publish_acknowledged("$twinmq/shadows/query",
                                          json.dumps({"query": "reported.x = 1", "clientToken": "t"}))
        self.assertEqual(code, 0)
        topic, text = watcher.receive()[:2]
        answer = json.loads(text)
        self.assertEqual(topic, "$twinmq/shadows/query/accepted")
        self.assertEqual((answer["clientToken"], [each["state"] for each in answer["results"]]),
                         ("t", [{"reported": {"x": 1}}]))
        asker.publish_acknowledged("$twinmq/shadows/query", json.dumps({"query": "((", "clientToken": "t"}))
        topic, text = watcher.receive()[:2]
        self.assertEqual((topic, json.loads(text)["code"]), ("$twinmq/shadows/query/rejected", 400))

    def test_the_last_versions_are_kept_with_who_made_them(self):
        self.start("--set", "shadow.history_versions=3")
        client, device = Http(self.http), Client(self.mqtt, "device", clean=True)
        watcher = Client(self.mqtt, "history-watcher", clean=True)
        watcher.subscribe("$twinmq/things/lamp/shadow/history/+", 1)
        for dim in range(4):
            device.publish_acknowledged("$aws/things/lamp/shadow/update",
                                        json.dumps({"state": {"desired": {"dim": dim, f"k{dim}": 1, f"k{dim - 1}": None}}}))
        status, _, body = client.ask("POST", "/api/v1/shadows/lamp/patch",
                                     {"patch": [{"op": "replace", "path": "/desired/dim", "value": 9}]})
        self.assertEqual((status, body["version"]), (200, 5))
        versions = client.ask("GET", "/api/v1/shadows/lamp/history")[2]["versions"]
        self.assertEqual([(each["version"], each["operation"], each.get("clientId"), each["state"]["desired"]["dim"])
                          for each in versions],
                         [(5, "patch", None, 9), (4, "update", "device", 3), (3, "update", "device", 2)])
        self.assertTrue(versions[1]["peer"].startswith("127.0.0.1"))
        page = client.ask("GET", "/api/v1/shadows/lamp/history?limit=1&before=5")[2]
        self.assertEqual(([each["version"] for each in page["versions"]], page["nextBefore"]), ([4], 4))
        self.assertEqual(client.ask("GET", "/api/v1/shadows/lamp/history?from=3&to=5")[2],
                         {"from": 3, "to": 5, "changed": {"desired": {"dim": 9, "k3": 1}},
                          "removed": {"desired": {"k2": None}}})
        self.assertEqual(client.ask("GET", "/api/v1/shadows/lamp/history?from=1&to=5")[0], 404)
        self.assertEqual(client.ask("GET", "/api/v1/shadows/lamp/history?limit=0")[0], 400)
        self.assertEqual(client.ask("GET", "/api/v1/shadows/other/history")[0], 404)
        device.publish_acknowledged("$aws/things/lamp/shadow/delete", "")
        device.publish_acknowledged("$twinmq/things/lamp/shadow/history", '{"limit":1,"clientToken":"t"}')
        topic, text = watcher.receive()[:2]
        answer = json.loads(text)
        self.assertEqual((topic, answer["clientToken"]), ("$twinmq/things/lamp/shadow/history/accepted", "t"))
        self.assertEqual([(each["version"], each["operation"], "state" in each) for each in answer["versions"]],
                         [(6, "delete", False)])
        device.publish_acknowledged("$twinmq/things/lamp/shadow/history", "no")
        self.assertEqual(watcher.receive()[0], "$twinmq/things/lamp/shadow/history/rejected")

    def test_broken_requests_disturb_nobody(self):
        daemon = self.start()
        good = Http(self.http)
        for rubbish in (b"\0\1\2\3" * 100, b"GET / HTTP/9.9\r\n\r\n", b"POST /topics/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                        b"GET " + b"/x" * 20000 + b" HTTP/1.1\r\n\r\n",
                        b"POST /topics/a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                        b"\x16\x03\x01\x02\x00\x01"):
            with socket.create_connection(("127.0.0.1", self.http), timeout=30) as raw:
                raw.sendall(rubbish)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
            self.assertEqual(good.ask("GET", "/things/t/shadow")[0], 404)
        self.assertIsNone(daemon.process.poll())

    def test_clients_come_and_go_as_events(self):
        self.start()
        watcher = Client(self.mqtt, "watcher", clean=True)
        watcher.subscribe("$aws/events/+/+/dev", 1)
        device = Client(self.mqtt, "dev", clean=True, expiry=0)
        device.subscribe("a/b", 0)
        other = Client(self.mqtt, "dev", clean=True, expiry=0)
        other.disconnect()
        events = []
        while len(events) < 5:
            topic, payload = watcher.receive()[:2]
            events.append(json.loads(payload))
            self.assertEqual(topic.split("/")[-1], "dev")
            self.assertTrue(topic.split("/")[-2] == events[-1]["eventType"], topic)
            self.assertEqual(events[-1]["clientId"], "dev")
            self.assertLess(abs(events[-1]["timestamp"] / 1000 - time.time()), 100)
        by_type = {}
        for event in events:
            by_type.setdefault(event["eventType"], []).append(event)
        first, second = sorted(by_type["connected"], key=lambda event: event["versionNumber"])
        self.assertEqual((first["versionNumber"], second["versionNumber"], first["ipAddress"]), (0, 1, "127.0.0.1"))
        self.assertNotEqual(first["sessionIdentifier"], second["sessionIdentifier"])
        self.assertEqual(by_type["subscribed"][0]["topics"], ["a/b"])
        self.assertEqual(by_type["subscribed"][0]["sessionIdentifier"], first["sessionIdentifier"])
        ends = {event["disconnectReason"]: event for event in by_type["disconnected"]}
        self.assertEqual(set(ends), {"DUPLICATE_CLIENTID", "CLIENT_INITIATED_DISCONNECT"})
        self.assertEqual(ends["DUPLICATE_CLIENTID"]["sessionIdentifier"], first["sessionIdentifier"])
        self.assertEqual(ends["DUPLICATE_CLIENTID"]["versionNumber"], 0)
        self.assertFalse(ends["DUPLICATE_CLIENTID"]["clientInitiatedDisconnect"])
        self.assertTrue(ends["CLIENT_INITIATED_DISCONNECT"]["clientInitiatedDisconnect"])


if __name__ == "__main__":
    assert run
    unittest.main()
