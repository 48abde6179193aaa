import unittest

from bench import Bench


class SkeletonAggregate(unittest.TestCase):
    def test_the_mean_of_a_window(self):
        with Bench("skeleton_aggregate", "{}", "SELECT geometric_mean(n) AS m, count(*) AS c FROM 'in' GROUP BY COUNT(3)") as bench:
            for n in (1, 10):
                bench.client.publish("in", '{"n":%d}' % n, qos=0)
            got = bench.evaluate({"n": 100})
            self.assertAlmostEqual(got["m"], 10)
            self.assertEqual(got["c"], 3)


if __name__ == "__main__":
    unittest.main()
