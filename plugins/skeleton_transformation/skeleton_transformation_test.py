import unittest

from bench import Bench


class SkeletonTransformation(unittest.TestCase):
    def test_blanks_go_and_empty_messages_too(self):
        with Bench("skeleton_transformation", '{ prefix = "out" }') as bench:
            for payload in (" \t a b \r\n", "   ", "c"):
                bench.client.publish("out", payload, qos=1)
            self.assertEqual(bench.client.receive()[1], "a b")
            self.assertEqual(bench.client.receive()[1], "c")


if __name__ == "__main__":
    unittest.main()
