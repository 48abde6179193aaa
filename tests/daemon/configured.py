"""A folder of its own for each test, and daemons with the configuration that lies there."""

import json
import os
import tempfile
import unittest

from programs import Daemon


class Configured(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.config = self.path("broker.toml")
        self.socket = self.path("data/twinmq.sock")

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def file(self, name, content):
        """Text or bytes; the path."""
        with open(self.path(name), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return self.path(name)

    def configure(self, text):
        self.file("broker.toml", text)

    def daemon(self, *more, data="data", env=None):
        return Daemon("--config", self.config, "--listen", "mqtt://127.0.0.1:0", "--data-dir", self.path(data), *more,
                      env=env)

    def receive(self, client):
        """Topic and value of the next message."""
        topic, payload, *_ = client.receive(patience=20)
        return topic, json.loads(payload)
