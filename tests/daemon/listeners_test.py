"""Listeners that come, go and change while clients are connected, and sockets that outlive the daemon."""

import grp
import os
import pwd
import re
import socket
import stat
import tempfile
import unittest

from ports import free_port
from programs import PATIENCE, Daemon, connect, read_exactly


def ping(connection):
    connection.sendall(b"\xc0\0")
    return read_exactly(connection, 2) == b"\xd0\0"


def port_of(url):
    return int(url.rsplit(":", 1)[1].split("/")[0])


class Handed(Daemon):
    """A daemon that gets listening sockets as systemd hands them over."""

    def __init__(self, sockets, names, *arguments):
        fds = [each.fileno() for each in sockets]
        # First out of each other's way, then to where the daemon looks for them; only the shell knows its pid.
        moves = " ".join(f"{100 + i}<&{fd}" for i, fd in enumerate(fds))
        moves += " " + " ".join(f"{3 + i}<&{100 + i} {100 + i}<&-" for i in range(len(fds)))
        command = f'exec {moves}; LISTEN_PID=$$ exec "$@"'
        super().__init__(*arguments, through=["bash", "-c", command, "bash"], pass_fds=fds,
                         env={"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)})


class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "twinmq.toml")
        self.socket = os.path.join(self.folder.name, "s")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, *listeners, more=""):
        with open(self.file, "w") as file:
            file.write('data_dir = ""\n[storage]\ndurability = "none"\n')
            for listener in listeners:
                file.write("[[listener]]\n" + listener + "\n")
            file.write(more)

    def start(self):
        return Daemon("--config", self.file)

    def reload(self, daemon, expected=r"\breloaded\b"):
        daemon.signal("HUP")
        return daemon.wait_for_line(expected)

    def test_listeners_are_added_and_removed_without_disturbing_anybody(self):
        one, two, three = free_port(), free_port(), free_port()
        self.write(f'url = "mqtt://127.0.0.1:{one}"', f'url = "mqtt://127.0.0.1:{two}"')
        with self.start() as daemon:
            daemon.ports()
            stays, _ = connect(one, client_id=b"stays")
            outlives, _ = connect(two, client_id=b"outlives")
            self.write(f'url = "mqtt://127.0.0.1:{one}"', f'url = "unix://{self.socket}"',
                       f'url = "ws://127.0.0.1:{three}/mqtt"')
            changed = self.reload(daemon, "listeners changed")
            self.assertRegex(changed, f'added="unix://{self.socket} ws://127.0.0.1:{three}/mqtt"')
            self.assertRegex(changed, f'removed="mqtt://127.0.0.1:{two}"')
            daemon.wait_for_line("listeners closed")
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.socket)
            socket.create_connection(("127.0.0.1", three)).close()
            self.refused(two)
            fresh, code = connect(one, client_id=b"fresh")
            self.assertEqual(code, 0)
            for connection in (stays, outlives, fresh):
                self.assertTrue(ping(connection))
                connection.close()
            self.write(f'url = "mqtt://127.0.0.1:{one}"')
            self.reload(daemon, "listeners closed")
            self.assertFalse(os.path.exists(self.socket))
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)

    def test_a_changed_configuration_is_noticed_without_a_signal(self):
        one, two = free_port(), free_port()
        self.write(f'url = "mqtt://127.0.0.1:{one}"')
        with self.start() as daemon:
            daemon.ports()
            stays, _ = connect(one, client_id=b"stays")
            self.write(f'url = "mqtt://127.0.0.1:{one}"', f'url = "mqtt://127.0.0.1:{two}"')
            self.assertIn(f'added="mqtt://127.0.0.1:{two}"', daemon.wait_for_line("listeners changed"))
            daemon.wait_for_line(r"\breloaded\b")
            connect(two)[0].close()
            # Replaced as careful operators do; and what is wrong changes nothing.
            kept = self.file
            self.file = kept + ".new"
            self.write(f'url = "mqtt://127.0.0.1:{one}"', more="[mqtt]\nqos_max = 9\n")
            os.rename(self.file, kept)
            self.file = kept
            self.assertIn("mqtt.qos_max: found 9", daemon.wait_for_line("reload refused"))
            connect(two)[0].close()
            self.assertTrue(ping(stays))
            stays.close()
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)

    def test_a_configuration_that_shall_not_be_watched_waits_for_a_signal(self):
        one, two = free_port(), free_port()
        more = "[node]\nwatch_config = false\n"
        self.write(f'url = "mqtt://127.0.0.1:{one}"', more=more)
        with self.start() as daemon:
            daemon.ports()
            opened = f"/proc/{daemon.process.pid}/fd"
            self.assertFalse([each for each in os.listdir(opened) if "inotify" in os.readlink(f"{opened}/{each}")])
            self.write(f'url = "mqtt://127.0.0.1:{one}"', f'url = "mqtt://127.0.0.1:{two}"', more=more)
            self.reload(daemon)
            connect(two)[0].close()

    def test_clients_come_over_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("this machine has no IPv6")
        with Daemon("--listen", "mqtt://[::1]:0", "--data-dir", "", "--log-level", "debug") as daemon:
            port = int(re.search(r"mqtt://\[::1\]:(\d+)", daemon.wait_for_line(r"\bready\b"))[1])
            with socket.create_connection(("::1", port), timeout=PATIENCE) as connection:
                connection.sendall(b"\x10\x10\0\4MQTT\5\2\0\0\0\0\3abc")
                head = read_exactly(connection, 2)
                self.assertEqual(head[0], 0x20)
                self.assertEqual(read_exactly(connection, head[1])[1], 0)
                self.assertTrue(ping(connection))
                mine = connection.getsockname()[1]
                daemon.wait_for_line(rf"client connected.*\[::1\]:{mine}")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))

    @unittest.skipUnless(os.getuid() == 0, "only the superuser gives files away")
    def test_the_file_of_a_unix_socket_belongs_to_whom_it_is_given(self):
        self.write(f'url = "unix://{self.socket}"\nunix.owner = "nobody:daemon"\nunix.mode = "0640"')
        with self.start() as daemon:
            daemon.wait_for_line(r"\bready\b")
            found = os.stat(self.socket)
            self.assertEqual((pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name),
                             ("nobody", "daemon"))
            self.assertEqual(stat.S_IMODE(found.st_mode), 0o640)

    def refused(self, port):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def test_a_listener_changes_while_it_serves(self):
        one = free_port()
        self.write(f'url = "mqtt://127.0.0.1:{one}"\nanonymous = true', f'url = "unix://{self.socket}"')
        with self.start() as daemon:
            daemon.ports()
            before, _ = connect(one, client_id=b"before")
            self.write(f'url = "mqtt://127.0.0.1:{one}"\nname = "front"\nanonymous = false\nconnections_max = 5',
                       f'url = "unix://{self.socket}"\nunix.mode = "0600"')
            self.reload(daemon, "listeners closed")
            self.assertTrue(ping(before))
            connection, code = connect(one, client_id=b"after")
            connection.close()
            self.assertEqual(code, 0x87)
            self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.socket)
            before.close()
            daemon.signal("TERM")
            self.assertEqual(daemon.exit_code(), 0)
            self.assertFalse(os.path.exists(self.socket))

    def test_what_cannot_be_opened_refuses_the_whole_reload(self):
        one = free_port()
        self.write(f'url = "mqtt://127.0.0.1:{one}"')
        with self.start() as daemon, socket.create_server(("127.0.0.1", 0)) as taken:
            daemon.ports()
            client, _ = connect(one)
            another = free_port()
            self.write(f'url = "mqtt://127.0.0.1:{another}"', f'url = "mqtt://127.0.0.1:{taken.getsockname()[1]}"')
            refusal = self.reload(daemon, "reload refused")
            self.assertIn(str(taken.getsockname()[1]), refusal)
            self.refused(another)
            self.assertTrue(ping(client))
            fresh, code = connect(one, client_id=b"fresh")
            self.assertEqual(code, 0)
            fresh.close()
            client.close()


