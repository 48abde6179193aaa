"""Every result becomes a line, and no path leaves the directory."""

import os
import tempfile
import unittest

from bench import Bench
from programs import run

ACTION = '[[rule.action]]\ntype = "plugin"\nplugin = {{ name = "file_sink", path = "{path}", id = true }}\n'


class FileSink(unittest.TestCase):
    def test_lines_arrive_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            action = ACTION.format(path="a.txt") + '[[rule.action]]\ntype = "republish"\ntopic = "out"\nqos = 1\n'
            with Bench("file_sink", f'{{ directory = "{folder}" }}', "SELECT n FROM 'in'", action) as bench:
                for n in range(20):
                    self.assertEqual(bench.evaluate({"n": n}), {"n": n})
                lines = []
                while len(lines) < 20:
                    if os.path.exists(os.path.join(folder, "a.txt")):
                        with open(os.path.join(folder, "a.txt")) as file:
                            lines = file.read().splitlines()
            self.assertEqual([line.split(" ", 1)[1] for line in lines], ['{"n":%d}' % n for n in range(20)])
            self.assertTrue(lines[0].startswith("it-"))

    def test_a_path_outside_the_directory_refuses_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "c.toml")
            os.makedirs(os.path.join(folder, "out"))
            os.symlink(folder, os.path.join(folder, "out", "away"))
            os.symlink(os.path.join(folder, "file"), os.path.join(folder, "out", "link"))
            for path, what in (("../../etc/x", "does not lie below"), ("away/x", "leads by a link"), ("link", "leads by a link")):
                with open(config, "w") as file:
                    file.write('[[listener]]\nurl = "mqtt://127.0.0.1:0"\n'
                               f'[[plugin]]\nname = "f"\npath = "file_sink"\noptions = {{ directory = "{folder}/out" }}\n'
                               '[[rule]]\nname = "r"\nsql = "SELECT n FROM \'in\'"\n' + ACTION.format(path=path))
                code, _, err = run("twinmqd", "--config", config, "--data-dir", folder + "/data")
                self.assertNotEqual(code, 0)
                self.assertIn(what, err)


if __name__ == "__main__":
    unittest.main()
