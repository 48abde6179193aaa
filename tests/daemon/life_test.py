"""Start, reload and end of twinmqd."""

import json
import os
import socket
import subprocess
import tempfile
import unittest

from programs import BIN, PATIENCE, Daemon, connect, read_exactly, run

LOOPBACK = ("--listen", "mqtt://127.0.0.1:0", "--data-dir", "")


def text_of(path):
    with open(path) as file:
        return file.read()


class Life(unittest.TestCase):
    def test_ready_names_every_listener_and_clients_are_served(self):
        with Daemon(*LOOPBACK, "--listen", "mqtt://127.0.0.1:0") as daemon:
            self.assertIn("in memory", daemon.wait_for_line("starting.* durability=none"))
            ports = daemon.ports()
            self.assertEqual(len(ports), 2)
            for port in ports:
                connection, code = connect(port)
                self.assertEqual(code, 0)
                connection.close()

    def test_term_and_int_say_goodbye_and_exit_with_0(self):
        for name in ("TERM", "INT"):
            with Daemon(*LOOPBACK) as daemon:
                connection, _ = connect(daemon.ports()[0])
                daemon.signal(name)
                self.assertEqual(read_exactly(connection, 1), b"\xe0")
                self.assertEqual(read_exactly(connection, 2)[1], 0x8B)  # Server shutting down
                connection.close()
                self.assertEqual(daemon.exit_code(), 0)

    def test_a_taken_address_is_named_and_exits_with_1(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"mqtt://127.0.0.1:{taken.getsockname()[1]}"
            code, _, err = run("twinmqd", "--listen", url, "--data-dir", "")
            self.assertEqual(code, 1)
            self.assertIn(url[len("mqtt://"):], err)

    def test_the_service_manager_is_told_when_the_broker_is_ready(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(path)
                manager.settimeout(PATIENCE)
                with Daemon(*LOOPBACK, env={"NOTIFY_SOCKET": path}) as daemon:
                    self.assertEqual(manager.recv(100), b"READY=1")
                    daemon.signal("TERM")
                    self.assertEqual(manager.recv(100), b"STOPPING=1")

    def test_the_log_can_be_json_lines(self):
        with Daemon(*LOOPBACK, "--set", "log.json=true", "--log-level", "debug") as daemon:
            port = daemon.ports()[0]
            connection, _ = connect(port, client_id=b'a"\n{')
            daemon.signal("TERM")
            daemon.exit_code()
            connection.close()
            while (line := daemon.lines.get(timeout=PATIENCE)) is not None:
                daemon.seen.append(line)
            for line in daemon.seen:
                self.assertIn("event", json.loads(line))

    def test_what_clients_send_cannot_forge_a_line_of_the_log(self):
        with Daemon(*LOOPBACK, "--log-level", "debug") as daemon:
            connection, _ = connect(daemon.ports()[0], client_id=b"x\nforged line")
            connection.close()
            daemon.signal("TERM")
            daemon.exit_code()
            while (line := daemon.lines.get(timeout=PATIENCE)) is not None:
                self.assertFalse(line.startswith("forged"), line)


class NoMoreThreads(unittest.TestCase):
    """A thread's stack takes so much of the process's allowance that no more than a known number begin."""

    STACK_KILOBYTES = 1 << 20
    OTHERS_KILOBYTES = 700 << 10  # for everything but threads

    def test_whichever_thread_cannot_be_started_the_end_is_an_error_and_exit_code_1(self):
        limited = ("sh", "-c", 'ulimit -s "$1" && ulimit -v "$2" && shift 2 && exec "$@"', "sh", str(self.STACK_KILOBYTES))
        probe = subprocess.run([*limited, str(self.OTHERS_KILOBYTES), os.path.join(BIN, "twinmqd"), "--version"],
                               capture_output=True)
        if probe.returncode != 0:
            self.skipTest("the programs of this build do not run in so little address space")
        refused = 0
        for threads in range(40):
            allowed = str(self.OTHERS_KILOBYTES + threads * self.STACK_KILOBYTES)
            with self.subTest(threads=threads), tempfile.TemporaryDirectory() as folder:
                with Daemon("--listen", "mqtt://127.0.0.1:0", "--data-dir", folder, "--set", "node.shards=3",
                            through=(*limited, allowed)) as daemon:
                    while (line := daemon.lines.get(timeout=PATIENCE)) is not None and " ready" not in line:
                        daemon.seen.append(line)
                    if line is not None:
                        daemon.signal("TERM")
                        self.assertEqual(daemon.exit_code(), 0)
                        break
                    self.assertEqual(daemon.exit_code(), 1, daemon.seen)
                    self.assertTrue(daemon.seen[-1].startswith("twinmqd: "), daemon.seen)
                    refused += 1
        self.assertGreaterEqual(refused, 3 + 3)  # log, watchdog, storage and the shards
        self.assertIsNotNone(line, "never enough")


class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.users = os.path.join(self.folder.name, "users")
        self.path = os.path.join(self.folder.name, "t.toml")
        self.assertEqual(run("twinmq", "passwd", "-b", self.users, "alice", "first")[0], 0)
        self.write("")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, more):
        with open(self.path, "w") as file:
            file.write(f'data_dir = ""\n[[listener]]\nurl = "mqtt://127.0.0.1:0"\n'
                       f'[access]\npassword_file = "{self.users}"\n{more}')

    def connect(self, port, password):
        connection, code = connect(port, user=b"alice", password=password)
        connection.close()
        return code

    def test_a_changed_password_file_counts_after_hup(self):
        with Daemon("--config", self.path) as daemon:
            port = daemon.ports()[0]
            self.assertEqual(self.connect(port, b"first"), 0)
            self.assertEqual(run("twinmq", "passwd", "-b", self.users, "alice", "second")[0], 0)
            daemon.signal("HUP")
            daemon.wait_for_line(r"\breloaded\b")
            self.assertNotEqual(self.connect(port, b"first"), 0)
            self.assertEqual(self.connect(port, b"second"), 0)

    def test_a_wrong_file_keeps_the_old_state_and_says_why(self):
        with Daemon("--config", self.path) as daemon:
            port = daemon.ports()[0]
            self.write("[mqtt]\nqos_max = 9\n[log]\nlevel = \"error\"\n")
            daemon.signal("HUP")
            self.assertIn("mqtt.qos_max: found 9", daemon.wait_for_line("reload refused"))
            self.write("acl_file = \"/does/not/exist\"\n")
            daemon.signal("HUP")
            daemon.wait_for_line("reload refused.*/does/not/exist")
            self.assertEqual(self.connect(port, b"first"), 0)

    def test_a_file_that_was_emptied_changes_nothing(self):
        with Daemon("--config", self.path) as daemon:
            port = daemon.ports()[0]
            with open(self.path, "w"):
                daemon.signal("HUP")
                self.assertIn("is empty", daemon.wait_for_line("reload refused"))
                self.assertEqual(self.connect(port, b"first"), 0)
            self.write("")
            daemon.signal("HUP")
            daemon.wait_for_line(r"\breloaded\b")
            self.assertNotEqual(self.connect(port, b"wrong"), 0)

    def test_a_reload_names_the_keys_that_wait_for_a_restart(self):
        with Daemon("--config", self.path) as daemon:
            daemon.ports()
            self.write("[sys]\ninterval_seconds = 3\n[admin]\nenabled = false\n[modules]\nretained = false\n"
                       "[mqtt]\nreceive_maximum = 7\n")
            daemon.signal("HUP")
            self.assertIn('restart_needed="modules sys admin"', daemon.wait_for_line("reload keeps keys"))

    def test_a_rotated_log_is_opened_again(self):
        log = os.path.join(self.folder.name, "log")
        with Daemon("--config", self.path, "--set", f"log.file={log}") as daemon:
            # The log is no longer on standard error: a connection shows that the broker is up.
            while not (os.path.exists(log) and "ready" in text_of(log)):
                self.assertIsNone(daemon.process.poll())
            os.rename(log, log + ".1")
            daemon.signal("HUP")
            while not os.path.exists(log):
                self.assertIsNone(daemon.process.poll())
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)
            self.assertIn("stop", text_of(log))


if __name__ == "__main__":
    unittest.main()
