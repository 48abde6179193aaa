"""Debian's testssl.sh against a TLS listener as it is by default: protocols, ciphers, forward secrecy, known attacks.
What it says of the certificate is about the test's own authority, and of engines about itself: neither counts. Nor
does what it could not find out about tickets: its client may leave before the one of TLS 1.3 has come."""

import json
import os
import shutil
import subprocess
import unittest

from absence import absent
from tls_test import Broker, setUpModule  # noqa: F401  (unittest calls setUpModule)

HARMLESS = ("OK", "INFO", "LOW", "DEBUG")
NO_TICKET_IN_TIME = ("sessionresumption_ticket", "check failed because of connect problem")


class TestSsl(unittest.TestCase):
    def test_nothing_is_found_against_the_defaults(self):
        for certificate in ("server", "server-rsa"):
            with self.subTest(certificate=certificate), Broker(certificate=certificate + ".pem",
                                                               key=certificate + ".key") as broker:
                report = broker.file("report.json")
                done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "-p", "-s", "-f",
                                       "-U", "-S", "--jsonfile", report, f"127.0.0.1:{broker.port}"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, timeout=800)
                self.assertTrue(os.path.exists(report), done.stdout)
                with open(report) as file:
                    findings = json.load(file)
                # It has looked.
                seen = {each["id"]: each for each in findings}
                self.assertEqual(seen["TLS1_3"]["severity"], "OK", done.stdout)
                self.assertIn("heartbleed", seen)
                bad = [each for each in findings if each["severity"] not in HARMLESS
                       and not each["id"].startswith(("cert", "OCSP", "DNS_CAA", "engine_problem"))
                       and (each["id"], each["finding"]) != NO_TICKET_IN_TIME]
                self.assertEqual(bad, [], done.stdout)


if __name__ == "__main__":
    if not shutil.which("testssl"):
        absent("testssl.sh", "it is not installed")
    unittest.main()
