"""Writes a simulation to a folder: events, labels, truth, the platform's declaration, and what they were made from."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from runtime.event_tables import to_json
from simulator.config import VERSION, SimulationConfig
from simulator.event_table import EVENT_SCHEMA
from simulator.own_fields.draw import declaration
from simulator.simulation import Simulation

Format = Literal["parquet", "jsonl"]
Progress = Callable[[int], None]
"""Called with the number of events just written."""

_COMPRESSION: Final = "zstd"


def stamp(config: SimulationConfig) -> dict[str, str]:
    """What identifies the bytes: version of the simulator and every dial."""
    dials = msgspec.json.encode(asdict(config)).decode()
    return {"simulator-version": VERSION, "simulator-config": dials}


def write_simulation(
    simulation: Simulation, folder: Path, *, file_format: Format = "parquet", progress: Progress = lambda _: None
) -> list[Path]:
    """Writes `events`, `labels`, `truth`, `meta.json` and `platform.toml`; returns the paths.

    Args:
        simulation: what to write.
        folder: made if it does not exist; files in it are replaced.
        file_format: `jsonl` writes events and labels as wire JSON, one a line; the truth is Parquet always.
        progress: told how many events were written.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marks = stamp(simulation.config)
    events, labels = folder / f"events.{file_format}", folder / f"labels.{file_format}"
    if file_format == "parquet":
        _write_events_parquet(simulation, events, marks, progress)
        pq.write_table(_stamped(simulation.labels, marks), labels, compression=_COMPRESSION)
    else:
        _write_events_jsonl(simulation, events, progress)
        with labels.open("wb") as file:
            file.writelines(line + b"\n" for line in to_json(simulation.labels))
    truth, meta, platform = folder / "truth.parquet", folder / "meta.json", folder / "platform.toml"
    pq.write_table(_stamped(simulation.truth, marks), truth, compression=_COMPRESSION)
    about = {**simulation.summary().as_dict(), "config": asdict(simulation.config)}
    meta.write_bytes(msgspec.json.format(msgspec.json.encode(about)) + b"\n")
    platform.write_text(platform_toml(simulation.config))
    return [events, labels, truth, meta, platform]


def platform_toml(config: SimulationConfig) -> str:
    """The declaration of the platform and its own fields, as every command reads it."""
    platform = declaration(config)
    lines = [f"# Made by the simulator, version {VERSION}; docs/explanation/simulator.md says what each field tells."]
    lines += [f"{name} = {_toml(getattr(platform, name))}" for name in ("name", "base_currency", "stage", "partitions")]
    for name, field in platform.fields.items():
        facts = {"kind": field.kind.value, "meaning": field.meaning, "said": field.said}
        lines += ["", f"[fields.{name}]", *(f"{key} = {_toml(value)}" for key, value in facts.items() if value)]
    return "\n".join(lines) + "\n"


def _toml(value: str | int) -> str:
    """A text or an integer as TOML, whose basic strings are written like JSON's."""
    return msgspec.json.encode(value).decode()


def _stamped(table: pa.Table, marks: dict[str, str]) -> pa.Table:
    return table.replace_schema_metadata(marks)


def _write_events_parquet(simulation: Simulation, path: Path, marks: dict[str, str], progress: Progress) -> None:
    schema = EVENT_SCHEMA.with_metadata(marks)
    with pq.ParquetWriter(path, schema, compression=_COMPRESSION, use_dictionary=_REPEATING) as writer:
        for batch in simulation.event_batches():
            writer.write_batch(batch.replace_schema_metadata(marks))
            progress(batch.num_rows)


def _write_events_jsonl(simulation: Simulation, path: Path, progress: Progress) -> None:
    with path.open("wb") as file:
        for batch in simulation.event_batches():
            file.writelines(line + b"\n" for line in to_json(pa.Table.from_batches([batch])))
            progress(batch.num_rows)


_UNIQUE: Final = {"transaction_id", "outcome_id", "order_id", "session_id", "event_time"}
_REPEATING: Final = [name for name in EVENT_SCHEMA.names if name not in _UNIQUE]
