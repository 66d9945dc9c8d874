"""Broker, scorer and gateway on 127.0.0.1, and a load on them."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from local.broker.local_broker import LocalBroker
from local.http_load import HttpLoad, Sent
from local.service_process import ServiceProcess
from local.testbed.bundles import serve, write_bundle
from local.testbed.gateway_run import GatewayRun
from local.testbed.scorer_run import ScorerRun


@dataclass
class Stack:
    """The three programs.

    Attributes:
        broker: of it.
        scorer: its topics.
        service: the scorer's process.
        run: the gateway's files.
        gateway: the gateway's process.
    """

    broker: LocalBroker
    scorer: ScorerRun
    service: ServiceProcess
    run: GatewayRun
    gateway: ServiceProcess

    def pay(
        self, bodies: Sequence[bytes], *, rate: float, deadline_ms: int, key: str | None = None, port: int | None = None
    ) -> list[Sent]:
        """Sends payments by a timetable; what was answered."""
        return asyncio_run(self.paying(bodies, rate=rate, deadline_ms=deadline_ms, key=key, port=port))

    async def paying(
        self, bodies: Sequence[bytes], *, rate: float, deadline_ms: int, key: str | None = None, port: int | None = None
    ) -> list[Sent]:
        """The same, in a loop that does other things too."""
        headers = {"Authorization": f"Bearer {key or self.run.key}", "X-Deadline-Ms": str(deadline_ms)}
        load = HttpLoad("127.0.0.1", port or self.run.port, "/v1/payments", headers)
        return await load.run(bodies, rate=rate)


def asyncio_run(main: "asyncio.Future[list[Sent]] | object") -> list[Sent]:
    """Runs a coroutine in uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)  # type: ignore[arg-type] # a coroutine


@contextmanager
def stack(**settings: str) -> Iterator[Stack]:
    """All of it, warmed up; ended with the block."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as name, LocalBroker() as broker:
        folder = Path(name)
        models = folder / "models"
        write_bundle(models, 1)
        serve(models, 1)
        scorer = ScorerRun(broker.bootstrap_servers, "gateway", folder, models)
        run = GatewayRun(scorer, folder / "gateway", settings)
        service, gateway = scorer.service(), run.process()
        try:
            service.start()
            service.ready()
            gateway.start()
            gateway.ready()
            yield Stack(broker, scorer, service, run, gateway)
        finally:
            run.close()
            scorer.close()


def answer_of(sent: Sent) -> dict[str, object]:
    """The JSON of an answer; empty where there was none."""
    try:
        return msgspec.json.decode(sent.body, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
