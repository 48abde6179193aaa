"""Debian's python3-paho-mqtt against the daemon."""

import queue
import re
import socket
import unittest

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from with_daemon import Broker

VERSIONS = {"3.1": paho.MQTTv31, "3.1.1": paho.MQTTv311, "5": paho.MQTTv5}
PATIENCE = 60


class Client:
    """A connected client; what it gets waits in `messages`."""

    transport = "tcp"
    authority = None  # over TLS: the file with the certificate of who signed the broker's
    path = None       # of a Unix socket, in the place of a port

    def __init__(self, port, version, client_id, will=None, clean=True, expiry=0):
        self.messages = queue.Queue()
        self.events = queue.Queue()
        old = {} if version == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(client_id=client_id, protocol=version, transport=self.transport,
                                  **old)
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        self.client.on_connect = lambda client, data, flags, *rest: self.events.put(("connected", flags, rest[0]))
        self.client.on_subscribe = lambda client, data, mid, *rest: self.events.put(("subscribed", mid, None))
        if self.authority:
            self.client.tls_set(self.authority)
        if self.path:
            self.client._create_socket_connection = self.dial  # paho 1.6 has no option for it
        if will:
            self.client.will_set(**will)
        properties = None
        if version == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = expiry
            self.client.connect("127.0.0.1", port, clean_start=clean, properties=properties)
        else:
            self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        _, self.flags, code = self.event("connected")
        assert (code if isinstance(code, int) else code.value) == 0, code

    def dial(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.path)
        return connection

    def event(self, name):
        got = self.events.get(timeout=PATIENCE)
        assert got[0] == name, got
        return got

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, qos)
        self.event("subscribed")

    def publish(self, topic, payload, qos, retain=False, properties=None):
        done = self.client.publish(topic, payload, qos, retain, properties=properties)
        done.wait_for_publish(PATIENCE)
        assert done.is_published()

    def message(self):
        return self.messages.get(timeout=PATIENCE)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def cut(self):
        """Ends the connection without DISCONNECT."""
        connection = self.client.socket()
        # So that the loop does not connect again.
        self.client.on_disconnect = lambda *_: self.client.disconnect()
        getattr(connection, "_socket", connection).shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()


class PahoPython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        Client.transport, Client.authority, Client.path = "tcp", None, None
        cls.broker = Broker().__enter__()
        cls.port = cls.broker.port

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__(None, None, None)

    def test_every_qos_between_all_versions(self):
        for sending in VERSIONS.values():
            for receiving in VERSIONS.values():
                subscriber = Client(self.port, receiving, "subscriber")
                publisher = Client(self.port, sending, "publisher")
                subscriber.subscribe("all/#", 2)
                for qos in (0, 1, 2):
                    payload = bytes(range(256)) * (1 + qos)
                    publisher.publish(f"all/{qos}", payload, qos)
                    got = subscriber.message()
                    self.assertEqual((got.topic, got.payload, got.qos, got.retain), (f"all/{qos}", payload, qos, False))
                subscriber.close()
                publisher.close()

    def test_retained(self):
        for name, version in VERSIONS.items():
            client = Client(self.port, version, "retainer")
            client.publish("kept/" + name, "value", 1, retain=True)
            client.subscribe("kept/" + name, 1)
            got = client.message()
            self.assertEqual((got.payload, got.retain), (b"value", True))
            client.publish("kept/" + name, "", 1, retain=True)
            self.assertEqual(client.message().payload, b"")
            client.close()
            late = Client(self.port, version, "late")
            late.subscribe("kept/+", 1)
            late.publish("kept/end", "end", 1)
            self.assertEqual(late.message().payload, b"end")
            late.close()

    def test_will(self):
        for name, version in VERSIONS.items():
            watcher = Client(self.port, version, "watcher")
            watcher.subscribe("will/+", 2)
            victim = Client(self.port, version, "victim",
                            will={"topic": "will/" + name, "payload": "gone", "qos": 1, "retain": False})
            victim.cut()
            got = watcher.message()
            self.assertEqual((got.topic, got.payload, got.qos), ("will/" + name, b"gone", 1))
            polite = Client(self.port, version, "polite", will={"topic": "will/polite", "payload": "gone", "qos": 1})
            polite.close()
            watcher.publish("will/end", "end", 1)
            self.assertEqual(watcher.message().topic, "will/end")
            watcher.close()

    def test_lasting_session(self):
        for name, version in VERSIONS.items():
            client = Client(self.port, version, "lasting" + name, clean=False, expiry=600)
            client.subscribe("missed", 2)
            client.close()
            publisher = Client(self.port, version, "publisher")
            for qos in (1, 2):
                publisher.publish("missed", str(qos), qos)
            client = Client(self.port, version, "lasting" + name, clean=False, expiry=600)
            if version != paho.MQTTv31:
                self.assertEqual(client.flags["session present"], 1)
            self.assertEqual([client.message().payload for _ in range(2)], [b"1", b"2"])
            client.close()
            publisher.close()

    def test_the_properties_of_version_5(self):
        client = Client(self.port, paho.MQTTv5, "properties")
        client.subscribe("properties", 1)
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("b", "1"), ("a", "2")]
        properties.ContentType = "text/plain"
        properties.ResponseTopic = "answer"
        properties.CorrelationData = b"\0\1\2"
        properties.MessageExpiryInterval = 600
        client.publish("properties", "x", 1, properties=properties)
        got = client.message().properties
        self.assertEqual(got.UserProperty, [("b", "1"), ("a", "2")])
        self.assertEqual((got.ContentType, got.ResponseTopic, got.CorrelationData), ("text/plain", "answer", b"\0\1\2"))
        client.close()

    def test_many_messages_keep_their_order(self):
        subscriber = Client(self.port, paho.MQTTv5, "subscriber")
        subscriber.subscribe("many", 2)
        publisher = Client(self.port, paho.MQTTv311, "publisher")
        for i in range(300):
            publisher.client.publish("many", str(i), 2)
        self.assertEqual([int(subscriber.message().payload) for _ in range(300)], list(range(300)))
        subscriber.close()
        publisher.close()


class PahoPythonOverWebSocket(PahoPython):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Client.transport = "websockets"  # paho's path is /mqtt
        cls.port = int(re.search(r":(\d+)/", cls.broker.websocket)[1])


class PahoPythonOverTls(PahoPython):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Client.authority = cls.broker.authority
        cls.port = cls.broker.tls_port


class PahoPythonOverSecureWebSocket(PahoPython):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Client.transport, Client.authority = "websockets", cls.broker.authority
        cls.port = int(re.search(r":(\d+)/", cls.broker.secure_websocket)[1])


class PahoPythonOverUnixSocket(PahoPython):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Client.path = cls.broker.socket


if __name__ == "__main__":
    unittest.main()
