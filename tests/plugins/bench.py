"""A daemon with one plugin and one rule, for tests of plugins."""

import json
import os
import tempfile

from mqtt import Client
from programs import BIN, Daemon

PLUGINS = os.path.join(os.path.dirname(BIN), "lib", "twinmq", "plugins")


class Bench:
    """`sql` selects from 'in'; evaluate() publishes there and returns what the rule made of it."""

    def __init__(self, plugin, options="{}", sql=None, more=""):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "bench.toml")
        with open(path, "w") as file:
            file.write(f'[[plugin]]\nname = "it"\npath = "{plugin}"\noptions = {options}\n')
            if sql:
                file.write(f'[[rule]]\nname = "it"\nsql = """{sql}"""\n')
                file.write(more or '[[rule.action]]\ntype = "republish"\ntopic = "out"\nqos = 1\n')
        self.daemon = Daemon("--config", path, "--listen", "mqtt://127.0.0.1:0", "--data-dir",
                             os.path.join(self.folder.name, "data"), "--set", "access.anonymous=true")
        self.port = self.daemon.ports()[0]
        self.client = Client(self.port, "bench", clean=True, expiry=0)
        self.client.subscribe("out", 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.cut()
        self.daemon.signal("TERM")
        self.daemon.exit_code()
        self.daemon.__exit__()
        self.folder.cleanup()

    def evaluate(self, payload, topic="in"):
        self.client.publish(topic, json.dumps(payload), qos=0)
        return json.loads(self.client.receive()[1])
