"""twinmq passwd."""

import os
import pty
import stat
import subprocess
import tempfile
import unittest

from programs import BIN, PATIENCE, run


class Passwd(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "users")

    def tearDown(self):
        self.folder.cleanup()

    def text(self):
        with open(self.path) as file:
            return file.read()

    def test_an_entry_is_made_in_a_file_that_only_its_owner_reads(self):
        self.assertEqual(run("twinmq", "passwd", "-b", self.path, "alice", "secret"), (0, "", ""))
        self.assertRegex(self.text(), r"^alice:\$7\$\d+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+\n$")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_the_password_comes_from_standard_input(self):
        self.assertEqual(run("twinmq", "passwd", self.path, "alice", text="secret\n")[0], 0)
        self.assertTrue(self.text().startswith("alice:$7$"))
        self.assertEqual(run("twinmq", "passwd", self.path, "bob", text="")[0], 2)
        self.assertNotIn("bob", self.text())

    def test_other_lines_and_the_mode_stay_when_an_entry_changes(self):
        with open(self.path, "w") as file:
            file.write("# staff\nalice:$6$old$old\nbob:$6$x$y\n")
        os.chmod(self.path, 0o640)
        self.assertEqual(run("twinmq", "passwd", "-b", self.path, "alice", "secret")[0], 0)
        lines = self.text().splitlines()
        self.assertEqual((lines[0], lines[2]), ("# staff", "bob:$6$x$y"))
        self.assertTrue(lines[1].startswith("alice:$7$"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)
        self.assertEqual(os.listdir(self.folder.name), ["users"])

    def test_mosquitto_passwd_and_this_take_the_same_command_line(self):
        folder = self.folder.name
        code, _, err = run("twinmq", "passwd", "-b", self.path, "alice", "secret")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(os.listdir(folder), ["users"])
        self.assertTrue(self.text().startswith("alice:"))

    def test_a_user_is_removed_once(self):
        run("twinmq", "passwd", "-b", self.path, "alice", "a")
        run("twinmq", "passwd", "-b", self.path, "bob", "b")
        self.assertEqual(run("twinmq", "passwd", "-D", self.path, "alice")[0], 0)
        self.assertRegex(self.text(), r"^bob:[^\n]*\n$")
        code, _, err = run("twinmq", "passwd", "-D", self.path, "alice")
        self.assertEqual(code, 1)
        self.assertIn("alice", err)

    def test_wrong_usage_exits_with_2(self):
        for arguments in ([], [self.path], ["-b", self.path, "a:b", "x"], ["-b", self.path, "", "x"],
                          ["-b", self.path, "#a", "x"], ["-D", "-b", self.path, "a", "x"], ["-b", self.path, "a", ""],
                          ["-b", self.path, "a"], [self.path, "a", "x"], ["-b", self.path, "a", "x", "y"]):
            self.assertEqual(run("twinmq", "passwd", *arguments)[0], 2, arguments)
        self.assertEqual(run("twinmq")[0], 2)
        self.assertFalse(os.path.exists(self.path))

    def test_a_typed_password_is_not_echoed_and_is_asked_for_twice(self):
        for second, expected in ((b"secret", 0), (b"sekret", 2)):
            terminal, side = pty.openpty()
            process = subprocess.Popen([os.path.join(BIN, "twinmq"), "passwd", self.path, "alice"], stdin=side,
                                       stdout=side, stderr=side)
            os.close(side)
            shown = b""
            for prompt, answer in ((b"Password: ", b"secret"), (b"again: ", second)):
                while not shown.endswith(prompt):
                    shown += os.read(terminal, 1000)
                os.write(terminal, answer + b"\n")
            try:
                while part := os.read(terminal, 1000):
                    shown += part
            except OSError:
                pass  # the other side is closed
            self.assertEqual(process.wait(timeout=PATIENCE), expected)
            os.close(terminal)
            self.assertNotIn(b"secret", shown)
            self.assertEqual(os.path.exists(self.path), True)


if __name__ == "__main__":
    unittest.main()
