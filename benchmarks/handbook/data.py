"""The handbook's payments twice: as its own rows, and imported and replayed as events by the service's code."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from training.data.dataset import Dataset
from training.data.importing.importer import import_file
from training.data.importing.mapping import load_mapping
from training.data.replayed_stream import build

FILE: Final = Path(os.getenv("FRAUD_DATA_DIR", "../shared/data")) / "fdh_simulated.parquet"
FOLDER: Final = Path("build/handbook")
SINCE: Final = "2018-05-15"
"""50 days before the earliest training: every look-back is full but the longest window of risk. Saves a gigabyte."""

UNTIL: Final = "2018-08-15"
"""The last test day is over; later payments cannot matter."""


class NoData(Exception):  # noqa: N818 - named for what is missing
    """The handbook's file is not on this machine; one line."""


@dataclass(frozen=True, slots=True)
class Handbook:
    """The same n payments, row by row.

    Attributes:
        rows: as the book has them.
        ours: as this project sees them, terminals' dated risk included. Every label is known: a fold's training
            ends a week, the book's delay, before its test.
    """

    rows: pd.DataFrame
    ours: Dataset


def open_handbook() -> Handbook:
    """Reads, imports and replays the file; what was made is kept under `build/handbook`.

    Raises:
        NoData: the file is not here.
    """
    if not FILE.is_file():
        raise NoData(f"{FILE} is not here: set FRAUD_DATA_DIR to the folder that holds it")
    rows = pd.read_parquet(FILE)
    rows = rows[(rows["TX_DATETIME"] >= SINCE) & (rows["TX_DATETIME"] < UNTIL)].reset_index(drop=True)
    events = FOLDER / "events.parquet"
    if not events.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(FOLDER / "raw.parquet")
        imported = import_file(FOLDER / "raw.parquet", load_mapping("fdh"), events)
        assert imported.rejects == 0
    ours = build(events, FOLDER / "labels.parquet", progress=True, cache=FOLDER / "cache")
    assert np.array_equal(ours.time, rows["TX_DATETIME"].to_numpy("datetime64[us]").astype(np.int64))
    return Handbook(rows, ours)
