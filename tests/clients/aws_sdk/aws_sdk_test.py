"""Installs the AWS IoT Device SDKs for JavaScript by their lock file into the directory given, and runs both against the
daemon over TLS with a client certificate.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "daemon"))
sys.path.insert(0, os.path.join(HERE, ".."))
import npm_packages  # noqa: E402
from programs import SOURCE, Daemon  # noqa: E402


def main():
    folder = sys.argv[1]
    npm_packages.install("The AWS SDK", HERE, folder)
    certificates = os.path.join(os.path.dirname(os.environ["TWINMQ_BIN"]), "tests", "certificates")
    subprocess.run([os.path.join(SOURCE, "tests", "support", "certificates.sh"), certificates], check=True)
    tls = {"certificate": "server.pem", "key": "server.key", "ca": "ca.pem"}
    settings = [f"listener.tls.{key}={os.path.join(certificates, value)}" for key, value in tls.items()]
    settings += ["listener.tls.verify=required", "listener.tls.identity=cn", "storage.durability=none", "node.shards=2"]
    options = [option for setting in settings for option in ("--set", setting)]
    with Daemon("--listen", "mqtts://127.0.0.1:0", *options) as daemon:
        port = re.search(r"mqtts://[^\",\s]*:(\d+)", daemon.wait_for_line(r"\bready\b"))[1]
        for script in ("aws_sdk_v1_test.cjs", "aws_sdk_v2_test.cjs"):
            subprocess.run(["node", os.path.join(HERE, script), folder, certificates, port], check=True, timeout=100)


if __name__ == "__main__":
    main()
