"""twinmq rule test: every vector through the program, and what a user meets when something is wrong."""

import base64
import json
import os
import tempfile
import unittest
from decimal import Decimal

from programs import SOURCE, run

VECTORS = os.path.join(SOURCE, "tests", "rules", "rules-sql.json")


def arguments_of(vector, folder):
    arguments = ["rule", "test", "--json", "--sql", vector["sql"], "--topic", vector["topic"], "--sql-version",
                 vector["sqlVersion"], "--now", str(vector.get("now", 1700000000000)), "--client-id",
                 vector.get("clientId", "dev-1")]
    if "payloadBase64" in vector:
        path = os.path.join(folder, "payload")
        with open(path, "wb") as file:
            file.write(base64.b64decode(vector["payloadBase64"]))
        arguments += ["--payload-file", path]
    else:
        arguments += ["--payload", vector.get("payloadText", json.dumps(vector.get("payload")))]
    for name, value in vector.get("userProperties", []):
        arguments += ["--user-property", f"{name}={value}"]
    mqtt5 = vector.get("mqtt5", {})
    for key, option in (("contentType", "--content-type"), ("responseTopic", "--response-topic"),
                        ("correlationData", "--correlation-data-base64"), ("payloadFormatIndicator", "--payload-format")):
        if key in mqtt5:
            arguments += [option, mqtt5[key]]
    return arguments


def shown(line):
    answer = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    if not answer["match"]:
        return "no match"
    if "result" not in answer:
        return "undefined"
    result = answer["result"]
    if isinstance(result, dict) and list(result) == ["raw"]:
        return {"$raw": result["raw"]}
    return result


