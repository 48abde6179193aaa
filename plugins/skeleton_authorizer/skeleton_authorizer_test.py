import unittest

from bench import Bench


class SkeletonAuthorizer(unittest.TestCase):
    def test_only_writers_publish_below_the_prefix(self):
        with Bench("skeleton_authorizer", '{ prefix = "plant/", writers = ["operator"] }') as bench:
            self.assertEqual(bench.client.publish_acknowledged("plant/valve", "open"), 0x87)
            self.assertIn(bench.client.publish_acknowledged("elsewhere", "x"), (0, 16))


if __name__ == "__main__":
    unittest.main()
