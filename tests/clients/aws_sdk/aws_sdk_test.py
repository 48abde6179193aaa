"""Installs the AWS IoT Device SDKs for JavaScript by their lock file into the directory given, and runs both against the
daemon over TLS with a client certificate.

Without node, or with npm's registry out of reach, the test is skipped (exit code 77), unless CI is set to true.
"""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "daemon"))
from programs import SOURCE, Daemon  # noqa: E402


def absent(reason):
    print(f"the AWS SDKs are not tested: {reason}")
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
    certificates = os.path.join(os.path.dirname(os.environ["TWINMQ_BIN"]), "tests", "certificates")
    subprocess.run([os.path.join(SOURCE, "tests", "support", "certificates.sh"), certificates], check=True)
    tls = {"certificate": "server.pem", "key": "server.key", "ca": "ca.pem"}
    settings = [f"listener.tls.{key}={os.path.join(certificates, value)}" for key, value in tls.items()]
    settings += ["listener.tls.verify=required", "listener.tls.identity=cn", "storage.durability=none", "node.shards=2"]
    options = [option for setting in settings for option in ("--set", setting)]
    with Daemon("--listen", "mqtts://localhost:0", *options) as daemon:
        port = re.search(r"mqtts://[^\",\s]*:(\d+)", daemon.wait_for_line(r"\bready\b"))[1]
        for script in ("aws_sdk_v1_test.cjs", "aws_sdk_v2_test.cjs"):
            subprocess.run(["node", os.path.join(HERE, script), folder, certificates, port], check=True, timeout=100)


if __name__ == "__main__":
    main()
