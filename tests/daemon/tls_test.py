"""TLS as clients and operators meet it: mosquitto's clients, openssl's, renewal under load, attacks."""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import mqtt
from ports import free_port
from programs import PATIENCE, SOURCE, Daemon, descriptors, run

KEPT = os.path.join(os.path.dirname(os.environ["TWINMQ_BIN"]), "tests", "certificates")


def setUpModule():
    subprocess.run([os.path.join(SOURCE, "tests", "support", "certificates.sh"), KEPT], check=True)


def settings(folder, **more):
    """--set options for the listener's TLS; values are files of the folder unless they say otherwise."""
    keys = {"certificate": "server.pem", "key": "server.key", **more}
    files = ("certificate", "key", "ca", "crl", "key_password_file", "fingerprints", "psk_file", "ocsp")
    out = []
    for key, value in keys.items():
        if value and key in files:
            value = os.path.join(folder, value)
        out += ["--set", f"listener.tls.{key}={value}"]
    return out


class Broker(Daemon):
    """A daemon with one mqtts listener whose certificates lie in `folder`, a copy."""

    def __init__(self, *arguments, **tls):
        self.folder = tempfile.mkdtemp(prefix="twinmq-tls-")
        shutil.copytree(KEPT, self.folder, dirs_exist_ok=True)
        super().__init__("--listen", "mqtts://127.0.0.1:0", "--data-dir", "", "--set", "node.shards=2",
                         *settings(self.folder, **tls), *arguments)
        self.port = int(re.search(r"mqtts://[^\",\s]*:(\d+)", self.wait_for_line(r"\bready\b"))[1])

    def __exit__(self, *error):
        super().__exit__(*error)
        shutil.rmtree(self.folder)

    def file(self, name):
        return os.path.join(self.folder, name)

    def replace(self, name, other):
        """As careful operators do: whole, under the same name."""
        shutil.copy(self.file(other), self.file(name + ".new"))
        os.rename(self.file(name + ".new"), self.file(name))


class FiledBroker(Broker):
    """The same by a configuration file, which can be written anew."""

    def __init__(self, **tls):
        self.folder = tempfile.mkdtemp(prefix="twinmq-tls-")
        shutil.copytree(KEPT, self.folder, dirs_exist_ok=True)
        self.port = free_port()
        self.tls = {"certificate": "server.pem", "key": "server.key", **tls}
        self.listen(self.port)
        Daemon.__init__(self, "--config", self.file("twinmq.toml"))
        self.wait_for_line(r"\bready\b")

    def listen(self, *ports):
        with open(self.file("twinmq.toml"), "w") as file:
            file.write('data_dir = ""\n[storage]\ndurability = "none"\n[node]\nshards = 2\n')
            for port in ports:
                file.write(f'[[listener]]\nurl = "mqtts://127.0.0.1:{port}"\nanonymous = true\n')
                for key, value in self.tls.items():
                    file.write(f'tls.{key} = "{value if key == "verify" else self.file(value)}"\n')


def context(name=None):
    """A client's: it trusts the test's authority and shows the certificate of that name."""
    made = ssl.create_default_context(cafile=os.path.join(KEPT, "ca.pem"))
    if name:
        made.load_cert_chain(os.path.join(KEPT, name + ".pem"), os.path.join(KEPT, name + ".key"))
    return made


class Client(mqtt.Client):
    """The small MQTT client over TLS."""

    def __init__(self, port, client_id, tls, **options):
        self.tls = tls
        super().__init__(port, client_id, clean=True, expiry=0, **options)

    def dial(self, port):
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        return self.tls.wrap_socket(plain, server_hostname="localhost")

    def ping(self):
        self.send(12, 0, b"")
        assert self.next().kind == 13

    def read_to_the_end(self):
        try:
            while self.next() is not None:
                pass
        except (mqtt.Closed, ssl.SSLError):
            return True
        return False


def refused(port, tls):
    """Whether a client is turned away, in the handshake or (TLS 1.3) right behind it."""
    try:
        Client(port, "refused", tls).disconnect()
    except (ssl.SSLError, mqtt.Closed, ConnectionError):
        return True
    return False


