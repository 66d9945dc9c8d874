"""How fraud is marked in a foreign table, as labels of events."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from training.data.files.schema import LABELS, conform
from training.data.importing import columns
from training.data.importing.mapping import LabelSourceColumn, Mapping


@dataclass(slots=True)
class LabelValues:
    """How often each text of the label column stood for what, over the rows that became events."""

    fraud: Counter[str] = field(default_factory=Counter)
    genuine: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    def add(self, other: "LabelValues") -> None:
        """Takes in another part's."""
        self.fraud += other.fraud
        self.genuine += other.genuine
        self.other += other.other


def plain(value: str) -> str:
    """The text by which label values are compared: case and spaces do not count, nor does how a number is written."""
    text = value.strip().casefold()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def labels_of(
    chunk: pa.Table, ids: pa.ChunkedArray, times: "pd.Series[pd.Timestamp]", mapping: Mapping
) -> tuple[pa.Table, LabelValues]:
    """Labels of the rows of a chunk that are marked, and what the values of the column were.

    Args:
        chunk: the source columns.
        ids: of the transactions, null where a row became no event.
        times: of the transactions.
        mapping: how fraud is marked, and when it became known.
    """
    label = mapping.label
    if label is None:
        return LABELS.empty_table(), LabelValues()
    marks = columns.as_text(chunk[label.column], mapping.missing).combine_chunks().dictionary_encode()
    if isinstance(marks, pa.ChunkedArray):
        marks = marks.unify_dictionaries().combine_chunks()
    texts = marks.dictionary.to_pylist()
    fraud, genuine = ({plain(value) for value in values} for values in (label.fraud, label.genuine))
    verdicts = ["unauthorised" if plain(t) in fraud else "genuine" if plain(t) in genuine else None for t in texts]
    verdict = pa.array(verdicts, pa.string()).take(marks.indices)
    kept = pc.is_valid(ids)
    values = _counted(texts, verdicts, marks.indices.filter(pc.fill_null(kept.combine_chunks(), fill_value=False)))
    received = _received(chunk, times, label, mapping)
    table = pa.table(
        {
            "label_id": pc.binary_join_element_wise(ids, "label", "-"),
            "transaction_id": ids,
            "verdict": verdict,
            "source": pa.repeat(label.source, len(chunk)),
            "occurred_at": received,
            "received_at": received,
        }
    )
    return conform(table, LABELS).filter(pc.and_(kept, pc.is_valid(verdict))), values


def _counted(texts: list[str], verdicts: list[str | None], places: pa.Array) -> LabelValues:
    counts = np.bincount(places.drop_null().to_numpy(), minlength=len(texts))
    values = LabelValues()
    kinds = {"unauthorised": values.fraud, "genuine": values.genuine, None: values.other}
    for text, verdict, count in zip(texts, verdicts, counts.tolist(), strict=True):
        if count:
            kinds[verdict][text] += count
    return values


def _received(
    chunk: pa.Table, times: "pd.Series[pd.Timestamp]", label: LabelSourceColumn, mapping: Mapping
) -> pa.Array:
    delayed = times + pd.Timedelta(days=label.delay_days)
    if label.time is not None:
        delayed = columns.as_time(chunk[label.time.column], label.time, mapping.missing).fillna(delayed)
    return pa.array(delayed, LABELS.field("received_at").type)
