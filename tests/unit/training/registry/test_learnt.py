"""What a version learnt from is written beside it, and nobody measures it on that again."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fraud.models.bundle import LEARNT, Manifest, TrainedOn, checksum, read_manifest, write_manifest
from tests.support.published_models import publish
from tests.support.shop_tables import DAY, T0, events_table, labels_table
from training.data.dataset import Dataset
from training.data.errors import InvalidDataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import from_stream, read_stream
from training.labels.delay import EDGES, DelayCurve
from training.registry.learnt import Learnt, checksums, code_version, read_delay, write_delay, write_learnt
from training.registry.versions import find


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("shop")
    pq.write_table(events_table(), folder / "events.parquet")
    pq.write_table(labels_table(), folder / "labels.parquet")
    stream = read_stream([folder / "events.parquet"], folder / "labels.parquet", FeatureContext())
    return from_stream(stream, FeatureContext())


def taught(root: Path, transactions: np.ndarray | None, parent: int | None = None, **trained: object) -> int:
    """A version that says what it learnt from."""
    number = publish(root, "amount")
    path = find(root, number)[1]
    files = dict(read_manifest(path).files)
    if transactions is not None:
        write_learnt(path, transactions)
        files[LEARNT] = checksum(path / LEARNT)
    facts: dict[str, object] = {"trained_on": TrainedOn.model_validate(trained), "parent": parent, "files": files}
    write_manifest(path, Manifest.model_validate(read_manifest(path).model_dump() | facts), None)
    return number


def test_learnt_payments_are_left_out_and_counted(tmp_path: Path, data: Dataset) -> None:
    number = taught(tmp_path, data.transaction[10:30])
    rest, out = Learnt.of(tmp_path, number).unseen(data, said_by="it")
    assert (len(rest), out) == (40, 20)
    assert not np.isin(rest.transaction, data.transaction[10:30]).any()


def test_what_the_base_of_a_version_and_other_versions_learnt_from_is_left_out_too(
    tmp_path: Path, data: Dataset
) -> None:
    base = taught(tmp_path, data.transaction[:5])
    first = taught(tmp_path, data.transaction[5:10], parent=base)
    second = taught(tmp_path, data.transaction[50:])
    assert Learnt.of(tmp_path, first, second).seen(data).sum() == 20
    orphan = taught(tmp_path, data.transaction[5:10], parent=99)
    assert Learnt.of(tmp_path, orphan).seen(data).sum() == 5


def test_of_a_version_that_was_given_everything_up_to_a_time_only_later_payments_remain(
    tmp_path: Path, data: Dataset
) -> None:
    until = "2023-11-20T00:00:00+00:00"
    received = taught(tmp_path, data.transaction[:3], as_received=True, until=until)
    drawn = taught(tmp_path, data.transaction[:3], until=until)
    before = (data.time <= np.datetime64("2023-11-20T00:00:00", "us").astype(np.int64)).sum()
    assert data.time.max() - DAY > T0
    assert Learnt.of(tmp_path, received).seen(data).sum() == before > 3
    assert Learnt.of(tmp_path, drawn).seen(data).sum() == 3
    # One from before the rows were written down says at least when it ended.
    former = taught(tmp_path, None, until=until, rows=9)
    assert Learnt.of(tmp_path, former).seen(data).sum() == before


def test_too_little_that_is_left_is_refused_in_one_line(tmp_path: Path, data: Dataset) -> None:
    number = taught(tmp_path, data.transaction[data.label == 1][1:])
    with pytest.raises(InvalidDataset, match="9 of 60 payments were learnt from by it, and 1 known frauds are left"):
        Learnt.of(tmp_path, number).unseen(data, said_by="it")
    nothing, out = Learnt().unseen(data.take(data.label == 0), said_by="it")
    assert (len(nothing), out) == (50, 0)


def test_code_and_data_are_named_by_their_content(tmp_path: Path) -> None:
    assert code_version() == code_version()
    assert "+" in code_version()
    one, other = tmp_path / "a" / "events.parquet", tmp_path / "b" / "events.parquet"
    for file in (one, other):
        file.parent.mkdir()
        file.write_bytes(file.parent.name.encode())
    found = checksums([one, other])
    assert set(found) == {"a/events.parquet", "b/events.parquet"}
    assert len(set(found.values())) == 2


def test_a_base_says_how_late_its_sources_frauds_were_reported(tmp_path: Path) -> None:
    number = publish(tmp_path, "amount")
    assert read_delay(tmp_path, number) is None
    curve = replace_unreported(DelayCurve.at_once(), 0.2)
    write_delay(find(tmp_path, number)[1], curve)
    assert read_delay(tmp_path, number) == curve


def replace_unreported(curve: DelayCurve, share: float) -> DelayCurve:
    return DelayCurve(hazard=(0.1,) * len(EDGES), unreported=share, frauds=curve.frauds + 50)
