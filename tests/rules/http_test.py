"""Rules over HTTP: AWS's paths, ours, and who may."""

import base64
import hashlib
import http.client
import json
import os
import tempfile
import unittest

from mqtt import Client
from programs import Daemon

PAYLOAD = {"sql": "SELECT t FROM 'in/+' WHERE t > 50", "description": "hot ones", "awsIotSqlVersion": "2016-03-23",
           "actions": [{"republish": {"roleArn": "arn:aws:iam::1:role/r", "topic": "out/${topic(2)}", "qos": 1,
                                      "headers": {"contentType": "application/json",
                                                  "userProperties": [{"key": "from", "value": "${clientid()}"}]}}}]}


def basic(user):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:secret".encode()).decode()}


class RulesOverHttp(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.passwords = os.path.join(self.folder.name, "passwords")
        hashed = base64.b64encode(hashlib.sha512(b"secret" + b"salt").digest()).decode()
        with open(self.passwords, "w") as file:
            for user in ("root", "user"):
                file.write(f"{user}:$6${base64.b64encode(b'salt').decode()}${hashed}\n")
        os.chmod(self.passwords, 0o600)

    def tearDown(self):
        self.folder.cleanup()

    def start(self, *more, data="data"):
        daemon = Daemon("--listen", "mqtt://127.0.0.1:0", "--listen", "http://127.0.0.1:0", "--data-dir",
                        os.path.join(self.folder.name, data), "--set", "node.shards=2", *more)
        self.addCleanup(daemon.__exit__)
        line = daemon.wait_for_line(r"\bready\b")
        self.mqtt, self.http = (int(line.split(f"{scheme}://127.0.0.1:")[1].split()[0].strip('",'))
                                for scheme in ("mqtt", "http"))
        return daemon

    def start_with_administrator(self):
        return self.start("--set", f"access.password_file={self.passwords}", "--set", "access.anonymous=true", "--set",
                          "admin.principals=root")

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        body = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, body, basic("root") if headers is None else headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers.get("x-amzn-ErrorType"), json.loads(text) if text else None

    def test_the_paths_of_aws(self):
        self.start_with_administrator()
        watcher = Client(self.mqtt, "watcher", clean=True, expiry=0)
        watcher.subscribe("out/#", 1)
        device = Client(self.mqtt, "device", clean=True, expiry=0)
        self.assertEqual(self.ask("POST", "/rules/hot", PAYLOAD), (200, None, {}))
        device.publish_acknowledged("in/x", '{"t":60}')
        self.assertEqual(watcher.receive(patience=20)[:2], ("out/x", '{"t":60}'))
        status, _, found = self.ask("GET", "/rules/hot")
        self.assertEqual(status, 200)
        self.assertEqual(found["ruleArn"], "arn:aws:iot:::rule/hot")
        rule = found["rule"]
        self.assertEqual({key: rule[key] for key in ("ruleName", "sql", "description", "ruleDisabled", "awsIotSqlVersion")},
                         {"ruleName": "hot", "sql": PAYLOAD["sql"], "description": "hot ones", "ruleDisabled": False,
                          "awsIotSqlVersion": "2016-03-23"})
        republish = rule["actions"][0]["republish"]
        self.assertEqual({**republish, "roleArn": PAYLOAD["actions"][0]["republish"]["roleArn"]}, PAYLOAD["actions"][0]["republish"])
        self.assertEqual(self.ask("PATCH", "/rules/hot", rule), (200, None, {}))
        self.assertEqual(self.ask("PATCH", "/rules/hot", {**PAYLOAD, "sql": "SELECT t FROM 'in/+' WHERE t > 70"}), (200, None, {}))
        device.publish_acknowledged("in/x", '{"t":60}')
        device.publish_acknowledged("in/x", '{"t":80}')
        self.assertEqual(watcher.receive(patience=20)[1], '{"t":80}')
        self.assertEqual(self.ask("POST", "/rules/hot/disable"), (200, None, {}))
        self.assertTrue(self.ask("GET", "/rules/hot")[2]["rule"]["ruleDisabled"])
        self.assertEqual(self.ask("POST", "/rules/hot/enable"), (200, None, {}))
        for name in ("a", "b", "c"):
            self.assertEqual(self.ask("POST", f"/rules/{name}", {"sql": f"SELECT * FROM 'x/{name}'", "ruleDisabled": name == "b"})[0], 200)
        _, _, page = self.ask("GET", "/rules?maxResults=3")
        self.assertEqual([each["ruleName"] for each in page["rules"]], ["a", "b", "c"])
        self.assertEqual(page["rules"][0]["topicPattern"], "x/a")
        _, _, page = self.ask("GET", f"/rules?maxResults=3&nextToken={page['nextToken']}")
        self.assertEqual([each["ruleName"] for each in page["rules"]], ["hot"])
        self.assertNotIn("nextToken", page)
        self.assertEqual([each["ruleName"] for each in self.ask("GET", "/rules?ruleDisabled=true")[2]["rules"]], ["b"])
        self.assertEqual([each["ruleName"] for each in self.ask("GET", "/rules?topic=in%2F1")[2]["rules"]], ["hot"])
        self.assertEqual(self.ask("DELETE", "/rules/hot"), (200, None, {}))
        self.assertEqual(self.ask("GET", "/rules/hot")[:2], (401, "UnauthorizedException"))

    def test_the_actions_of_aws_keep_what_they_say(self):
        port = "127.0.0.1:9"
        self.start_with_administrator()
        republish = {"roleArn": "arn:aws:iam::000000000000:role/twinmq", "topic": "out/x", "qos": 0, "headers": {
            "payloadFormatIndicator": "UTF8_DATA", "contentType": "application/json", "responseTopic": "answers",
            "correlationData": base64.b64encode(b"id").decode(), "messageExpiry": "${expiry}",
            "userProperties": [{"key": "k", "value": "v"}]}}
        self.assertEqual(self.ask("POST", "/rules/r", {**PAYLOAD, "actions": [{"republish": republish}]}), (200, None, {}))
        self.assertEqual(self.ask("GET", "/rules/r")[2]["rule"]["actions"], [{"republish": republish}])
        watcher = Client(self.mqtt, "watcher", clean=True, expiry=0)
        watcher.subscribe("out/#", 0)
        device = Client(self.mqtt, "device", clean=True, expiry=0)
        device.publish_acknowledged("in/x", '{"t":60,"expiry":"soon"}')  # the action fails
        device.publish_acknowledged("in/x", '{"t":61,"expiry":60}')
        body = watcher.next().body
        self.assertTrue(body.endswith(b'{"t":61}'), body)
        self.assertIn(b"\x01\x01", body)
        self.assertRegex(body, rb"\x02\x00\x00\x00[\x3b\x3c]")
        for part in (b"application/json", b"answers", b"\x00\x02id", b"\x00\x01k\x00\x01v"):
            self.assertIn(part, body)
        for key, value in (("messageExpiry", "soon"), ("payloadFormatIndicator", "TEXT")):
            headers = {"roleArn": "r", "topic": "out", "headers": {key: value}}
            self.assertEqual(self.ask("POST", "/rules/x", {**PAYLOAD, "actions": [{"republish": headers}]})[:2],
                             (400, "InvalidRequestException"))
        # Batches, and addresses that depend on the message.
        self.start("--set", f"access.password_file={self.passwords}", "--set", "access.anonymous=true", "--set",
                   "admin.principals=root", "--set", f"rules.http_targets=http://{port}/in/", data="other")
        http = {"url": f"http://{port}/in/${{topic(2)}}", "headers": [{"key": "X-Device", "value": "${clientid()}"}],
                "enableBatching": True, "batchConfig": {"maxBatchOpenMs": 50, "maxBatchSize": 5, "maxBatchSizeBytes": 1000,
                                                        "batchAcrossTopics": False}}
        self.assertEqual(self.ask("POST", "/rules/h", {**PAYLOAD, "actions": [{"http": http}]}), (200, None, {}))
        self.assertEqual(self.ask("GET", "/rules/h")[2]["rule"]["actions"], [{"http": http}])
        action = self.ask("GET", "/api/v1/rules/h")[2]["rule"]["action"][0]
        self.assertEqual((action["body"], action["batch_max"], action["batch_bytes_max"], action["linger_milliseconds"]),
                         ("array", 5, 1000, 50))
        del http["batchConfig"]
        self.assertEqual(self.ask("POST", "/rules/d", {**PAYLOAD, "actions": [{"http": http}]}), (200, None, {}))
        self.assertEqual(self.ask("GET", "/rules/d")[2]["rule"]["actions"][0]["http"]["batchConfig"],
                         {"maxBatchOpenMs": 20, "maxBatchSize": 10, "maxBatchSizeBytes": 5120, "batchAcrossTopics": False})
        for actions, what in (({"actions": [{"http": {**http, "auth": {"sigv4": {}}}}]}, "auth is not offered here"),
                              ({"errorAction": {"http": http}}, "enableBatching is not offered there"),
                              ({"actions": [{"http": {**http, "batchConfig": {"foo": 1}}}]}, "batchConfig.foo"),
                              ({"actions": [{"http": {**http, "url": f"http://{port}/in/../admin"}}]}, "has a segment"),
                              ({"actions": [{"http": {**http, "url": f"http://{port}/out/${{topic(2)}}"}}]}, "http_targets")):
            status, name, answer = self.ask("POST", "/rules/x", {**PAYLOAD, **actions})
            self.assertEqual((status, name), (400, "InvalidRequestException"))
            self.assertIn(what, answer["message"])

    def test_errors_have_the_names_of_aws(self):
        self.start_with_administrator()
        self.assertEqual(self.ask("POST", "/rules/hot", PAYLOAD)[0], 200)
        for method, path, body, expected in (
                ("POST", "/rules/hot", PAYLOAD, (409, "ResourceAlreadyExistsException")),
                ("POST", "/rules/x", {"sql": "SELECT a FORM 'x'"}, (400, "SqlParseException")),
                ("POST", "/rules/x", {"sql": 1}, (400, "InvalidRequestException")),
                ("POST", "/rules/x", "{", (400, "InvalidRequestException")),
                ("POST", "/rules/x-y", PAYLOAD, (400, "InvalidRequestException")),
                ("POST", "/rules/x", {**PAYLOAD, "foo": 1}, (400, "InvalidRequestException")),
                ("POST", "/rules/x", {**PAYLOAD, "actions": [{"sns": {"targetArn": "a"}}]}, (400, "InvalidRequestException")),
                ("POST", "/rules/x", {**PAYLOAD, "actions": [{"http": {"url": "http://evil.example/"}}]}, (400, "InvalidRequestException")),
                ("PATCH", "/rules/x", PAYLOAD, (401, "UnauthorizedException")),
                ("PUT", "/rules/hot", PAYLOAD, (405, "MethodNotAllowedException")),
                ("GET", "/rules/hot/enable", None, (405, "MethodNotAllowedException")),
                ("POST", "/rules/hot/other", None, (404, "ResourceNotFoundException")),
                ("GET", "/rules?maxResults=0", None, (400, "InvalidRequestException"))):
            with self.subTest(method=method, path=path, body=body):
                self.assertEqual(self.ask(method, path, body)[:2], expected)
        self.assertIn('the action "sns" is not offered here',
                      self.ask("POST", "/rules/x", {**PAYLOAD, "actions": [{"sns": {}}]})[2]["message"])

    def test_our_own_paths(self):
        self.start_with_administrator()
        definition = "sql = \"SELECT * FROM 'in'\"\n[[action]]\ntype = \"log\"\n"
        status, _, made = self.ask("POST", "/api/v1/rules/noted", definition)
        self.assertEqual((status, made["name"], made["rule"]["action"]), (201, "noted", [{"type": "log"}]))
        self.assertEqual(self.ask("POST", "/api/v1/rules/noted", definition)[0], 409)
        self.assertEqual(self.ask("PUT", "/api/v1/rules/noted", {"sql": "SELECT a FROM 'in'"})[0], 200)
        self.assertEqual([each["name"] for each in self.ask("GET", "/api/v1/rules")[2]], ["noted"])
        self.assertEqual(self.ask("POST", "/api/v1/rules/noted/disable")[2]["enabled"], False)
        self.assertEqual(self.ask("GET", "/api/v1/rules/noted/stats")[2]["matched"], 0)
        self.assertIn("from     in\n", self.ask("GET", "/api/v1/rules/noted/explain")[2]["explanation"])
        self.assertEqual(self.ask("GET", "/api/v1/sinks")[2], [])
        self.assertEqual(self.ask("POST", "/api/v1/sinks/noted%2F0/replay")[0], 404)
        self.assertEqual(self.ask("DELETE", "/api/v1/rules/noted")[0], 200)
        self.assertEqual(self.ask("GET", "/api/v1/rules/noted")[0], 404)
        self.assertEqual(self.ask("PUT", "/api/v1/rules/noted", definition)[0], 404)
        self.assertEqual(self.ask("PATCH", "/api/v1/rules/noted", definition)[0], 405)
        self.assertEqual(self.ask("POST", "/api/v1/rules/bad", "sql = 1")[2]["message"], "body:1:7: sql: allowed: a text")

    def refused(self, headers, status=403):
        for method, path in (("GET", "/rules"), ("GET", "/rules/hot"), ("POST", "/rules/hot"), ("PATCH", "/rules/hot"),
                             ("DELETE", "/rules/hot"), ("POST", "/rules/hot/enable"), ("GET", "/api/v1/rules"),
                             ("POST", "/api/v1/rules/hot"), ("PUT", "/api/v1/rules/hot"), ("GET", "/api/v1/sinks"),
                             ("POST", "/api/v1/sinks/hot%2F0/replay"), ("GET", "/api/v1/rules/nobody"), ("PUT", "/rules")):
            with self.subTest(method=method, path=path, headers=headers):
                self.assertEqual(self.ask(method, path, PAYLOAD, headers)[0], status)

    def test_nobody_manages_over_http_unless_named_and_proved(self):
        self.start()
        self.refused({})
        self.refused(basic("root"))
        self.start("--set", f"access.password_file={self.passwords}", "--set", "access.anonymous=true", data="other")
        self.refused(basic("root"))
        self.start("--set", f"access.password_file={self.passwords}", "--set", "access.anonymous=true", "--set",
                   "admin.principals=root", data="third")
        self.refused({})
        self.refused(basic("user"))
        self.refused({"Authorization": "Basic " + base64.b64encode(b"root:wrong").decode()}, 401)
        self.assertEqual(self.ask("GET", "/rules")[0], 200)
        # Without access rules nobody is proved, whoever is named.
        self.start("--set", "modules.access=false", "--set", "admin.principals=root", data="fourth")
        self.refused(basic("root"))
        self.refused({})


if __name__ == "__main__":
    unittest.main()
