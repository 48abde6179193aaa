"""Names become pseudonyms that stay the same, and depend on the key."""

import hashlib
import hmac
import unittest

from bench import Bench
from programs import run

KEY = "0123456789abcdef-secret"


def pseudonym(text):
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


class Mask(unittest.TestCase):
    def test_fields_are_replaced_wherever_they_lie(self):
        sql = "SELECT mask_fields(*, 'name', 'home.street', 'friends.name') AS d, pseudonym(n) AS p FROM 'in'"
        with Bench("mask", f'{{ key = "{KEY}" }}', sql) as bench:
            got = bench.evaluate({"name": "Ada", "age": 36, "home": {"street": "Elm", "town": "B"}, "n": 5,
                                  "friends": [{"name": "Bob", "x": 1}, {"name": 7}, {"name": {"first": "C"}}]})
            self.assertEqual(got["p"], pseudonym("5"))
            self.assertEqual(got["d"], {"name": pseudonym("Ada"), "age": 36, "n": 5,
                                        "home": {"street": pseudonym("Elm"), "town": "B"},
                                        "friends": [{"name": pseudonym("Bob"), "x": 1}, {"name": pseudonym("7")},
                                                    {"name": None}]})

    def test_a_short_key_is_refused(self):
        code, _, err = run("twinmqd", "--config", "/dev/stdin", "--check",
                           text='[[plugin]]\nname = "m"\npath = "mask"\noptions = { key = "short" }\n')
        self.assertEqual(code, 2)
        self.assertIn("at least 16 characters", err)


if __name__ == "__main__":
    unittest.main()
