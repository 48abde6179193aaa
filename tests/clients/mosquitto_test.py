"""Debian's mosquitto_pub and mosquitto_sub against the daemon."""

import os
import subprocess
import tempfile
import threading
import unittest

from with_daemon import Broker

VERSIONS = ("mqttv31", "mqttv311", "mqttv5")


class Subscriber:
    """A mosquitto_sub whose subscriptions are in force when the constructor returns."""

    def __init__(self, reach, *options):
        # Line by line, or the acknowledgement of the subscription would wait in a buffer.
        self.process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-d", *reach, *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.killer = threading.Timer(60, self.process.kill)
        self.killer.start()
        for line in self.process.stdout:
            if line.startswith("Subscribed"):
                return
        raise AssertionError("mosquitto_sub did not subscribe")

    def lines(self):
        """What it printed of messages until it ended."""
        out = [line.rstrip("\n") for line in self.process.stdout if line.startswith("|")]
        self.process.wait()
        self.killer.cancel()
        return out

    def kill(self):
        self.process.kill()
        self.lines()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class MosquittoClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker().__enter__()
        cls.reach = cls.way_in()

    @classmethod
    def way_in(cls):
        """The options that lead the clients to the broker."""
        return ("-h", "127.0.0.1", "-p", str(cls.broker.port))

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__(None, None, None)

    def publish(self, *options):
        subprocess.run(["mosquitto_pub", *self.reach, *options], check=True, timeout=60)

    def test_every_qos_between_all_versions(self):
        for receiving in VERSIONS:
            for sending in VERSIONS:
                topic = f"qos/{sending}/{receiving}"
                with Subscriber(self.reach, "-V", receiving, "-t", topic, "-q", "2", "-C", "3",
                                "-F", "|%t %q %r %p") as subscriber:
                    for qos in "012":
                        self.publish("-V", sending, "-t", topic, "-q", qos, "-m", "m" + qos)
                    self.assertEqual(sorted(subscriber.lines()), [f"|{topic} {qos} 0 m{qos}" for qos in "012"])

    def test_retained_messages_are_kept_replayed_and_removed(self):
        for version in VERSIONS:
            topic = "kept/" + version
            self.publish("-V", version, "-t", topic, "-q", "1", "-r", "-m", "value")
            with Subscriber(self.reach, "-V", version, "-t", topic, "-q", "1", "-C", "1", "-F", "|%r %p") as late:
                self.assertEqual(late.lines(), ["|1 value"])
            self.publish("-V", version, "-t", topic, "-q", "1", "-r", "-n")
            with Subscriber(self.reach, "-V", version, "-t", topic, "-q", "1", "-C", "1", "-F", "|%r %p") as late:
                self.publish("-V", version, "-t", topic, "-q", "1", "-m", "live")
                self.assertEqual(late.lines(), ["|0 live"])

    def test_a_killed_client_leaves_its_will(self):
        for version in VERSIONS:
            topic = "will/" + version
            with Subscriber(self.reach, "-V", version, "-t", topic, "-q", "2", "-C", "1", "-F", "|%q %p") as watcher:
                victim = Subscriber(self.reach, "-V", version, "-t", "x", "--will-topic", topic,
                                    "--will-payload", "gone", "--will-qos", "2")
                victim.kill()
                self.assertEqual(watcher.lines(), ["|2 gone"])

    def test_a_share_group_splits_the_messages(self):
        for version in ("mqttv311", "mqttv5"):
            topic = "shared/" + version
            options = ("-V", version, "-t", "$share/group/" + topic, "-q", "1", "-C", "5", "-F", "|%p")
            with Subscriber(self.reach, *options) as one, Subscriber(self.reach, *options) as two:
                # One connection publishes line by line.
                subprocess.run(["mosquitto_pub", *self.reach, "-V", version, "-t", topic, "-q", "1", "-l"],
                               input="".join(f"{i}\n" for i in range(10)), text=True, check=True, timeout=60)
                self.assertEqual(sorted(one.lines() + two.lines()), sorted(f"|{i}" for i in range(10)))

    def test_the_properties_of_version_5_pass(self):
        with Subscriber(self.reach, "-V", "mqttv5", "-t", "properties", "-q", "1", "-C", "1",
                        "-D", "subscribe", "subscription-identifier", "77",
                        "-F", "|%P|%C|%R|%D|%F|%S|%p") as subscriber:
            self.publish("-V", "mqttv5", "-t", "properties", "-q", "1", "-m", "text",
                         "-D", "publish", "user-property", "b", "1", "-D", "publish", "user-property", "a", "2",
                         "-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "answer",
                         "-D", "publish", "correlation-data", "c0ffee",
                         "-D", "publish", "payload-format-indicator", "1",
                         "-D", "publish", "message-expiry-interval", "600")
            line, = subscriber.lines()
            self.assertEqual(line.split("|")[1:], ["b:1 a:2", "text/plain", "answer", "c0ffee", "1", "77", "text"])

    def test_a_lasting_session_gets_what_it_missed(self):
        for version, lasting in (("mqttv311", ("-c",)), ("mqttv5", ("-c", "-x", "600"))):
            options = ("-V", version, "-i", "lasting-" + version, *lasting, "-t", "missed/" + version, "-q", "1")
            subprocess.run(["mosquitto_sub", *self.reach, *options, "-E"], check=True, timeout=60)
            self.publish("-V", version, "-t", "missed/" + version, "-q", "1", "-m", "while away")
            got = subprocess.run(["mosquitto_sub", *self.reach, *options, "-C", "1", "-W", "60"], check=True,
                                 timeout=90, capture_output=True, text=True)
            self.assertEqual(got.stdout, "while away\n")

    def test_a_megabyte_passes(self):
        content = os.urandom(1_000_000)
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            with Subscriber(self.reach, "-V", "mqttv5", "-t", "large", "-q", "2", "-C", "1", "-F", "|%l") as subscriber:
                self.publish("-V", "mqttv5", "-t", "large", "-q", "2", "-f", file.name)
                self.assertEqual(subscriber.lines(), ["|1000000"])

    def test_the_broker_s_facts_are_where_mosquitto_s_users_look(self):
        got = subprocess.run(["mosquitto_sub", *self.reach, "-t", "$SYS/broker/version", "-C", "1", "-W", "60"],
                             check=True, timeout=90, capture_output=True, text=True)
        self.assertRegex(got.stdout, r"\d+\.\d+")


class MosquittoClientsOverUnixSockets(MosquittoClients):
    @classmethod
    def way_in(cls):
        return ("--unix", cls.broker.socket)


class MosquittoClientsOverTls(MosquittoClients):
    @classmethod
    def way_in(cls):
        return ("-h", "127.0.0.1", "-p", str(cls.broker.tls_port), "--cafile", cls.broker.authority)


if __name__ == "__main__":
    unittest.main()
