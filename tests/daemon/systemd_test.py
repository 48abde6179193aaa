"""systemd-socket-activate hands its listening socket to the daemon."""

import os
import re
import shutil
import subprocess
import unittest

from absence import absent
from ports import free_port
from programs import BIN, PATIENCE, connect


class SocketActivation(unittest.TestCase):
    def test_systemd_hands_over_what_it_listens_on(self):
        port = free_port()
        activate = subprocess.Popen(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", os.path.join(BIN, "twinmqd"), "--listen",
             f"mqtt://127.0.0.1:{port}", "--data-dir", "", "--set", "storage.durability=none"],
            stderr=subprocess.PIPE, text=True)
        try:
            for line in activate.stderr:
                if re.search("[Ll]istening", line):
                    break
            # The first connection starts the daemon, which answers it.
            connection, code = connect(port)
            self.assertEqual(code, 0)
            connection.close()
        finally:
            activate.terminate()
            activate.communicate(timeout=PATIENCE)
        self.assertEqual(activate.returncode, 0)


if __name__ == "__main__":
    if not shutil.which("systemd-socket-activate"):
        absent("systemd-socket-activate", "it is not installed")
    unittest.main()
