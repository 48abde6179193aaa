"""bench/compare must cover the table it promises, without running it."""

import os
import subprocess
import sys
import unittest

COMPARE = os.path.join(os.path.dirname(__file__), "..", "..", "bench", "compare")


def compare(*arguments):
    return subprocess.run([sys.executable, COMPARE, *arguments], capture_output=True, text=True, check=False)


class Compare(unittest.TestCase):
    def test_every_kind_of_row_is_there(self):
        names = compare("--list").stdout
        for kind in ("pairs50-q0-16", "pairs50-q0-16-unbatched", "pairs50-q2-16", "fanin50-q2-16",
                     "fanout100-q0-4096", "fanout1000-q1-16", "shared10x4-q1-16", "lat-10k-q1",
                     "connect-10k", "subs-1M", "retained-100k"):
            self.assertIn(kind, names)

    def test_a_missing_program_is_named(self):
        run = compare("--bin", os.devnull)
        self.assertEqual(run.returncode, 2)
        self.assertIn("twinmq-bench is missing", run.stderr)

    def test_an_unknown_row_is_refused(self):
        self.assertEqual(compare("--rows", "nothing-like-it").returncode, 2)


if __name__ == "__main__":
    unittest.main()
