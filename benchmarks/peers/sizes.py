"""Throughput by batch size (which is the transaction's size) and by the number of processes."""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.harness import Harness
from benchmarks.peers.payments import Message
from benchmarks.peers.registry import PASS_THROUGH, SERVICE, SERVICE_EXACTLY_ONCE
from benchmarks.peers.throughput import ratio
from benchmarks.report import Figure
from fraud.models.bundle import MANIFEST

BATCHES = (100, 500, 2_000, 5_000)


def batches(
    harness: Harness,
    topic: str,
    *,
    repeats: int,
    seconds: float,
    say: Callable[[str], None],
    sizes: Sequence[int] = BATCHES,
) -> list[Figure]:
    """Events/s by batch size in both delivery modes."""
    figures = []
    for service in (SERVICE, SERVICE_EXACTLY_ONCE):
        for size in sizes:
            rates = []
            for _ in range(repeats):
                result = harness.run_once(service, topic, seconds=seconds, settings={"batch_records": size})
                rates.append(result.run.events_per_second)
            say(f"{service.title}, batches of {size:,}: {max(rates):,.0f} events/s")
            figures.append(Figure.of(f"{service.name}.batch_{size}.rate", rates, "events/s"))
    return figures


def processes(
    harness: Harness, messages: Iterable[Message], *, repeats: int, seconds: float, say: Callable[[str], None]
) -> list[Figure]:
    """Two processes on two partitions against one on one; the pass-through shows what the machine has to give.

    The topic is loaded when every process has its partition, so that no start and no handing over is measured.
    """
    kept = list(messages)
    pair = replace(harness, models_dir=for_partitions(harness.models_dir, harness.scratch / "models-2", 2))
    figures = []
    for system in (PASS_THROUGH, SERVICE):
        rates: dict[int, list[float]] = {1: [], 2: []}
        for repeat in range(repeats):
            for count, place in ((1, harness), (2, pair)):
                topic = f"{system.name}-{count}-{repeat}"
                rates[count].append(place.run_when_ready(system, topic, kept, processes=count, seconds=seconds))
        say(f"{system.title}: {max(rates[1]):,.0f} events/s with one process, {max(rates[2]):,.0f} with two")
        figures += ratio(f"{system.name}.two_processes_ratio", rates[2], rates[1])
    return figures


def for_partitions(models_dir: Path, copy: Path, partitions: int) -> Path:
    """A copy of a model directory whose manifests say another number of partitions; only good for measuring speed."""
    shutil.copytree(models_dir, copy, dirs_exist_ok=True)
    for manifest in copy.glob(f"*/{MANIFEST}"):
        content = json.loads(manifest.read_text(encoding="utf-8"))
        changed = {"partitions": partitions, "platform": {**content["platform"], "partitions": partitions}}
        manifest.write_text(json.dumps({**content, **changed}), encoding="utf-8")
    return copy
