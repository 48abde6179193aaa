"""Ports for tests that must know one before anybody listens there."""

import random
import socket


def free_port():
    """Of those that the system hands to nobody by itself, so that it stays free."""
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass
