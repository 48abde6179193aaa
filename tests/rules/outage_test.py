"""The server behind a rule is down under load, and the broker is killed three times meanwhile: what was acknowledged
comes, each device's in order, and the memory of the broker does not grow with what waits."""

import argparse
import json
import os
import sys
import tempfile
import threading
import time

from mqtt import Client, Closed
from programs import Daemon
from receiver import Receiver

DEVICES = 4
BURST = 20  # messages on the way, of one device
KILLS = 3
CONFIG = """
[rules]
http_targets = ["http://127.0.0.1:{port}/"]

[[rule]]
name = "kept"
sql = "SELECT n, topic(2) AS device, fill FROM 'data/+'"
[[rule.action]]
type = "http"
url = "http://127.0.0.1:{port}/in"
body = "lines"
queue_max = 10000000
queue_bytes_max = 10000000000
"""


class Load:
    """Devices that send numbers in order, and send again what was not acknowledged before the broker died."""

    def __init__(self, payload, pause):
        self.fill = "." * payload
        self.pause = pause
        self.port = None
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self.acknowledged = [0] * DEVICES
        self.failures = []
        self.threads = [threading.Thread(target=self.device, args=(which,)) for which in range(DEVICES)]

    def begin(self, port):
        self.broker_at(port)
        for thread in self.threads:
            thread.start()

    def broker_at(self, port):
        with self.changed:
            self.port = port
            self.changed.notify_all()

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def device(self, which):
        known = None
        while not self.ended.is_set():
            with self.changed:
                self.changed.wait_for(lambda: self.port not in (None, known) or self.ended.is_set(), timeout=60)
                known = self.port
            try:
                self.send(which, Client(known, f"device{which}", clean=True, expiry=0))
            except (Closed, OSError):
                continue  # the broker is dead; another will be there
            except Exception as failure:  # what else goes wrong must not look like an outage
                self.failures.append(repr(failure))
                return

    def send(self, which, client):
        while not self.ended.is_set():
            awaited = {}
            for n in range(self.acknowledged[which], self.acknowledged[which] + BURST):
                payload = json.dumps({"n": n, "fill": self.fill})
                awaited[client.publish(f"data/d{which}", payload)] = n
            for _ in range(BURST):
                packet = client.next()
                code = packet.body[2] if len(packet.body) > 2 else 0
                assert packet.kind == 4 and code in (0, 16), (packet.kind, code)
                n = awaited.pop(int.from_bytes(packet.body[:2], "big"))
                assert n == self.acknowledged[which], "acknowledgements in another order"
                self.acknowledged[which] = n + 1
            self.ended.wait(self.pause)


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def growth(pid, seconds):
    """By how much the resident set exceeds, in this time, what it was when the broker was up and under load."""
    until = time.monotonic() + seconds
    time.sleep(min(1.0, seconds / 4))
    began = most = resident(pid)
    while time.monotonic() < until:
        time.sleep(0.05)
        most = max(most, resident(pid))
    return most - began


class Arrivals:
    """What came first of each device's; a number that comes before the one in front of it breaks the order."""

    def __init__(self, lines):
        self.lines = lines
        self.read = 0
        self.nexts = [0] * DEVICES
        self.in_order = True

    def of(self, acknowledged):
        """How many of these came."""
        while self.read < len(self.lines):
            entry = self.lines[self.read]
            self.read += 1
            which = int(entry["device"][1:])
            self.in_order = self.in_order and entry["n"] <= self.nexts[which]
            self.nexts[which] = max(self.nexts[which], entry["n"] + 1)
        return sum(min(came, wanted) for came, wanted in zip(self.nexts, acknowledged))


def outage(seconds, payload, pause, growth_max):
    with tempfile.TemporaryDirectory() as folder:
        receiver = Receiver()
        config = os.path.join(folder, "rules.toml")
        with open(config, "w") as file:
            file.write(CONFIG.format(port=receiver.port))

        def daemon():
            return Daemon("--config", config, "--listen", "mqtt://127.0.0.1:0", "--data-dir", os.path.join(folder, "data"),
                          "--set", "storage.profile=gateway")

        load = Load(payload, pause)
        receiver.begin()
        grown = []
        for life in range(KILLS + 1):
            with daemon() as broker:
                port = broker.ports()[0]
                if life == 0:
                    load.begin(port)
                    receiver.wait_until(lambda: len(receiver.lines) >= DEVICES * BURST)
                    receiver.away()
                else:
                    load.broker_at(port)
                grown.append(growth(broker.process.pid, seconds / (KILLS + 1)))
                if life < KILLS:
                    broker.process.kill()
                    broker.process.wait()
                    continue
                receiver.begin()
                before = len(receiver.lines)
                receiver.wait_until(lambda: len(receiver.lines) > before)  # under load, too
                load.end()
                waiting = sum(load.acknowledged)
                arrivals = Arrivals(receiver.lines)
                complete = receiver.wait_until(lambda: arrivals.of(load.acknowledged) == waiting, patience=60 + seconds)
        receiver.end()
        came = arrivals.of(load.acknowledged)
        print(f"{waiting} acknowledged ({waiting * payload >> 20} MiB), {waiting - came} lost, "
              f"{len(receiver.lines) - came} again or never acknowledged, order {'kept' if arrivals.in_order else 'BROKEN'}, "
              f"resident set grew by {max(grown) >> 10} KiB at most")
        for failure in load.failures:
            print(failure)
        return complete and arrivals.in_order and not load.failures and not receiver.mistaken and max(grown) <= growth_max << 20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="how long the server is down")
    parser.add_argument("--payload", type=int, default=8000, help="bytes of a message")
    parser.add_argument("--pause", type=float, default=0.04, help="of a device, between its bursts of messages")
    parser.add_argument("--growth-max", type=int, default=24, help="MiB that the resident set may grow by, of a life")
    options = parser.parse_args()
    sys.exit(0 if outage(options.seconds, options.payload, options.pause, options.growth_max) else 1)
