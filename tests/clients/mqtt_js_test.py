"""Installs mqtt.js by its lock file into the directory given, and runs mqtt_js_test.mjs against the daemon.

Without node, or with npm's registry out of reach, the test is skipped (exit code 77), unless CI is set to true.
"""

import os
import shutil
import subprocess
import sys

from with_daemon import Broker

HERE = os.path.dirname(os.path.abspath(__file__))


def absent(reason):
    print(f"mqtt.js is not tested: {reason}")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def install(folder):
    os.makedirs(folder, exist_ok=True)
    lock = os.path.join(HERE, "package-lock.json")
    done = os.path.join(folder, "installed-lock.json")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(os.path.join(HERE, name), os.path.join(folder, name))
    if os.path.exists(done) and open(done).read() == open(lock).read():
        return
    npm = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if npm.returncode != 0:
        absent("npm ci failed:\n" + npm.stdout)
    shutil.copyfile(lock, done)


def main():
    for program in ("node", "npm"):
        if not shutil.which(program):
            absent(program + " is not installed")
    folder = sys.argv[1]
    install(folder)
    with Broker() as broker:
        for url in (f"mqtt://127.0.0.1:{broker.port}", broker.websocket, "mqtt+unix://" + broker.socket):
            done = subprocess.run(["node", os.path.join(HERE, "mqtt_js_test.mjs"), url], cwd=folder, timeout=120)
            if done.returncode != 0:
                sys.exit(f"mqtt.js failed over {url}")


if __name__ == "__main__":
    main()
