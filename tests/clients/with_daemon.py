"""Starts the daemon with two shards and hands its port to a program that speaks to it."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
import programs  # noqa: E402


class Broker:
    """A daemon of its own in an empty directory; `port`, `tls_port`, the file `socket` and the URLs `websocket` and
    `secure_websocket` are where it listens, `authority` is the file by which clients know it."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="twinmq-clients-")
        self.socket = os.path.join(self.folder.name, "mqtt.sock")
        kept = os.path.join(os.path.dirname(programs.BIN), "tests", "certificates")
        subprocess.run([os.path.join(programs.SOURCE, "tests", "support", "certificates.sh"), kept], check=True)
        self.authority = os.path.join(kept, "ca.pem")
        tls = [part for listener in (3, 4) for key, name in (("certificate", "server.pem"), ("key", "server.key"))
               for part in ("--set", f"listener[{listener}].tls.{key}={os.path.join(kept, name)}")]
        self.daemon = programs.Daemon("--listen", "mqtt://127.0.0.1:0", "--listen", "unix://" + self.socket,
                                      "--listen", "ws://127.0.0.1:0/mqtt", "--listen", "mqtts://127.0.0.1:0", "--listen",
                                      "wss://127.0.0.1:0/mqtt", *tls, "--set", "storage.durability=none",
                                      "--set", "node.shards=2", cwd=self.folder.name)
        self.port = self.daemon.ports()[0]
        self.websocket = re.search(r"\bws://[^\",\s]*", self.daemon.seen[-1])[0]
        self.secure_websocket = re.search(r"\bwss://[^\",\s]*", self.daemon.seen[-1])[0]
        self.tls_port = int(re.search(r"\bmqtts://[^\",\s]*:(\d+)", self.daemon.seen[-1])[1])
        return self

    def __exit__(self, *error):
        self.daemon.signal("TERM")
        code = self.daemon.exit_code()
        self.daemon.__exit__(*error)
        self.folder.cleanup()
        assert code == 0 or any(error), f"the daemon ended with {code}"


def main():
    with Broker() as broker:
        done = subprocess.run([*sys.argv[1:], str(broker.port)], timeout=240)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
