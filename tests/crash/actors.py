"""The clients of the crash test. Each keeps its own side of the session over the broker's crashes, as a correct client
does, and writes into the ledger what the broker promised."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "daemon"))
from mqtt import Client, Closed, _text  # noqa: E402

STEP = 0.05  # seconds between looks at the stop sign


class Actor:
    """A client with a lasting session; act() runs until the broker goes away or `stop` is set."""

    def __init__(self, name, ledger):
        self.name, self.ledger = name, ledger
        self.welcomed = False

    def run(self, port, stop):
        try:
            client = Client(port, self.name)
            if self.welcomed and not client.session_present:
                self.ledger.sessions_lost += 1
                self.forget()
            self.welcomed = True
            self.resume(client)
            while not stop.is_set():
                self.act(client)
            client.cut()
        except (Closed, OSError, AssertionError):
            pass

    def forget(self):
        """The broker knows nothing of the session any more."""

    def resume(self, client):
        pass


def text_of(number):
    """Every third message is long: several sessions have it in common in the store."""
    return str(number).ljust(1500 if number % 3 == 0 else 0)


class Publisher(Actor):
    """A window of QoS 1 or QoS 2 messages with ascending numbers."""

    WINDOW = 20

    def __init__(self, name, ledger, qos):
        super().__init__(name, ledger)
        self.qos = qos
        self.number = 0
        self.packet_id = 0
        self.open = {}  # packet identifier: [number, whether PUBREC came]
        self.finishing = False

    def forget(self):
        self.open = {identifier: each for identifier, each in self.open.items() if not each[1]}

    def resume(self, client):
        for identifier, (number, received) in self.open.items():
            if received:
                client.send(6, 2, identifier.to_bytes(2, "big"))
            else:
                client.publish(f"q/{self.qos}", text_of(number), self.qos, packet_id=identifier, dup=True)

    def act(self, client):
        while len(self.open) < self.WINDOW and not self.finishing:
            self.packet_id = self.packet_id % 65535 + 1
            self.number += 1
            self.open[self.packet_id] = [self.number, False]
            client.publish(f"q/{self.qos}", text_of(self.number), self.qos, packet_id=self.packet_id)
        packet = client.next(STEP)
        if packet is None or packet.kind not in (4, 5, 7):
            return
        identifier = int.from_bytes(packet.body[:2], "big")
        refused = len(packet.body) > 2 and packet.body[2] >= 0x80
        if packet.kind == 7 or refused:
            self.open.pop(identifier, None)
            return
        if identifier not in self.open:
            return
        self.ledger.acknowledged[self.qos].add(self.open[identifier][0])
        if packet.kind == 4:
            del self.open[identifier]
        else:
            self.open[identifier][1] = True
            client.send(6, 2, identifier.to_bytes(2, "big"))


class Reader(Actor):
    """Subscribes once in its life; what it reads afterwards is owed to its session."""

    def __init__(self, name, ledger):
        super().__init__(name, ledger)
        self.subscribed = False
        self.received = set()
        self.seen = ledger.reader(name)

    def forget(self):
        self.subscribed = False
        self.received.clear()

    def resume(self, client):
        if not self.subscribed:
            client.subscribe("q/#", 2)
            self.subscribed = True

    def act(self, client):
        packet = client.next(STEP)
        if packet is None:
            return
        if packet.kind == 6:
            self.received.discard(packet.body[:2])
            client.send(7, 0, packet.body[:2])
        if packet.kind != 3:
            return
        _, payload, qos, packet_id, _ = client.parse(packet)
        identifier = packet_id.to_bytes(2, "big")
        if qos == 1 or identifier not in self.received:
            self.seen[qos][int(payload)] += 1
        if qos == 2:
            self.received.add(identifier)
        client.send(4 if qos == 1 else 5, 0, identifier)


class Retainer(Actor):
    """Ascending retained values on a few topics."""

    TOPICS = 5

    def __init__(self, name, ledger):
        super().__init__(name, ledger)
        self.turn = 0

    def act(self, client):
        self.turn += 1
        topic = f"r/{self.turn % self.TOPICS}"
        self.ledger.retained_sent[topic] += 1
        value = self.ledger.retained_sent[topic]
        if client.publish_acknowledged(topic, str(value), 1, retain=True) < 0x80:
            self.ledger.retained_acknowledged[topic] = value

    @staticmethod
    def check(port, ledger, patience):
        """Each retained value is the last acknowledged one, or one sent after it."""
        client = Client(port, "checker", clean=True, expiry=0)
        client.subscribe("r/#", 1)
        expected = dict(ledger.retained_acknowledged)
        while expected:
            message = client.receive(patience)
            if message is None:
                break
            acknowledged = expected.pop(message[0], 0)
            if int(message[1]) < acknowledged:
                ledger.retained_stale += 1
        ledger.retained_missing += len(expected)
        client.disconnect()


class Subscriber(Actor):
    """Takes up filters, and gives every third up again."""

    def __init__(self, name, ledger):
        super().__init__(name, ledger)
        self.number = 0

    def act(self, client):
        self.number += 1
        topic = f"s/{self.number}"
        if client.subscribe(topic, 1) < 0x80:
            self.ledger.subscribed.add(topic)
        if self.number % 3 == 0:
            self.ledger.subscribed.discard(topic)
            client.send(10, 2, client.new_id().to_bytes(2, "big") + b"\0" + _text(topic))
            while client.next().kind != 11:
                pass
            self.ledger.unsubscribed.add(topic)

    @staticmethod
    def check(port, ledger):
        """Reason code 0x10 tells that nobody is subscribed."""
        client = Client(port, "checker", clean=True, expiry=0)
        for topic in ledger.subscribed:
            ledger.subscriptions_lost += client.publish_acknowledged(topic, "x") == 0x10
        for topic in ledger.unsubscribed:
            ledger.subscriptions_back += client.publish_acknowledged(topic, "x") != 0x10
        client.disconnect()


class Mourned(Actor):
    """Clients that are connected when the broker dies, each with a will that waits for a moment."""

    DELAY = 1  # seconds

    def __init__(self, name, ledger):
        super().__init__(name, ledger)
        self.number = 0

    def run(self, port, stop):
        clients = []
        try:
            while not stop.is_set():
                self.number += 1
                clients.append(Client(port, f"mourned-{self.number}", will=("w", str(self.number), 1, self.DELAY)))
                self.ledger.wills_promised.add(self.number)
                stop.wait(STEP)
        except (Closed, OSError, AssertionError):
            pass


class Heir(Actor):
    """Subscribes once in its life to all wills."""

    def __init__(self, name, ledger):
        super().__init__(name, ledger)
        self.subscribed = False

    def forget(self):
        self.subscribed = False

    def resume(self, client):
        if not self.subscribed:
            client.subscribe("w", 1)
            self.subscribed = True

    def act(self, client):
        message = client.receive(STEP)
        if message is not None:
            self.ledger.wills_seen.add(int(message[1]))


class Visitors(Actor):
    """Sessions that end soon after their connection, and sessions that do not."""

    def __init__(self, name, ledger):
        super().__init__(name, ledger)
        self.number = 0

    def run(self, port, stop):
        try:
            while not stop.is_set():
                self.number += 1
                for kind, expiry, promised in (("short", 1, self.ledger.passing), ("long", 3600, self.ledger.lasting)):
                    client = Client(port, f"{kind}-{self.number}", expiry=expiry)
                    promised.add(f"{kind}-{self.number}")
                    client.disconnect()
                stop.wait(STEP / 2)
        except (Closed, OSError, AssertionError):
            pass

    @staticmethod
    def check(port, ledger):
        for name in ledger.lasting:
            client = Client(port, name)
            ledger.sessions_lost += not client.session_present
            client.disconnect()
        for name in ledger.passing:
            client = Client(port, name)
            ledger.sessions_overdue += client.session_present
            client.disconnect()
