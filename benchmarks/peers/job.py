"""The job of a system: where to read, where to write, which model."""

import sys
from pathlib import Path
from typing import Literal, Self

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one system; passed to its process as JSON.

    Attributes:
        bootstrap_servers: the broker.
        source: topic of transactions and outcomes.
        sink: topic for what the system decides.
        group: consumer group, fresh for every run, so that it reads from the start.
        models_dir: model directory as the service reads it.
        scratch: a folder of the run's own.
        delivery: for systems that know both.
        produce: whether the pass-through sends every record on, as latency is measured, or only consumes.
        partitions: of the source.
        batch_records: most records handled together, for systems that batch.
    """

    bootstrap_servers: str
    source: str
    sink: str
    group: str
    models_dir: Path
    scratch: Path
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    produce: bool = False
    partitions: int = 1
    batch_records: int = 2000

    def to_argument(self) -> str:
        """As one command-line argument."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def from_argument(cls) -> Self:
        """The job of this process."""
        return msgspec.json.decode(sys.argv[1], type=cls, dec_hook=lambda kind, value: kind(value))
