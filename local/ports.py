"""Free TCP ports of this machine."""

import random
import socket
from typing import Final

LOWEST: Final = 20_000
HIGHEST: Final = 32_000
"""Below the ephemeral range: while a program is down, a client that keeps connecting to an ephemeral port of 127.0.0.1
can be given that very port as its own, connect to itself, and keep the program from coming back."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on.

    Raises:
        OSError: there is none.
    """
    for port in random.sample(range(LOWEST, HIGHEST), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on 127.0.0.1 between {LOWEST} and {HIGHEST}: stop what holds them")
