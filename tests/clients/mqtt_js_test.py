"""Installs mqtt.js by its lock file into the directory given, and runs mqtt_js_test.mjs against the daemon."""

import os
import subprocess
import sys

import npm_packages
from with_daemon import Broker

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    folder = sys.argv[1]
    npm_packages.install("mqtt.js", HERE, folder)
    with Broker() as broker:
        for url in (f"mqtt://127.0.0.1:{broker.port}", broker.websocket, "mqtt+unix://" + broker.socket,
                    f"mqtts://127.0.0.1:{broker.tls_port}", broker.secure_websocket):
            done = subprocess.run(["node", os.path.join(HERE, "mqtt_js_test.mjs"), url], cwd=folder, timeout=120,
                                  env={**os.environ, "NODE_EXTRA_CA_CERTS": broker.authority})
            if done.returncode != 0:
                sys.exit(f"mqtt.js failed over {url}")


if __name__ == "__main__":
    main()