class Clients(unittest.TestCase):
    def test_mosquitto_clients_of_both_versions(self):
        with Broker() as broker:
            for version in ("tlsv1.2", "tlsv1.3"):
                common = ["-h", "127.0.0.1", "-p", str(broker.port), "--cafile", broker.file("ca.pem"),
                          "--tls-version", version, "-t", "a/b", "-q", "2", "-V", "5"]
                subprocess.run(["mosquitto_pub", *common, "-m", version, "-r"], check=True, timeout=PATIENCE)
                got = subprocess.run(["mosquitto_sub", *common, "-C", "1"], check=True, timeout=PATIENCE,
                                     capture_output=True, text=True)
                self.assertEqual(got.stdout.strip(), version)

    def test_mosquitto_client_with_a_pre_shared_key(self):
        with Broker(certificate="", key="", psk_file="psk") as broker:
            key = ["-h", "127.0.0.1", "-p", str(broker.port), "--psk-identity", "sensor", "--psk"]
            good = subprocess.run(["mosquitto_pub", *key, "00112233445566778899aabbccddeeff", "-t", "a", "-m", "b"],
                                  timeout=PATIENCE, capture_output=True)
            self.assertEqual(good.returncode, 0, good.stderr)
            bad = subprocess.run(["mosquitto_pub", *key, "ff112233445566778899aabbccddeeff", "-t", "a", "-m", "b"],
                                 timeout=PATIENCE, capture_output=True)
            self.assertNotEqual(bad.returncode, 0)

    def test_openssl_client_sees_chain_staple_protocol_and_ticket(self):
        with Broker(ocsp="server.ocsp") as broker:
            def look(*options):
                done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-CAfile",
                                       broker.file("ca.pem"), "-servername", "localhost", *options],
                                      input="", capture_output=True, text=True, timeout=PATIENCE)
                return done.stdout
            self.assertIn("Verify return code: 0", look())
            self.assertIn("OCSP Response Status: successful", look("-status"))
            self.assertIn("ALPN protocol: mqtt", look("-alpn", "mqtt"))
            saved = broker.file("session")
            look("-tls1_2", "-sess_out", saved)
            self.assertIn("Reused, TLSv1.2", look("-tls1_2", "-sess_in", saved))
            self.assertIn("no peer certificate available", look("-tls1_1"))

    def test_protocols_and_ciphersuites_are_those_configured(self):
        with Broker("--set", "listener.tls.protocols=own/1,mqtt", "--set",
                    "listener.tls.ciphersuites=TLS_CHACHA20_POLY1305_SHA256") as broker:
            def look(*options):
                done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-CAfile",
                                       broker.file("ca.pem"), *options],
                                      input="", capture_output=True, text=True, timeout=PATIENCE)
                return done.stdout + done.stderr
            self.assertIn("Cipher is TLS_CHACHA20_POLY1305_SHA256", look("-tls1_3"))
            self.assertIn("handshake failure", look("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"))
            self.assertIn("ALPN protocol: own/1", look("-alpn", "own/1"))
            self.assertIn("no application protocol", look("-alpn", "x-amzn-mqtt-ca"))

    def test_the_certificate_is_the_user_of_the_access_rules(self):
        with tempfile.TemporaryDirectory() as folder:
            rules = os.path.join(folder, "acl")
            with open(rules, "w") as file:
                file.write("user device7\ntopic readwrite mine/#\n")
            with Broker("--set", f"access.acl_file={rules}", "--set", "access.anonymous=false", ca="ca.pem",
                        verify="optional", identity="cn") as broker:
                client = Client(broker.port, "c", context("client"))
                self.assertEqual(client.code, 0)
                self.assertEqual(client.subscribe("mine/a", 0), 0)
                self.assertEqual(client.subscribe("yours/a", 0), 0x87)
                broker.wait_for_line("client connected.*identity=device7")
                stranger = Client(broker.port, "d", context())
                self.assertEqual(stranger.code, 0x87)


