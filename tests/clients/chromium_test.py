"""mqtt.js in Debian's Chromium against the daemon, over ws and wss: installs mqtt.js by its lock file into the
directory given and runs chromium_test.mjs.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "daemon"))
import npm_packages  # noqa: E402
import programs  # noqa: E402


def main():
    chromium = shutil.which("chromium")
    if not chromium:
        npm_packages.absent("mqtt.js in Chromium", "chromium is not installed")
    modules = sys.argv[1]
    npm_packages.install("mqtt.js in Chromium", HERE, modules)
    with tempfile.TemporaryDirectory(prefix="twinmq-chromium-") as folder:
        certificate = os.path.join(folder, "server.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", certificate, "-out", certificate + ".crt", "-subj", "/CN=localhost", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        with open(certificate, "a") as joined, open(certificate + ".crt") as crt:
            joined.write(crt.read())
        with programs.Daemon("--listen", "ws://127.0.0.1:0/mqtt", "--listen", "wss://127.0.0.1:0/mqtt",
                             "--listen", "ws://127.0.0.1:0/elsewhere", "--set", "listener[1].tls.certificate=" + certificate,
                             "--set", "listener[2].websocket.origins=https://plant.example", "--data-dir", "",
                             "--set", "storage.durability=none", "--set", "node.shards=2") as daemon:
            ready = daemon.wait_for_line(r"\bready\b")
            plain, secure, elsewhere = re.search(r'listeners="([^"]*)"', ready)[1].split()
            done = subprocess.run(["node", os.path.join(HERE, "chromium_test.mjs"), chromium, plain, secure, "--",
                                   elsewhere], cwd=modules, timeout=150)
            daemon.signal("TERM")
            code = daemon.exit_code()
    sys.exit(done.returncode or code)


if __name__ == "__main__":
    main()
