"""Event files and labels to a data set: replay the stream, then read the labels as of a time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud.decoding.batch import ENTITIES, Batch, Kind
from fraud.features.encoder import features_fingerprint, history_fingerprint
from fraud.features.risk_tables import RiskTables
from fraud.features.spec import FeatureSpec
from training.data.cache import cached, key_of
from training.data.components import LINKING, components
from training.data.dataset import (
    END_OF_TIME,
    Dataset,
    Identity,
)
from training.data.errors import (
    InvalidDataset,
)
from training.data.feature_context import FeatureContext
from training.data.files.events import Events, read_events, read_labels, version_of
from training.data.replay import partition_of, replay
from training.data.risk_plan import RiskPlan, risk_tables
from training.data.segments import segments_of
from training.labels.ledger import Ledger, Records

STANDARD_CONTEXT: Final = FeatureContext()


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream read into memory: the table, its columns, and the ledger over it.

    Attributes:
        events: every event that can be scored, in log order.
        ledger: labels over its transactions.
        sources: versions that the files were stamped with.
    """

    events: Events
    ledger: Ledger
    sources: tuple[str, ...]


def build(
    events: Path | Sequence[Path],
    labels: Path | pd.DataFrame | None = None,
    *,
    as_of: int = END_OF_TIME,
    context: FeatureContext = STANDARD_CONTEXT,
    maturity_days: float | None = None,
    risk: RiskTables | RiskPlan | None = None,
    progress: bool = False,
    cache: Path | None = None,
) -> Dataset:
    """Replays event files into a data set.

    Args:
        events: Parquet or JSON-lines files of one stream, in order.
        labels: a Parquet or JSON-lines file of labels, or a frame of `training.labels.ledger.LABEL_COLUMNS`; None
            knows none.
        as_of: labels received by then are known (µs); by default all are, and silence has matured.
        context: of the platform; the standard one by default.
        maturity_days: age at which silence counts as genuine; by default what the labels file says, else estimated.
        risk: ready tables, or how to count them from the labels; by default `RiskPlan()`.
        progress: show a bar on a terminal.
        cache: a folder in which data sets are kept, by the content of what they were made from; used only where labels
            and risk come from files.

    Raises:
        InvalidDataset: a file cannot be used.
    """
    paths = [events] if isinstance(events, Path) else list(events)

    def make() -> Dataset:
        stream = read_stream(paths, labels, context, maturity_days=maturity_days)
        return from_stream(stream, context, as_of=as_of, risk=risk, progress=progress)

    if cache is None or isinstance(labels, pd.DataFrame) or isinstance(risk, RiskTables):
        return make()
    facts = context.facts() | {"as_of": as_of, "maturity": maturity_days, "risk": asdict(risk or RiskPlan())}
    return cached(cache, key_of([*paths, *([labels] if labels else [])], facts), make)


def read_stream(
    paths: Sequence[Path],
    labels: Path | pd.DataFrame | None,
    context: FeatureContext,
    *,
    maturity_days: float | None = None,
) -> Stream:
    """Reads event files and labels; InvalidDataset when one cannot be used."""
    events = Events.concatenate([read_events(path, context) for path in paths])
    frame, matures = (labels, None) if isinstance(labels, pd.DataFrame) else read_labels(labels)
    if len(events.batch) == 0:
        raise InvalidDataset(f"{paths[0]} holds no events")
    days = matures if maturity_days is None else maturity_days
    sources = tuple(sorted({version for path in paths if (version := version_of(path))}))
    return to_stream(events, frame, maturity_days=days, sources=sources)


def to_stream(
    events: Events,
    labels: pd.DataFrame | None = None,
    *,
    decisions: pd.DataFrame | None = None,
    maturity_days: float | None = None,
    sources: tuple[str, ...] = (),
) -> Stream:
    """Events with what is known about them, as a stream."""
    payments, outcomes = _payments(events.table, events.batch)
    records = Records.of(payments, outcomes=outcomes, decisions=decisions, labels=labels)
    return Stream(events, Ledger(records, maturity_days), sources)