class Configuration(unittest.TestCase):
    def test_what_cannot_serve_is_told_by_check(self):
        base = ["--check", "--listen", "mqtts://127.0.0.1:0", "--data-dir", ""]
        code, _, err = run("twinmqd", *base)
        self.assertEqual(code, 2)
        self.assertIn("listener[0].tls.certificate: found none", err)
        code, _, err = run("twinmqd", *base, *settings(KEPT, key="second.key"))
        self.assertEqual(code, 2)
        self.assertIn("listener[0].tls.key: ", err)
        code, _, err = run("twinmqd", *base, *settings(KEPT, verify="required"))
        self.assertEqual(code, 2)
        self.assertIn("listener[0].tls.ca: found none", err)
        code, _, err = run("twinmqd", "--check", "--listen", "mqtt://127.0.0.1:0", "--data-dir", "", *settings(KEPT))
        self.assertEqual(code, 2)
        self.assertIn("not encrypted", err)
        code, _, err = run("twinmqd", *base, *settings(KEPT))
        self.assertEqual((code, err), (0, ""))


    def test_the_example_is_sound_once_its_files_are_there(self):
        with open(os.path.join(SOURCE, "conf", "tls.toml")) as file:
            example = file.read()
        places = {"server.pem": "server.pem", "server.key": "server.key", "devices-ca.pem": "ca.pem",
                  "devices.crl": "ca.crl", "fingerprints": "fingerprints", "server.ocsp": "server.ocsp",
                  "psk": "psk", "password": "password", "other-name.pem": "second.pem", "other-name.key": "second.key"}
        for place, name in places.items():
            example = example.replace(f"/etc/twinmq/tls/{place}\"", os.path.join(KEPT, name) + "\"")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tls.toml")
            marked = r"(tls\.|\[\[|name|url|anonymous)"
            needed = re.sub(rf"(?m)^#(#?{marked})", r"\1", example)
            for text in (example, needed, re.sub(rf"(?m)^#{marked}", r"\1", needed)):
                self.assertEqual(text == example, "\n[[listener]]" not in text)
                with open(path, "w") as file:
                    file.write(text)
                code, _, err = run("twinmqd", "--config", path, "--check")
                self.assertEqual((code, err), (0, ""))