class SocketActivation(unittest.TestCase):
    def test_a_restart_refuses_no_connection(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            tcp = socket.create_server(("127.0.0.1", 0))
            web = socket.create_server(("127.0.0.1", 0))
            unix = socket.socket(socket.AF_UNIX)
            unix.bind(path)
            unix.listen()
            port = tcp.getsockname()[1]
            arguments = ("--listen", f"mqtt://127.0.0.1:{port}", "--listen", "ws://127.0.0.1:0/mqtt", "--listen",
                         f"unix://{path}", "--set", "listener[1].name=web", "--data-dir", "",
                         "--set", "storage.durability=none")
            handed = ([tcp, web, unix], ["unknown", "web", "unknown"])
            with Handed(*handed, *arguments) as daemon:
                ready = daemon.wait_for_line(r"\bready\b")
                self.assertIn(f"mqtt://127.0.0.1:{port}", ready)
                self.assertIn(f"ws://127.0.0.1:{web.getsockname()[1]}/mqtt", ready)
                client, code = connect(port)
                self.assertEqual(code, 0)
                client.close()
                daemon.signal("TERM")
                self.assertEqual(daemon.exit_code(), 0)
            # Nobody is there, and nobody is refused.
            waiting = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            waiting.sendall(b"\x10\x10\0\4MQTT\5\2\0\0\0\0\3abc")
            local = socket.socket(socket.AF_UNIX)
            local.connect(path)
            local.sendall(b"\x10\x10\0\4MQTT\5\2\0\0\0\0\3def")
            with Handed(*handed, *arguments) as daemon:
                for connection in (waiting, local):
                    self.assertEqual(read_exactly(connection, 4)[3], 0)
                    connection.close()
                daemon.signal("TERM")
                self.assertEqual(daemon.exit_code(), 0)
            self.assertTrue(os.path.exists(path))
            for each in (tcp, web, unix):
                each.close()


if __name__ == "__main__":
    unittest.main()
