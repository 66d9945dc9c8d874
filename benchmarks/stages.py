"""What an event costs in each stage of the pipeline, in one process, without broker and TensorFlow.

`python -m benchmarks.stages`. The model is a formula, so scoring costs next to nothing here. The same stream is
processed twice, in turns: as it is, and with an escape in every message, which sends them all down the slow road of
decoding. CPU time of this process; medians and quartiles over batches.
"""

import gc
import random
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.decode import NOW, transaction
from benchmarks.report import Figure, report
from fraud.history.history import History, HistoryConfig
from local.testbed.bundles import FixedModels
from service.bootstrap import build_pipeline, domain
from service.pipeline import Pipeline
from service.ports import Records
from service.settings import Settings

BATCHES: Final = 30
WARM: Final = 5
PAYMENTS: Final = 1_000
"""A batch; each has an outcome as well."""

MICRO: Final = 1e6


def stream(rng: random.Random) -> list[list[bytes]]:
    """Batches of messages; few amounts are large enough for an alert."""
    batches = []
    for batch in range(BATCHES):
        values = []
        for number in range(PAYMENTS):
            payment = transaction(rng) | {"amount": f"{rng.lognormvariate(3, 0.45):.2f}"}
            name = f"{batch}-{number}"
            outcome = payment | {"type": "outcome", "outcome_id": name, "kind": "authorised"}
            values += [msgspec.json.encode(payment), msgspec.json.encode(outcome)]
        batches.append(values)
    return batches


def escaped(values: Sequence[bytes]) -> list[bytes]:
    """The same messages, none of them plain."""
    return [value.replace(b'"type"', b'"\\u0074ype"') for value in values]


def pipeline() -> Pipeline:
    """With an empty history."""
    settings = Settings()
    made = build_pipeline(settings, domain(settings), time.process_time)
    made.adopt(0, History(HistoryConfig()), None)
    return made


def records(values: Sequence[bytes], batch: int) -> Records:
    """A batch as the log hands it out."""
    count = len(values)
    offsets = range(batch * count, (batch + 1) * count)
    return Records(0, offsets, [NOW] * count, [b"key"] * count, values, [()] * count)


def main() -> None:
    """Measures and reports."""
    models = FixedModels().current()
    batches = stream(random.Random(7))  # noqa: S311 - a seeded sample
    roads = {"plain": pipeline(), "careful": pipeline()}
    gc.freeze()  # as the service does
    gc.set_threshold(100_000)
    taken: dict[str, list[float]] = {}
    for number, values in enumerate(batches):
        for road, made in roads.items():
            polled = [records(values if road == "plain" else escaped(values), number)]
            start = time.process_time()
            laps = made.process(polled, models, NOW).laps
            whole = time.process_time() - start
            if number >= WARM:
                for stage, seconds in {**laps, "all": whole}.items():
                    taken.setdefault(f"stage_{road}_{stage}_us", []).append(seconds * MICRO / len(values))
    figures = [Figure.of(name, costs, "us/event") for name, costs in taken.items()]
    report("bench-stages", figures, title="Stages of the pipeline")


if __name__ == "__main__":
    main()