class Renewal(unittest.TestCase):
    def certificate_of(self, broker):
        """Who runs the server, by the certificate that new clients see."""
        with socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE) as plain:
            with context().wrap_socket(plain, server_hostname="localhost") as tls:
                return dict(field[0] for field in tls.getpeercert()["subject"]).get("organizationName")

    def test_files_and_listeners_are_exchanged_under_load_and_nobody_is_disturbed(self):
        with FiledBroker(ca="ca.pem", crl="empty.crl", verify="required") as broker:
            tls = context("client")
            receiver = Client(broker.port, "receiver", tls)
            receiver.subscribe("load", 1)
            sender = Client(broker.port, "sender", tls)
            stop = threading.Event()
            sent = []

            def load():
                while not stop.is_set():
                    sender.publish_acknowledged("load", str(len(sent)))
                    sent.append(len(sent))

            received = []

            def read():
                while loading.is_alive() or len(received) < len(sent):
                    message = receiver.receive(patience=0.2)
                    if message is not None:
                        received.append(int(message[1]))

            loading, reading = threading.Thread(target=load), threading.Thread(target=read)
            loading.start()
            reading.start()
            self.assertIsNone(self.certificate_of(broker))
            self.assertFalse(refused(broker.port, context("revoked")))
            # Half a change is none: the certificate without its key is told, and the old pair serves on.
            broker.replace("server.pem", "server-next.pem")
            broker.wait_for_line("certificates kept.*tls.key")
            self.assertIsNone(self.certificate_of(broker))
            broker.replace("server.key", "server-next.key")
            broker.wait_for_line("certificates renewed")
            self.assertEqual(self.certificate_of(broker), "next")
            broker.replace("empty.crl", "ca.crl")
            broker.wait_for_line("certificates renewed")
            self.assertTrue(refused(broker.port, context("revoked")))
            self.assertFalse(refused(broker.port, context("client")))
            added = free_port()
            broker.listen(broker.port, added)
            broker.signal("HUP")
            broker.wait_for_line("listeners changed.*added")
            guest = Client(added, "guest", tls)
            broker.listen(broker.port)
            broker.signal("HUP")
            broker.wait_for_line("listeners closed")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", added), timeout=PATIENCE)
            guest.ping()
            broker.replace("ca.pem", "other-ca.pem")
            broker.wait_for_line("certificates renewed")
            self.assertTrue(refused(broker.port, context("client")))
            guest.ping()
            guest.disconnect()
            before = len(sent)
            while len(sent) < before + 20:
                time.sleep(0.01)
            stop.set()
            loading.join()
            reading.join()
            self.assertEqual(received, sent)

    def test_a_removed_authority_and_a_revoked_certificate_end_live_connections_where_asked(self):
        with Broker(ca="ca.pem", crl="empty.crl", verify="required", recheck_live="true") as broker:
            good = Client(broker.port, "good", context("client"))
            bad = Client(broker.port, "bad", context("revoked"))
            broker.replace("empty.crl", "ca.crl")
            self.assertTrue(bad.read_to_the_end())
            broker.wait_for_line("live connections closed")
            good.ping()
            broker.replace("ca.pem", "other-ca.pem")
            self.assertTrue(good.read_to_the_end())

    def test_a_ticket_does_not_outlive_the_trust_it_was_given_in(self):
        with Broker(ca="ca.pem", crl="empty.crl", verify="required") as broker:
            options = ["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-CAfile",
                       os.path.join(KEPT, "ca.pem"), "-cert", broker.file("revoked.pem"), "-key",
                       broker.file("revoked.key"), "-tls1_2"]
            saved = broker.file("session")

            def look(*more):
                return subprocess.run([*options, *more], input="", capture_output=True, text=True,
                                      timeout=PATIENCE).stdout
            look("-sess_out", saved)
            self.assertIn("Reused", look("-sess_in", saved))
            broker.replace("server.pem", "server-next.pem")
            broker.replace("server.key", "server-next.key")
            broker.wait_for_line("certificates renewed")
            self.assertIn("Reused", look("-sess_in", saved))
            broker.replace("empty.crl", "ca.crl")
            broker.wait_for_line("certificates renewed")
            self.assertNotIn("Reused", look("-sess_in", saved))
            broker.wait_for_line("connection refused.*certificate revoked")

    def test_hangup_reads_the_files_again_or_keeps_what_it_has(self):
        with Broker() as broker:
            shutil.copy(broker.file("server-next.key"), broker.file("server.key"))
            shutil.copy(broker.file("server-next.pem"), broker.file("server.pem"))
            broker.signal("HUP")
            broker.wait_for_line(r"\breloaded\b")
            self.assertEqual(self.certificate_of(broker), "next")
            with open(broker.file("server.pem"), "w") as file:
                file.write("no certificate")
            broker.signal("HUP")
            broker.wait_for_line("reload refused.*tls.certificate")
            self.assertEqual(self.certificate_of(broker), "next")

    def test_when_the_first_certificate_expires_is_a_metric(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with Broker("--set", f"admin.socket={path}") as broker:
                broker.wait_for_line("admin socket")
                end = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", broker.file("server.pem")],
                                     check=True, capture_output=True, text=True).stdout.strip().removeprefix("notAfter=")
                told = json.loads(run("twinmq", "stats", "--json", "--socket", path)[1])["metrics"]
                self.assertEqual(told["twinmq_certificate_expiry_timestamp_seconds"]["value"], ssl.cert_time_to_seconds(end))

    def test_a_certificate_that_expires_soon_is_told(self):
        with Broker() as broker:
            told = [line for line in broker.seen if "certificate expires soon" in line]
            self.assertRegex(told[0] if told else broker.wait_for_line("certificate expires soon"), r"days=1\d")


