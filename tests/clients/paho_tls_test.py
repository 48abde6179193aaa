"""Debian's python3-paho-mqtt against the daemon over TLS, with a certificate of its own."""

import os
import queue
import ssl
import subprocess
import unittest

import paho.mqtt.client as paho

import with_daemon  # noqa: F401  (finds the programs)
import programs

PATIENCE = 60
KEPT = os.path.join(os.path.dirname(os.environ["TWINMQ_BIN"]), "tests", "certificates")


def certificate(name):
    return os.path.join(KEPT, name)


class PahoTls(unittest.TestCase):
    def test_messages_of_every_qos_and_version(self):
        subprocess.run([os.path.join(programs.SOURCE, "tests", "support", "certificates.sh"), KEPT], check=True)
        tls = [f"listener.tls.certificate={certificate('server.pem')}", f"listener.tls.key={certificate('server.key')}",
               f"listener.tls.ca={certificate('ca.pem')}", "listener.tls.verify=required", "listener.tls.identity=cn"]
        options = [part for setting in tls for part in ("--set", setting)]
        with programs.Daemon("--listen", "mqtts://127.0.0.1:0", "--data-dir", "", "--set", "node.shards=2",
                             *options) as daemon:
            port = int(daemon.wait_for_line("ready").split("mqtts://127.0.0.1:")[1].split('"')[0].split()[0])
            for version in (paho.MQTTv31, paho.MQTTv311, paho.MQTTv5):
                self.exchange(port, version)

    def exchange(self, port, version):
        messages = queue.Queue()
        context = ssl.create_default_context(cafile=certificate("ca.pem"))
        context.load_cert_chain(certificate("client.pem"), certificate("client.key"))
        client = paho.Client(client_id=f"paho{version}", protocol=version)
        client.tls_set_context(context)
        client.on_message = lambda _, __, message: messages.put(message.payload)
        client.on_subscribe = lambda of, *_: [of.publish("a/b", bytes([qos]) * 20000, qos) for qos in range(3)]
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe("a/#", 2)
        got = [messages.get(timeout=PATIENCE) for _ in range(3)]
        self.assertEqual(sorted(got), [bytes([qos]) * 20000 for qos in range(3)])
        client.disconnect()
        client.loop_stop()


if __name__ == "__main__":
    unittest.main()
