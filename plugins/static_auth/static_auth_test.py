"""Who is listed enters with the right password alone; whom the plugin does not know is the broker's business."""

import unittest

from bench import Bench
from programs import connect


class StaticAuth(unittest.TestCase):
    def enter(self, port, user, password):
        connection, code = connect(port, client_id=b"c", user=user, password=password)
        connection.close()
        return code

    def test_passwords_count_for_those_who_are_listed(self):
        with Bench("static_auth", '{ users = { ada = "engine", bob = "" } }') as bench:
            self.assertEqual(self.enter(bench.port, b"ada", b"engine"), 0)
            self.assertEqual(self.enter(bench.port, b"ada", b"enginf"), 0x87)
            self.assertEqual(self.enter(bench.port, b"ada", b""), 0x87)
            self.assertEqual(self.enter(bench.port, b"ada", None), 0x87)
            self.assertEqual(self.enter(bench.port, b"unknown", b"x"), 0)  # anonymous clients are allowed there


if __name__ == "__main__":
    unittest.main()
