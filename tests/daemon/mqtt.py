"""A small MQTT 3.1.1 and 5.0 client for tests: one packet after the other, no thread of its own."""

import socket

PATIENCE = 60


def _text(value):
    value = value.encode() if isinstance(value, str) else value
    return len(value).to_bytes(2, "big") + value


def _number(value):
    out = b""
    while True:
        value, digit = divmod(value, 128)
        out += bytes([digit | (0x80 if value else 0)])
        if not value:
            return out


class Closed(Exception):
    """The broker closed the connection."""


class Packet:
    def __init__(self, kind, flags, body):
        self.kind, self.flags, self.body = kind, flags, body


class Client:
    """Packets the broker sends are read by next(); PUBLISH is not acknowledged by itself."""

    def __init__(self, port, client_id, *, clean=False, expiry=3600, will=None, level=5):
        self.level = level
        self.socket = self.dial(port)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.next_id = 0
        flags = 2 if clean else 0
        body = _text(client_id)
        if will:
            topic, payload, qos, delay = will
            flags |= 4 | (qos << 3)
            if level == 5:
                properties = b"\x18" + delay.to_bytes(4, "big")
                body += _number(len(properties)) + properties
            body += _text(topic) + _text(payload)
        properties = b""
        if level == 5:
            properties = b"\x11" + expiry.to_bytes(4, "big")
            properties = _number(len(properties)) + properties
        self.send(1, 0, _text("MQTT") + bytes([level, flags]) + b"\0\0" + properties + body)
        connack = self.next()
        assert connack.kind == 2, connack.kind
        self.code = connack.body[1]
        self.session_present = connack.body[0] == 1

    def dial(self, port):
        return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def send(self, kind, flags, body):
        try:
            self.socket.sendall(bytes([kind << 4 | flags]) + _number(len(body)) + body)
        except OSError as error:
            raise Closed from error

    def _read(self, patience):
        self.socket.settimeout(patience)
        try:
            part = self.socket.recv(65536)
        except (socket.timeout, BlockingIOError):
            return False
        except OSError as error:
            raise Closed from error
        if not part:
            raise Closed
        self.buffer += part
        return True

    def next(self, patience=PATIENCE):
        """The next packet; None if there is none in time."""
        while True:
            size, at, shift = 0, 1, 0
            while at < len(self.buffer):
                digit = self.buffer[at]
                size |= (digit & 0x7F) << shift
                shift += 7
                at += 1
                if not digit & 0x80:
                    if len(self.buffer) < at + size:
                        break
                    packet = Packet(self.buffer[0] >> 4, self.buffer[0] & 15, self.buffer[at:at + size])
                    self.buffer = self.buffer[at + size:]
                    return packet
            if not self._read(patience):
                return None

    def _properties(self):
        return b"\0" if self.level == 5 else b""

    def new_id(self):
        self.next_id = self.next_id % 65535 + 1
        return self.next_id

    def subscribe(self, topic, qos):
        self.send(8, 2, self.new_id().to_bytes(2, "big") + self._properties() + _text(topic) + bytes([qos]))
        while (packet := self.next()).kind != 9:
            pass
        return packet.body[-1]

    def publish(self, topic, payload, qos=1, retain=False, packet_id=None, dup=False):
        """Sends it, and answers its packet identifier; the acknowledgement is the caller's affair."""
        packet_id = packet_id or (self.new_id() if qos else 0)
        identifier = packet_id.to_bytes(2, "big") if qos else b""
        payload = payload.encode() if isinstance(payload, str) else payload
        self.send(3, qos << 1 | retain | (8 if dup else 0), _text(topic) + identifier + self._properties() + payload)
        return packet_id

    def publish_acknowledged(self, topic, payload, qos=1, retain=False):
        """The reason code of its acknowledgement."""
        packet_id = self.publish(topic, payload, qos, retain)
        while True:
            packet = self.next()
            if packet.kind in (4, 5, 7) and int.from_bytes(packet.body[:2], "big") == packet_id:
                code = packet.body[2] if len(packet.body) > 2 else 0
                if packet.kind == 5 and code < 0x80:
                    self.send(6, 2, packet_id.to_bytes(2, "big"))
                    continue
                return code

    def parse(self, packet):
        """(topic, payload, qos, packet identifier, retain) of a PUBLISH."""
        size = int.from_bytes(packet.body[:2], "big")
        topic = packet.body[2:2 + size].decode()
        at = 2 + size
        qos = packet.flags >> 1 & 3
        packet_id = 0
        if qos:
            packet_id = int.from_bytes(packet.body[at:at + 2], "big")
            at += 2
        if self.level == 5:
            length, shift = 0, 0
            while True:
                digit = packet.body[at]
                at += 1
                length |= (digit & 0x7F) << shift
                shift += 7
                if not digit & 0x80:
                    break
            at += length
        return topic, packet.body[at:].decode(errors="replace"), qos, packet_id, bool(packet.flags & 1)

    def receive(self, patience=PATIENCE):
        """The next message, fully acknowledged; None if there is none in time."""
        while True:
            packet = self.next(patience)
            if packet is None:
                return None
            if packet.kind == 6:
                self.send(7, 0, packet.body[:2])
            if packet.kind != 3:
                continue
            message = self.parse(packet)
            identifier = message[3].to_bytes(2, "big")
            if message[2] == 1:
                self.send(4, 0, identifier)
            if message[2] == 2:
                self.send(5, 0, identifier)
            return message

    def disconnect(self):
        self.send(14, 0, b"")
        self.socket.close()

    def cut(self):
        self.socket.close()

    def __del__(self):
        if hasattr(self, "socket"):
            self.socket.close()
