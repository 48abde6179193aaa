"""Who a client is: SCRAM, tokens, and the user behind a Unix socket."""

import base64
import getpass
import hashlib
import hmac
import os
import socket
import tempfile
import unittest

from programs import PATIENCE, Daemon, connect, read_exactly, run

HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


def field(data):
    return len(data).to_bytes(2, "big") + data


def varint(size):
    digits = b""
    while size > 127:
        digits += bytes([size % 128 | 0x80])
        size //= 128
    return digits + bytes([size])


def packet(first, body):
    return bytes([first]) + varint(len(body)) + body


def read_packet(connection):
    first = read_exactly(connection, 1)[0]
    size = shift = 0
    while True:
        byte = read_exactly(connection, 1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first, read_exactly(connection, size)


def properties_of(data):
    """Method and data of an authentication, from the properties of CONNACK or AUTH."""
    found = {}
    while data:
        name = data[0]
        if name in (0x15, 0x16, 0x12, 0x1F, 0x1A, 0x1C):
            size = int.from_bytes(data[1:3], "big")
            found[name] = data[3:3 + size]
            data = data[3 + size:]
        else:
            data = data[1 + {0x11: 4, 0x27: 4, 0x21: 2, 0x22: 2, 0x13: 2}.get(name, 1):]
    return found


class Scram:
    """A client of MQTT 5 that proves a password by SCRAM."""

    def __init__(self, port, method, user, password):
        self.method, self.user, self.password = method, user, password
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def __del__(self):
        self.connection.close()

    def auth(self, code, data):
        body = b"\x15" + field(self.method.encode()) + b"\x16" + field(data)
        self.connection.sendall(packet(0xF0, bytes([code]) + varint(len(body)) + body))

    def first(self):
        self.bare = b"n=" + self.user.encode() + b",r=abcdefgh"
        return b"n,," + self.bare

    def final(self, challenge):
        name = HASHES[self.method]
        parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(name, self.password.encode(), base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        sign = lambda key, text: hmac.new(key, text, name).digest()
        client = sign(salted, b"Client Key")
        without = b"c=biws,r=" + parts[b"r"]
        text = self.bare + b"," + challenge + b"," + without
        proof = bytes(a ^ b for a, b in zip(client, sign(hashlib.new(name, client).digest(), text)))
        self.expected = b"v=" + base64.b64encode(sign(sign(salted, b"Server Key"), text))
        return without + b",p=" + base64.b64encode(proof)

    def connect(self, data=None):
        properties = b"\x15" + field(self.method.encode())
        data = self.first() if data is None else data
        if data:
            properties += b"\x16" + field(data)
        self.connection.sendall(packet(0x10, b"\0\4MQTT\5\2\0\0" + varint(len(properties)) + properties + field(b"")))

    def answer(self):
        """("AUTH" | "CONNACK" | "DISCONNECT", reason code, authentication data)"""
        first, body = read_packet(self.connection)
        name, at = {0xF0: ("AUTH", 0), 0x20: ("CONNACK", 1)}.get(first, ("DISCONNECT", 0))
        length = 1 if body[at + 1] < 128 else 2
        return name, body[at], properties_of(body[at + 1 + length:]).get(0x16) if first in (0xF0, 0x20) else None

    def login(self):
        self.connect()
        kind, code, challenge = self.answer()
        assert (kind, code) == ("AUTH", 0x18), (kind, code)
        self.auth(0x18, self.final(challenge))
        return self.answer()

    def ended(self):
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        name = lambda file: os.path.join(cls.folder.name, file)
        assert run("twinmq", "passwd", "--scram", "-b", name("scram"), "alice", "secret")[0] == 0
        code, cls.token, _ = run("twinmq", "token", name("tokens"), "robot")
        assert code == 0
        cls.token = cls.token.strip()
        run("twinmq", "passwd", "-b", name("users"), "bob", "pw")
        with open(name("acl"), "w") as acl:
            acl.write("user robot\ntopic readwrite robot/#\nuser " + getpass.getuser() + "\ntopic readwrite local/#\n")
        cls.socket = name("s")
        cls.daemon = Daemon("--listen", "mqtt://127.0.0.1:0", "--listen", "unix://" + cls.socket, "--data-dir", "",
                            "--set", "storage.durability=none",
                            "--set", "listener[1].unix.identity=true",
                            "--set", "access.scram_file=" + name("scram"), "--set", "access.token_file=" + name("tokens"),
                            "--set", "access.password_file=" + name("users"), "--set", "access.acl_file=" + name("acl"))
        cls.port = cls.daemon.ports()[0]

    @classmethod
    def tearDownClass(cls):
        cls.daemon.signal("TERM")
        assert cls.daemon.exit_code() == 0
        cls.daemon.__exit__()
        cls.folder.cleanup()

    def test_scram_lets_in_who_proves_a_password_and_proves_the_broker(self):
        for method in HASHES:
            client = Scram(self.port, method, "alice", "secret")
            kind, code, proof = client.login()
            self.assertEqual((kind, code, proof), ("CONNACK", 0, client.expected))
            # Re-authentication on the live connection.
            client.auth(0x19, client.first())
            kind, code, challenge = client.answer()
            self.assertEqual((kind, code), ("AUTH", 0x18))
            client.auth(0x18, client.final(challenge))
            self.assertEqual(client.answer(), ("AUTH", 0, client.expected))
            client.connection.close()

    def test_a_wrong_password_and_an_unknown_user_look_the_same(self):
        answers = []
        for user, password in (("alice", "wrong"), ("nobody", "secret")):
            client = Scram(self.port, "SCRAM-SHA-256", user, password)
            answers.append(client.login())
            self.assertTrue(client.ended())
            client.connection.close()
        self.assertEqual(answers[0], ("CONNACK", 0x87, None))
        self.assertEqual(answers[0], answers[1])

    def test_what_is_out_of_turn_is_a_protocol_error(self):
        # A method without data, and one with nonsense.
        for data in (b"", b"nonsense"):
            client = Scram(self.port, "SCRAM-SHA-256", "alice", "secret")
            client.connect(data)
            self.assertEqual(client.answer()[:2], ("CONNACK", 0x82))
            client.connection.close()
        # An unknown method.
        client = Scram(self.port, "SCRAM-SHA-1", "alice", "secret")
        client.connect(b"n,,n=alice,r=x")
        self.assertEqual(client.answer()[:2], ("CONNACK", 0x8C))
        client.connection.close()
        # The proof twice, another method in re-authentication, a wrong proof in re-authentication.
        for trouble in ("again", "method", "proof"):
            client = Scram(self.port, "SCRAM-SHA-256", "alice", "secret")
            self.assertEqual(client.login()[:2], ("CONNACK", 0))
            if trouble == "again":
                client.auth(0x18, b"c=biws,r=x,p=AAAA")
                code = 0x82
            elif trouble == "method":
                client.method = "SCRAM-SHA-512"
                client.auth(0x19, client.first())
                code = 0x82
            else:
                client.auth(0x19, client.first())
                client.password = "wrong"
                client.auth(0x18, client.final(client.answer()[2]))
                code = 0x87
            self.assertEqual(client.answer()[:2], ("DISCONNECT", code), trouble)
            self.assertTrue(client.ended())
            client.connection.close()

    def test_exchanges_follow_one_another_and_never_overlap(self):
        client = Scram(self.port, "SCRAM-SHA-256", "alice", "secret")
        self.assertEqual(client.login()[:2], ("CONNACK", 0))
        for _ in range(20):
            client.auth(0x19, client.first())
            client.auth(0x18, client.final(client.answer()[2]))
            self.assertEqual(client.answer()[:2], ("AUTH", 0))
        # Ten thousand begun at once: the second is one too many.
        one = packet(0xF0, b"\x19" + varint(19 + 31) + b"\x15" + field(b"SCRAM-SHA-256") + b"\x16" +
                     field(b"n,,n=alice,r=" + b"x" * 18))
        client.connection.sendall(one * 10_000)
        answers = [client.answer()[:2]]
        while answers[-1][0] == "AUTH":
            answers.append(client.answer()[:2])
        self.assertEqual(answers[-1], ("DISCONNECT", 0x82))
        self.assertLessEqual(len(answers), 2)
        client.connection.close()

    def test_a_token_is_a_password_with_the_rights_of_its_user(self):
        token = self.token.encode()
        for user, password, expected in ((b"robot", token, 0), (b"bob", token, 0x86), (b"robot", b"x" * 43, 0x86),
                                         (b"bob", b"pw", 0)):
            connection, code = connect(self.port, user=user, password=password)
            connection.close()
            self.assertEqual(code, expected)

    def test_the_user_of_a_unix_socket_s_process_needs_no_password(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self.socket)
            connection.sendall(b"\x10\x12\0\4MQTT\5\2\0\0\0\0\5local")
            first, body = read_packet(connection)
            self.assertEqual((first, body[1]), (0x20, 0))
            for topic, code in ((b"local/#", 1), (b"robot/#", 0x87)):
                connection.sendall(packet(0x82, b"\0\1\0" + field(topic) + b"\1"))
                first, body = read_packet(connection)
                self.assertEqual((first, body[-1]), (0x90, code))


if __name__ == "__main__":
    unittest.main()
