#!/usr/bin/env python3
"""Kills a broker at random instants under load, again and again, and holds what it acknowledged against what it still
knows.

  tests/crash/crash_test.py --rounds 1000            twinmqd of build/release/bin, or of the folder TWINMQ_BIN
  tests/crash/crash_test.py --broker mosquitto       the same for mosquitto, with the safest settings it has

Exit code 0: every promise was kept; 1: the faults are listed.
"""

import argparse
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from actors import Client, Closed, Heir, Mourned, Publisher, Reader, Retainer, Subscriber, Visitors
from ledger import Ledger

PATIENCE = 30
DRAIN_PATIENCE = 10
RELEASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "release", "bin")


class TwinMQ:
    def __init__(self, folder, options):
        self.command = [os.path.join(os.environ.get("TWINMQ_BIN", RELEASE), "twinmqd"), "--listen", "mqtt://127.0.0.1:0",
                        "--data-dir", os.path.join(folder, "data"), "--log-level", "info"]
        # Small buffers: tables are written and merged while the broker dies.
        settings = [f"storage.durability={options.durability}", "storage.profile=gateway", "node.shards=2",
                    "storage.write_buffer_bytes=262144", "limits.queue_messages_max=10000000",
                    "limits.queue_bytes_max=10000000000", *options.set]
        for setting in settings:
            self.command += ["--set", setting]

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)

    def port(self):
        for line in self.process.stderr:
            if " ready " in line:
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return int(re.search(r"mqtt://127.0.0.1:(\d+)", line).group(1))
            if " error " in line:
                print(line, end="", file=sys.stderr)
        raise SystemExit("the broker did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Mosquitto:
    """Its database is written as often as it can be: after every change, and every second."""

    def __init__(self, folder, _):
        os.chmod(folder, 0o777)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.fixed_port = free.getsockname()[1]
        self.config = os.path.join(folder, "mosquitto.conf")
        with open(self.config, "w") as file:
            file.write(f"listener {self.fixed_port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
                       f"persistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
                       "max_queued_messages 0\nmax_inflight_messages 0\n")

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", self.config], stderr=subprocess.DEVNULL)

    def port(self):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.fixed_port)).close()
                return self.fixed_port
            except OSError:
                time.sleep(0.01)
        raise SystemExit("mosquitto did not start")

    kill = TwinMQ.kill


def play(actors, port, stop):
    threads = [threading.Thread(target=actor.run, args=(port, stop)) for actor in actors]
    for thread in threads:
        thread.start()
    return threads


def round_of(broker, chance, actors, absent, ledger):
    broker.start()
    if chance.random() < 0.1:  # dies while it recovers
        time.sleep(chance.uniform(0, 0.08))
        broker.kill()
        return
    port = broker.port()
    Retainer.check(port, ledger, PATIENCE if isinstance(broker, TwinMQ) else 1)
    stop = threading.Event()
    threads = play([actor for actor in actors if actor not in absent], port, stop)
    time.sleep(chance.uniform(0.02, 0.3))
    broker.kill()
    stop.set()
    for thread in threads:
        thread.join()


def settle(broker, publishers, readers, heir, ledger):
    """The broker lives; everything open is brought to an end, then everything is looked at."""
    broker.start()
    started = time.monotonic()
    port = broker.port()
    for publisher in publishers:
        publisher.finishing = True
    stop = threading.Event()
    threads = play([*publishers, *readers, heir], port, stop)
    least, until = None, time.monotonic() + DRAIN_PATIENCE
    while time.monotonic() < until:
        left = (sum(ledger.missing(reader.name) for reader in readers)
                + sum(len(publisher.open) for publisher in publishers) + sum(len(each.received) for each in readers)
                + len(ledger.wills_promised - ledger.wills_seen))
        if left == 0:
            break
        if least is None or left < least:
            least, until = left, time.monotonic() + DRAIN_PATIENCE
        time.sleep(0.02)
    time.sleep(0.3)  # for what should not come
    stop.set()
    for thread in threads:
        thread.join()
    Retainer.check(port, ledger, 2)
    Subscriber.check(port, ledger)
    time.sleep(max(0, started + 2.5 - time.monotonic()))
    Visitors.check(port, ledger)
    broker.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="of the instants; the load itself is never the same")
    parser.add_argument("--broker", choices=("twinmq", "mosquitto"), default="twinmq")
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync")
    parser.add_argument("--set", action="append", default=[], help="further settings of twinmqd")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    chance = random.Random(seed)
    ledger = Ledger()
    publishers = [Publisher("publisher-1", ledger, 1), Publisher("publisher-2", ledger, 2)]
    # Two of three share a shard.
    readers = [Reader(name, ledger) for name in ("reader", "sleeper", "dreamer")]
    heir = Heir("heir", ledger)
    actors = [*publishers, *readers, heir, Mourned("mourned", ledger), Retainer("retainer", ledger),
              Subscriber("subscriber", ledger), Visitors("visitors", ledger)]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="twinmq-crash-") as folder:
        broker = (TwinMQ if options.broker == "twinmq" else Mosquitto)(folder, options)
        try:
            broker.start()
            port = broker.port()
            for reader in (*readers, heir):  # they are owed every message from the first one on
                client = Client(port, reader.name)
                reader.resume(client)
                reader.welcomed = True
                client.cut()
            broker.kill()
            for number in range(options.rounds):
                round_of(broker, chance, actors, readers[1:] if number % 4 else [], ledger)
            settle(broker, publishers, readers, heir, ledger)
        except Closed:
            raise SystemExit("the broker closed a connection while everything was quiet") from None
        finally:
            if broker.process.poll() is None:
                broker.kill()
    faults = ledger.faults()
    print(f"{options.broker} rounds={options.rounds} seed={seed} durability={options.durability} "
          f"seconds={time.monotonic() - begin:.0f}")
    print(ledger.summary())
    for name, count in faults.items():
        print(f"  {name}: {count}")
    sys.exit(1 if any(faults.values()) else 0)


if __name__ == "__main__":
    main()
