"""The limit: the same server, checks and journal, answering at once without broker or scorer.

`python -m benchmarks.gateway.bare`, with the gateway's settings.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import uvloop

from gateway.bootstrap import Running, serve
from gateway.messages import DecisionIn, Source
from gateway.settings import Settings
from runtime.kafka.delivery import Outgoing, Placed
from runtime.logging import configure_logs

_AT: Final = datetime.now(UTC).isoformat()


class Bare(Running):
    """A gateway whose every payment is allowed at once."""

    def send(self, generation: int, messages: Sequence[Outgoing]) -> None:  # noqa: ARG002 - the gateway's signature
        """Places and decides what it is given, in the loop's next turn."""
        asyncio.get_running_loop().call_soon(self._decide, messages)

    def _decide(self, messages: Sequence[Outgoing]) -> None:
        self.checkout.placed([Placed(message.number, 0, message.number) for message in messages])
        ids = [msgspec.json.decode(message.value)["transaction_id"] for message in messages]
        decisions = [DecisionIn(of, "allow", "allow", 0.0, 0.5, 0, "none", _AT, Source(0, 0)) for of in ids]
        self.checkout.seen(decisions, {})

    def start(self) -> None:
        """Opens without a broker."""
        self.checkout.opened(1, ())

    def close(self) -> None:
        """Closes the journal: nothing else was started."""
        self.journal.close()


if __name__ == "__main__":
    _settings = Settings.load()
    configure_logs(_settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(_settings, Bare))
