"""plugins/README.md, followed to the letter by somebody who has an installed broker and an empty folder."""

import concurrent.futures
import os
import re
import subprocess
import tempfile
import unittest

import programs
from mqtt import Client
from programs import Daemon

README = os.path.join(programs.SOURCE, "plugins", "README.md")


def steps():
    """The files of the README by name, and its commands."""
    with open(README) as file:
        text = file.read().split("## What a plugin offers")[0]
    files = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", text, re.M | re.S))
    return files, re.search(r"^```sh\n(.*?)^```", text, re.M | re.S).group(1)


class OutOfTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory()
        made_for = os.path.join(cls.home.name, "usr")
        cls.prefix = os.path.join(cls.home.name, "elsewhere")
        subprocess.run(["cmake", "--install", os.environ["TWINMQ_BUILD"], "--prefix", made_for], check=True,
                       stdout=subprocess.DEVNULL)
        os.rename(made_for, cls.prefix)
        programs.BIN = os.path.join(cls.prefix, "bin")

    @classmethod
    def tearDownClass(cls):
        cls.home.cleanup()

    def run_steps(self, folder, commands):
        environment = {**os.environ, "PATH": programs.BIN + ":" + os.environ["PATH"], "CXX": os.environ["TWINMQ_CXX"]}
        done = subprocess.run(["sh", "-ec", commands.replace("/usr/local", self.prefix)], cwd=folder, env=environment,
                              capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def answer(self, folder):
        with Daemon("--config", "broker.toml", "--listen", "mqtt://127.0.0.1:0", "--data-dir", folder + "/data",
                    cwd=folder) as daemon:
            client = Client(daemon.ports()[0], "reader", clean=True, expiry=0)
            client.subscribe("american/#", 0)
            client.publish("weather/oslo", '{"celsius":20}', qos=0)
            return client.receive()[:2]

    def test_a_plugin_is_built_loaded_and_replaced(self):
        folder = os.path.join(self.home.name, "fahrenheit")
        os.mkdir(folder)
        files, commands = steps()
        self.assertEqual(set(files), {"fahrenheit.cpp", "CMakeLists.txt", "broker.toml"})
        for name, text in files.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        self.assertIn("configuration is sound", self.run_steps(folder, commands))
        self.assertEqual(self.answer(folder), ("american/oslo", '{"fahrenheit":68}'))
        with open(os.path.join(folder, "fahrenheit.cpp"), "w") as file:
            file.write(files["fahrenheit.cpp"].replace("+ 32", "+ 33"))
        self.run_steps(folder, "cmake --build build")
        self.assertEqual(self.answer(folder), ("american/oslo", '{"fahrenheit":69}'))

    def test_shipped_plugins_are_installed_and_found(self):
        shipped = sorted(os.listdir(os.path.join(self.prefix, "lib", "twinmq", "plugins")))
        self.assertEqual(shipped, ["anomaly.so", "file_sink.so", "mask.so", "skeleton_aggregate.so",
                                   "skeleton_authorizer.so", "skeleton_transformation.so", "static_auth.so"])
        config = os.path.join(programs.SOURCE, "conf", "plugins.toml")
        code, _, err = programs.run("twinmqd", "--config", config, "--check", cwd=self.home.name)
        self.assertEqual(code, 0, err)

    def test_each_shipped_plugin_is_a_project_of_its_own(self):
        def build(plugin):
            source = os.path.join(programs.SOURCE, "plugins", plugin)
            folder = os.path.join(self.home.name, "build", plugin)
            self.run_steps(self.home.name, f"cmake -S {source} -B {folder} -DCMAKE_PREFIX_PATH=/usr/local\ncmake --build {folder}")
            return os.path.exists(os.path.join(folder, plugin + ".so"))

        shipped = ("anomaly", "mask", "file_sink", "static_auth", "skeleton_aggregate")
        with concurrent.futures.ThreadPoolExecutor(2) as builders:
            self.assertEqual(dict(zip(shipped, builders.map(build, shipped))), dict.fromkeys(shipped, True))


if __name__ == "__main__":
    unittest.main()