class Attacks(unittest.TestCase):
    def test_a_silent_handshake_ends_in_time(self):
        with Broker("--set", "limits.handshake_timeout_seconds=1") as broker:
            with socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE) as silent:
                broker.wait_for_line("connection refused.*the handshake took too long")
                self.assertEqual(silent.recv(100), b"")

    def test_many_half_open_handshakes_leave_established_clients_alone(self):
        many = descriptors(5000)
        with Broker("--set", "limits.handshake_timeout_seconds=1") as broker:
            client = Client(broker.port, "c", context())
            hello = ssl.MemoryBIO()
            talk = context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
            with self.assertRaises(ssl.SSLWantReadError):
                talk.do_handshake()
            first = hello.read()
            flood = []
            for i in range(many):
                one = socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE)
                one.sendall(first if i % 2 else first[:50])
                flood.append(one)
            for _ in range(20):
                client.ping()
            # Those beyond the cap wait to be accepted, and so does whoever comes behind them.
            late = Client(broker.port, "late", context())
            self.assertEqual(late.code, 0)
            client.ping()
            for one in flood:
                one.close()

    def test_no_more_handshakes_are_under_way_than_allowed_however_many_shards_accept(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with Broker("--set", "limits.handshakes_max=10", "--set", "limits.handshake_timeout_seconds=60",
                        "--set", "node.shards=4", "--set", f"admin.socket={path}") as broker:
                broker.wait_for_line("admin socket")
                client = Client(broker.port, "c", context())
                flood = [socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE) for _ in range(100)]

                def handshakes():
                    told = json.loads(run("twinmq", "stats", "--json", "--socket", path)[1])
                    return told["metrics"]["twinmq_handshakes_open"]["value"]
                while (now := handshakes()) < 10:
                    client.ping()
                # Whatever still wakes up because of those that wait, there are never more.
                for _ in range(10):
                    self.assertEqual(now, 10)
                    now = handshakes()
                client.ping()
                for one in flood:
                    one.close()

    def test_renegotiation_is_refused(self):
        with Broker() as broker:
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-tls1_2"],
                                  input="R\n", capture_output=True, text=True, timeout=PATIENCE)
            self.assertIn("no renegotiation", done.stderr)

    def test_what_is_no_tls_is_turned_away(self):
        with Broker() as broker:
            for bytes_ in (b"\x10\x0c\0\4MQTT\4\2\0\x3c\0\0", b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000)):
                with socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE) as plain:
                    plain.sendall(bytes_)
                    try:
                        while plain.recv(4096):
                            pass
                    except ConnectionResetError:
                        pass
                broker.wait_for_line("connection refused")


class Https(unittest.TestCase):
    def test_the_certificate_says_who_asks_over_https(self):
        with tempfile.TemporaryDirectory() as folder:
            acl = os.path.join(folder, "acl")
            with open(acl, "w", encoding="utf-8") as out:
                out.write("pattern readwrite $aws/things/%u/shadow/#\n")
            shutil.copytree(KEPT, folder, dirs_exist_ok=True)
            with Daemon("--listen", "https://127.0.0.1:0", "--data-dir", "", "--set", f"access.acl_file={acl}",
                        *settings(folder, ca="ca.pem", verify="required", identity="cn")) as daemon:
                port = int(re.search(r"https://[^\",\s]*:(\d+)", daemon.wait_for_line(r"\bready\b"))[1])

                def ask(method, path, body=None):
                    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE,
                                                             context=context("client"))
                    connection.request(method, path, body)
                    answer = connection.getresponse()
                    answer.read()
                    connection.close()
                    return answer.status

                self.assertEqual(ask("POST", "/things/device7/shadow", '{"state":{"reported":{"a":1}}}'), 200)
                self.assertEqual(ask("GET", "/things/device7/shadow"), 200)
                self.assertEqual(ask("GET", "/things/device8/shadow"), 403)
                nobody = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context())
                with self.assertRaises((ssl.SSLError, OSError, http.client.HTTPException)):
                    nobody.request("GET", "/things/device7/shadow")
                    nobody.getresponse()


if __name__ == "__main__":
    unittest.main()
