"""Options and exit codes of twinmqd."""

import os
import tempfile
import unittest

from programs import SOURCE, run


class CommandLine(unittest.TestCase):
    def test_help_suffices_for_a_newcomer(self):
        code, out, _ = run("twinmqd", "--help")
        self.assertEqual(code, 0)
        for word in ("--config", "--set", "--listen", "--data-dir", "--log-level", "--check", "--print-config",
                     "--version", "mosquitto_sub", "twinmq passwd", "HUP", "Exit code"):
            self.assertIn(word, out)

    def test_version_is_printed(self):
        self.assertRegex(run("twinmqd", "--version")[1], r"^twinmqd \d+\.\d+\.\d+\n$")
        self.assertRegex(run("twinmq", "--version")[1], r"^twinmq \d+\.\d+\.\d+\n$")

    def test_wrong_usage_exits_with_2(self):
        for arguments in (["--no-such-option"], ["stray"], ["--set"], ["--set", "mqtt.qos_max=7"], ["--log-level", "loud"],
                          ["--config", "/does/not/exist.toml"], ["--listen", "gopher://127.0.0.1:1"]):
            code, _, err = run("twinmqd", *arguments)
            self.assertEqual(code, 2, arguments)
            self.assertNotEqual(err, "", arguments)

    def test_every_file_under_conf_is_sound(self):
        folder = os.path.join(SOURCE, "conf")
        files = [name for name in os.listdir(folder) if name.endswith(".toml")]
        self.assertIn("twinmq.toml", files)
        for name in files:
            self.assertEqual(run("twinmqd", "--config", os.path.join(folder, name), "--check"),
                             (0, "configuration is sound\n", ""), name)

    def test_check_tells_every_fault_and_touches_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.toml")
            with open(path, "w") as file:
                file.write("[mqtt]\nqos_max = 7\nrecieve_maximum = 1\n")
            code, out, err = run("twinmqd", "--config", path, "--check", cwd=folder)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(f"{path}:2:11: mqtt.qos_max: found 7, allowed: an integer from 0 to 2", err)
            self.assertIn("did you mean mqtt.receive_maximum?", err)
            self.assertEqual(run("twinmqd", "--set", "log.file=log", "--check", cwd=folder)[0], 0)
            self.assertEqual(os.listdir(folder), ["t.toml"])

    def test_check_reads_the_access_files(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run("twinmqd", "--set", "access.password_file=missing", "--check", cwd=folder)[0], 2)
            with open(os.path.join(folder, "acl"), "w") as file:
                file.write("topic sideways a/b\n")
            code, _, err = run("twinmqd", "--set", "access.acl_file=acl", "--check", cwd=folder)
            self.assertEqual(code, 2)
            self.assertIn("acl", err)

    def test_an_open_address_without_access_configuration_is_refused_with_what_to_add(self):
        code, _, err = run("twinmqd", "--listen", "mqtt://0.0.0.0:1883")
        self.assertEqual(code, 2)
        for word in ("password_file", "anonymous = true", "twinmq passwd"):
            self.assertIn(word, err)

    def test_durability_that_cannot_be_had_is_refused(self):
        code, _, err = run("twinmqd", "--data-dir", "", "--set", "storage.durability=fsync", "--check")
        self.assertEqual(code, 2)
        self.assertIn("memory", err)

    def test_the_effective_configuration_is_printed_without_secrets_and_reads_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.toml")
            with open(path, "w") as file:
                file.write('[[listener]]\nname = "${env:SECRET_NAME}"\nurl = "mqtt://127.0.0.1:0"\n')
            code, out, err = run("twinmqd", "--config", path, "--set", "mqtt.qos_max=1", "--data-dir", "",
                                 "--print-config", env={"SECRET_NAME": "sesame"})
            self.assertEqual((code, err), (0, ""))
            self.assertIn("qos_max = 1\n", out)
            self.assertIn('data_dir = ""\n', out)
            self.assertIn('durability = "none"\n', out)
            self.assertIn("${env:SECRET_NAME}", out)
            self.assertNotIn("sesame", out)
            with open(path, "w") as file:
                file.write(out)
            again = run("twinmqd", "--config", path, "--print-config", env={"SECRET_NAME": "sesame"})
            self.assertEqual(again, (0, out, ""))


if __name__ == "__main__":
    unittest.main()
