"""Rights that change while clients are connected, or away."""

import unittest

import mqtt
from configured import Configured

BEFORE = "topic readwrite open/#\ntopic readwrite closed/#\n"
AFTER = "topic readwrite open/#\n"


class Rights(Configured):
    def setUp(self):
        super().setUp()
        self.file("acl", BEFORE)
        self.configure(f'[access]\nanonymous = true\nacl_file = "{self.path("acl")}"\n'
                       "[mqtt]\ninflight_max = 1\n[node]\nshards = 2\n")

    def take_away(self, daemon):
        self.file("acl", AFTER)
        daemon.signal("HUP")
        daemon.wait_for_line(r"\breloaded\b")

    def test_a_changed_acl_counts_for_live_clients_and_for_what_waits(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            away = mqtt.Client(port, "away")
            live = mqtt.Client(port, "live", clean=True, expiry=0)
            for client in (away, live):
                for topic in ("open/#", "closed/#"):
                    self.assertEqual(client.subscribe(topic, 1), 1)
            away.disconnect()
            writer = mqtt.Client(port, "writer", clean=True, expiry=0)
            for topic in ("open/1", "closed/1", "open/2"):
                self.assertEqual(writer.publish_acknowledged(topic, "before"), 0)
            # One is under way to the live client; the others wait behind it.
            under_way = live.parse(live.next())
            self.assertEqual(under_way[0], "open/1")

            self.take_away(daemon)
            self.assertEqual(live.publish_acknowledged("closed/1", "x"), 0x87)
            self.assertEqual(live.publish_acknowledged("closed/1", "x", qos=2), 0x87)
            self.assertEqual(live.subscribe("closed/2", 0), 0x87)
            self.assertEqual(writer.publish_acknowledged("closed/1", "after"), 0x87)
            self.assertEqual(writer.publish_acknowledged("open/3", "after"), 0)
            live.send(4, 0, under_way[3].to_bytes(2, "big"))
            self.assertEqual([live.receive()[0] for _ in range(2)], ["open/2", "open/3"])
            back = mqtt.Client(port, "away")
            self.assertTrue(back.session_present)
            self.assertEqual([back.receive()[0] for _ in range(3)], ["open/1", "open/2", "open/3"])
            old = mqtt.Client(port, "old", clean=True, level=4)
            self.assertEqual(old.subscribe("closed/1", 0), 0x80)

    def test_a_will_that_may_not_be_published_keeps_its_client_out(self):
        with self.daemon() as daemon:
            port = daemon.ports()[0]
            will = ("closed/will", "gone", 1, 0)
            self.assertEqual(mqtt.Client(port, "before", clean=True, will=will).code, 0)
            self.take_away(daemon)
            self.assertEqual(mqtt.Client(port, "five", clean=True, will=will).code, 0x87)
            self.assertEqual(mqtt.Client(port, "four", clean=True, will=will, level=4).code, 5)
            self.assertEqual(mqtt.Client(port, "good", clean=True, will=("open/will", "gone", 1, 0)).code, 0)


if __name__ == "__main__":
    unittest.main()