def _payments(table: pa.Table, batch: Batch) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Transactions and outcomes as the ledger takes them."""
    minor = table["amount"].to_numpy()
    is_transaction = batch.kind == Kind.TRANSACTION
    both = pd.DataFrame({"transaction": batch.transaction, "time": batch.time, "amount": minor})
    outcomes = both[~is_transaction].assign(
        outcome_id=table["outcome_id"].filter(pa.array(~is_transaction)).to_pandas().to_numpy(),
        kind=np.array([kind.name.lower() for kind in Kind])[batch.kind[~is_transaction]],
    )
    return both[is_transaction].reset_index(drop=True), outcomes.reset_index(drop=True)


def from_stream(
    stream: Stream,
    context: FeatureContext,
    *,
    as_of: int = END_OF_TIME,
    risk: RiskTables | RiskPlan | None = None,
    progress: bool = False,
) -> Dataset:
    """Features of every transaction of a stream, labels as of a time; transactions after it are left out."""
    batch, table = stream.events.batch, stream.events.table
    tables = risk if isinstance(risk, RiskTables) else count_risk(stream, risk or RiskPlan(), context.spec, until=as_of)
    upto = batch.take(batch.time <= as_of) if as_of < END_OF_TIME else batch
    table = table if upto is batch else table.filter(pa.array(batch.time <= as_of))
    partition = _partitions(table, context.platform.partitions)
    replayed = replay(
        upto, spec=context.spec, config=context.config, risk=tables, partition=partition, progress=progress
    )
    rows = replayed.rows
    kept = upto.take(rows)
    chosen = table.take(pa.array(rows))
    identity = Identity(
        features_fingerprint=features_fingerprint(context.spec, context.config),
        history_fingerprint=history_fingerprint(context.config),
        platform=context.platform,
        sources=stream.sources,
    )
    unlabelled = Dataset(
        identity=identity,
        names=context.spec.names,
        features=replayed.features,
        time=kept.time,
        amount=kept.amount,
        customer=kept.ids[:, ENTITIES.index("customer")],
        card=kept.ids[:, ENTITIES.index("card")],
        transaction=kept.transaction,
        transaction_ids=chosen["transaction_id"].to_pandas().to_numpy(object),
        component=components({entity: kept.ids[:, ENTITIES.index(entity)] for entity in LINKING}),
        label=np.full(len(rows), -1, np.int8),
        received=np.zeros(len(rows), np.int64),
        silent=np.ones(len(rows), np.bool_),
        chosen=np.zeros(len(rows), np.bool_),
        propensity=np.ones(len(rows), np.float32),
        segments=segments_of(chosen, kept),
        risk_ids=context.spec.risk_ids(kept),
    )
    return unlabelled.with_labels(stream.ledger, as_of)


def count_risk(stream: Stream, plan: RiskPlan, spec: FeatureSpec, *, until: int = END_OF_TIME) -> RiskTables:
    """The stream's own dated risk tables for what the features read; none where it has no labels."""
    batch = stream.events.batch
    rows = np.flatnonzero(batch.kind == Kind.TRANSACTION)
    time = batch.time[rows]
    received = _fraud_received(stream.ledger, batch.transaction[rows])
    if not received.any():
        return RiskTables()
    ids = {entity: held[rows] for entity, held in spec.risk_ids(batch).items()}
    return risk_tables(ids, time, received, plan, until=min(until, int(time.max())))


def _fraud_received(ledger: Ledger, transaction: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """When each payment was first reported as fraud, 0 where it never was. What later corrects it, is not undone."""
    labels = ledger.records.labels
    reports = labels[labels["verdict"] == "unauthorised"].groupby("transaction")["received_at"].min()
    return reports.reindex(transaction).fillna(0).to_numpy(np.int64)


def _partitions(table: pa.Table, partitions: int) -> npt.NDArray[np.int64] | None:
    if partitions == 1:
        return None
    encoded = pc.dictionary_encode(table["customer_id"]).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    numbers = np.array([partition_of(key, partitions) for key in encoded.dictionary.to_pylist()], np.int64)
    places: npt.NDArray[np.int32] = encoded.indices.to_numpy()
    return numbers[places]
