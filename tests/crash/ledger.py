"""What was acknowledged, what arrived, and what is missing or too much."""

import collections
import threading


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {1: set(), 2: set()}  # QoS: numbers whose PUBACK or PUBREC came
        self.readers = {}                         # name: QoS: number: how often
        self.retained_sent = collections.Counter()
        self.retained_acknowledged = collections.Counter()
        self.subscribed = set()                   # filters whose SUBACK came
        self.unsubscribed = set()                 # filters whose UNSUBACK came
        self.lasting = set()                      # sessions that must be there
        self.passing = set()                      # sessions that must be gone in the end
        self.wills_promised = set()               # wills of clients whose CONNACK came and that the broker took along
        self.wills_seen = set()
        self.sessions_lost = 0
        self.retained_stale = 0
        self.retained_missing = 0
        self.subscriptions_lost = 0
        self.subscriptions_back = 0
        self.sessions_overdue = 0

    def reader(self, name):
        return self.readers.setdefault(name, {1: collections.Counter(), 2: collections.Counter()})

    def missing(self, name):
        """How many acknowledged messages the reader has not seen."""
        seen = self.readers[name]
        return sum(len(self.acknowledged[qos] - seen[qos].keys()) for qos in (1, 2))

    def faults(self):
        """Every broken promise by name, with its count."""
        found = {}
        for qos in (1, 2):
            found[f"acknowledged QoS {qos} messages lost"] = sum(
                len(self.acknowledged[qos] - seen[qos].keys()) for seen in self.readers.values())
        found["QoS 2 duplicates"] = sum(
            count - 1 for seen in self.readers.values() for count in seen[2].values() if count > 1)
        found["wills that were never published"] = len(self.wills_promised - self.wills_seen)
        found["stale retained messages"] = self.retained_stale
        found["missing retained messages"] = self.retained_missing
        found["lost sessions"] = self.sessions_lost
        found["lost subscriptions"] = self.subscriptions_lost
        found["subscriptions that came back"] = self.subscriptions_back
        found["sessions that outlived their expiry"] = self.sessions_overdue
        return found

    def summary(self):
        deliveries = sum(sum(counts.values()) for seen in self.readers.values() for counts in seen.values())
        return (f"acknowledged: {len(self.acknowledged[1])} QoS 1, {len(self.acknowledged[2])} QoS 2, "
                f"{sum(self.retained_acknowledged.values())} retained, {len(self.subscribed)} subscriptions, "
                f"{len(self.lasting)} sessions, {len(self.wills_promised)} wills; delivered: {deliveries}")