class RuleTest(unittest.TestCase):
    def test_every_vector_that_is_documented_or_inferred_passes_and_others_are_reported(self):
        deviations = []
        with open(VECTORS) as file:
            vectors = json.load(file, parse_float=Decimal, parse_int=Decimal)["vectors"]
        with open(VECTORS) as file:
            plain = json.load(file)["vectors"]
        with tempfile.TemporaryDirectory() as folder:
            for exact, vector in zip(vectors, plain):
                code, output, error = run("twinmq", *arguments_of(vector, folder))
                with self.subTest(vector["id"], sql=vector["sql"]):
                    if vector["confidence"] == "doubtful":
                        found = shown(output) if code == 0 else error.strip()
                        if found != exact["expected"]:
                            deviations.append(f"{vector['id']}: {vector['sql']} is {found}, expected {exact['expected']}: {vector.get('note', '')}")
                        continue
                    self.assertEqual(code, 0, error)
                    self.assertEqual(shown(output), exact["expected"])
        doubtful = [vector["id"] for vector in plain if vector["confidence"] == "doubtful"]
        print(f"doubtful vectors ({' '.join(doubtful)}): {len(deviations)} deviations", *deviations, sep="\n  ")

    def test_a_person_reads_the_result_or_the_reason(self):
        self.assertEqual(run("twinmq", "rule", "test", "--sql", "SELECT a FROM 't' WHERE a > 1", "--topic", "t", "--payload", '{"a":2}'),
                         (0, 'match\n{"a":2}\n', ""))
        self.assertEqual(run("twinmq", "rule", "test", "--sql", "SELECT a FROM 't' WHERE a > 1", "--topic", "t", "--payload", '{"a":1}'),
                         (0, "no match: WHERE is false\n", ""))
        self.assertEqual(run("twinmq", "rule", "test", "--sql", "SELECT a FROM 't'", "--topic", "u", "--payload", ""),
                         (0, "no match: FROM does not cover the topic\n", ""))

    def test_each_expression_can_be_shown_with_its_value(self):
        arguments = ("rule", "test", "--sql", "SELECT a FROM 't' WHERE a > 1 AND b = 2", "--topic", "t", "--payload", '{"a":2}')
        self.assertEqual(run("twinmq", *arguments, "--values"),
                         (0, "a is 2\n(a > 1) is true\nb is Undefined\n(b = 2) is Undefined\n((a > 1) AND (b = 2)) is Undefined\n"
                             "no match: WHERE is Undefined: something it needs is absent or has another type\n", ""))
        code, output, _ = run("twinmq", *arguments, "--values", "--json")
        self.assertEqual((code, json.loads(output)["values"][:3]),
                         (0, [{"expression": "a", "value": 2}, {"expression": "(a > 1)", "value": True}, {"expression": "b"}]))

    def test_a_window_is_shown_with_this_one_message(self):
        self.assertEqual(run("twinmq", "rule", "test", "--json", "--sql", "SELECT d, avg(a) AS m FROM 't' GROUP BY d, TUMBLING('10s')",
                             "--topic", "t", "--payload", '{"a":2,"d":1}'), (0, '{"match": true, "result": {"d":1,"m":2}}\n', ""))

    def test_a_fault_has_its_place_and_a_caret(self):
        code, output, error = run("twinmq", "rule", "test", "--sql", "SELECT a FORM 't'", "--topic", "t", "--payload", "{}")
        self.assertEqual((code, output), (2, ""))
        self.assertEqual(error, "twinmq: line 1, column 10: expected FROM, WHERE or the end of the statement, found 'FORM'\n"
                                "  SELECT a FORM 't'\n           ^\n")

    def test_a_function_that_nobody_has_is_refused_as_when_a_rule_is_made(self):
        config = os.path.join(SOURCE, "conf", "twinmq.toml")
        for more in ((), ("--config", config)):
            code, output, error = run("twinmq", "rule", "test", "--sql", "SELECT absx(a) AS b FROM 't'", "--topic", "t", "--payload", '{"a":1}', *more)
            self.assertEqual((code, output), (2, ""))
            self.assertEqual(error, "twinmq: line 1, column 8: there is no function absx(): neither SQL nor a plugin has it; did you mean abs()?\n"
                                    "  SELECT absx(a) AS b FROM 't'\n         ^\n")
        code, _, error = run("twinmq", "rule", "test", "--sql", "SELECT stddev(a) AS b FROM 't'", "--topic", "t", "--payload", '{"a":1}')
        self.assertEqual(code, 2)
        self.assertIn("column 8: there is no function stddev() of a single message: it is an aggregate, and needs GROUP BY", error)
        code, output, _ = run("twinmq", "rule", "test", "--sql", "SELECT get_or_default(aws_lambda('f', 1), 2) AS b FROM 't'", "--topic", "t", "--payload", "{}")
        self.assertEqual((code, output), (0, 'match\n{"b":2}\n'))

    def test_wrong_usage_ends_with_2(self):
        for arguments in ([], ["--sql", "SELECT a FROM 't'", "--topic", "t"],
                          ["--sql", "SELECT a FROM 't'", "--topic", "t", "--payload", "", "--sql-version", "1999"],
                          ["--sql", "SELECT a FROM 't'", "--topic", "t", "--payload-file", "/no/such/file"],
                          ["--sql", "SELECT a FROM 't'", "--topic", "t", "--payload", "", "--user-property", "x"]):
            self.assertEqual(run("twinmq", "rule", "test", *arguments)[0], 2, arguments)

    def test_hostile_statements_are_refused_or_end_soon(self):
        for sql in ("SELECT " + "(" * 10000 + "1" + ")" * 10000 + " AS x FROM 't'", "SELECT " + "a" * 100000):
            code, _, error = run("twinmq", "rule", "test", "--sql", sql, "--topic", "t", "--payload", "{}")
            self.assertIn(code, (0, 2), error)
        code, output, _ = run("twinmq", "rule", "test", "--json", "--sql",
                              "SELECT regexp_matches(a, '(a+)+$') AS r FROM 't'", "--topic", "t", "--payload",
                              json.dumps({"a": "a" * 30000 + "!"}))
        self.assertEqual((code, json.loads(output)), (0, {"match": True, "result": {"r": False}}))


if __name__ == "__main__":
    unittest.main()
