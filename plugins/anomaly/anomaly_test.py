"""Unusual values stand out, usual ones do not, and keys do not disturb each other."""

import json
import math
import random
import unittest

from bench import Bench


class Anomaly(unittest.TestCase):
    def test_an_isolation_forest_finds_the_outlier(self):
        chance = random.Random(1)
        with Bench("anomaly", "{ window = 128, trees = 100 }", "SELECT isolation_forest(k, a, b) AS s FROM 'in'") as bench:
            def point(key, a, b):
                return bench.evaluate({"k": key, "a": a, "b": b}).get("s")
            self.assertIsNone(point("x", 0, 0))
            usual = [point("x", chance.gauss(0, 1), chance.gauss(0, 1)) for _ in range(200)]
            known = [score for score in usual if score is not None]
            self.assertEqual(len(known), 200 - 31)
            self.assertLess(sum(known) / len(known), 0.55)
            self.assertGreater(point("x", 9, -9), 0.7)
            self.assertIsNone(point("y", 9, -9))
            self.assertIsNone(bench.evaluate({"k": "x", "a": "no number", "b": 0}).get("s"))

    def test_holt_winters_learns_a_season_and_tells_what_is_off(self):
        options = "{ season = 12, alpha = 0.3, beta = 0.05, gamma = 0.3 }"
        with Bench("anomaly", options, "SELECT VALUE holt_winters('k', v) FROM 'in' WHERE v > -1000") as bench:
            chance = random.Random(2)

            def value(i):
                return 20 + 0.1 * i + 5 * math.sin(i * math.pi / 6) + chance.gauss(0, 0.1)
            # The first two seasons give no answer: Undefined is an empty payload.
            for i in range(144):
                bench.client.publish("in", '{"v":%f}' % value(i), qos=0)
            texts = [bench.client.receive()[1] for _ in range(144)]
            self.assertEqual(texts[:24], [""] * 24)
            answers = [json.loads(text) for text in texts[24:]]
            self.assertLess(max(abs(each["error"]) for each in answers[60:]), 1)
            off = bench.evaluate({"v": value(144) + 10})
            self.assertGreater(off["score"], 8)


if __name__ == "__main__":
    unittest.main()
