"""TLS takes up a session again by its ticket, as long as the trust lasts in which the ticket was given."""

import os
import subprocess
import unittest

from tls_test import PATIENCE, Broker, setUpModule  # noqa: F401  (unittest calls setUpModule)

CONNECT = b"\x10\x10\0\4MQTT\5\2\0\0\0\0\3abc"


class Tickets(unittest.TestCase):
    def look(self, broker, *more, version="-tls1_3"):
        """What openssl's client says of a connection on which CONNECT was answered; tickets come before the answer."""
        client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-CAfile",
                                   broker.file("ca.pem"), version, *more], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            client.stdin.write(CONNECT)
            client.stdin.flush()
            said = b""
            # Of all that comes, only the CONNACK has zeros.
            while b"\0\0" not in said and (part := client.stdout.read1()):
                said += part
            return said.decode(errors="replace") + client.communicate(timeout=PATIENCE)[0].decode(errors="replace")
        finally:
            client.kill()
            client.wait()

    def test_a_ticket_takes_a_session_up_again(self):
        with Broker() as broker:
            for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
                saved = broker.file("session" + version)
                self.assertIn("New, " + name, self.look(broker, "-sess_out", saved, version=version))
                self.assertIn("Reused, " + name, self.look(broker, "-sess_in", saved, version=version))

    def test_a_ticket_outlives_a_renewed_certificate_and_not_the_trust_it_was_given_in(self):
        with Broker(ca="ca.pem", crl="empty.crl", verify="required") as broker:
            own = ("-cert", broker.file("revoked.pem"), "-key", broker.file("revoked.key"))
            saved = broker.file("session")
            self.look(broker, *own, "-sess_out", saved)
            self.assertTrue(os.path.exists(saved))
            self.assertIn("Reused, TLSv1.3", self.look(broker, *own, "-sess_in", saved))
            broker.replace("server.pem", "server-next.pem")
            broker.replace("server.key", "server-next.key")
            broker.wait_for_line("certificates renewed")
            self.assertIn("Reused, TLSv1.3", self.look(broker, *own, "-sess_in", saved))
            broker.replace("empty.crl", "ca.crl")
            broker.wait_for_line("certificates renewed")
            self.assertNotIn("Reused", self.look(broker, *own, "-sess_in", saved))
            broker.wait_for_line("connection refused.*certificate revoked")


if __name__ == "__main__":
    unittest.main()
