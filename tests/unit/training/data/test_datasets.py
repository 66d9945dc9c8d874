"""Data sets: drawing labels, labels as of a time, time-safe risk, caching, files that cannot be used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud.features.catalogue import SPEC
from fraud.features.risk_tables import RiskTables
from tests.support.shop_tables import DAY, T0, events_table, labels_table
from training.data.cache import load, save
from training.data.dataset import (
    Dataset,
    draw_labels,
)
from training.data.errors import (
    InvalidDataset,
)
from training.data.feature_context import FeatureContext
from training.data.files.events import from_lines, from_table, labels_frame, read_events, read_labels
from training.data.files.json_lines import to_wire
from training.data.files.schema import EVENTS
from training.data.replayed_stream import build, count_risk, from_stream, read_stream, to_stream
from training.data.risk_plan import RiskPlan, risk_tables

PLAN = RiskPlan(delay_days=2)


def files(folder: Path) -> tuple[Path, Path]:
    events, labels = folder / "events.parquet", folder / "labels.parquet"
    pq.write_table(events_table(), events)
    pq.write_table(labels_table().replace_schema_metadata({"fraudstream.maturity_days": "5"}), labels)
    return events, labels


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build(*files(tmp_path_factory.mktemp("data")), risk=PLAN)


def test_a_file_becomes_one_row_per_transaction_in_log_order(dataset: Dataset) -> None:
    assert len(dataset) == 60
    assert dataset.transaction_ids.tolist() == [f"t{i}" for i in range(60)]
    assert (np.diff(dataset.time) > 0).all()
    assert dataset.frauds == 10
    assert dataset.amount[:2].tolist() == [10_000_000, 10_010_000]
    assert dataset.segments["customer"].tolist()[:8] == ["new"] * 7 + ["returning"]
    assert set(dataset.segments["country"]) == {"FR", "DE"}


def test_as_of_leaves_out_what_came_later_and_the_files_own_maturity_counts(tmp_path: Path) -> None:
    events, labels = files(tmp_path)
    known = build(events, labels, as_of=T0 + 6 * DAY, risk=PLAN)
    assert known.time.max() <= T0 + 6 * DAY
    # Frauds are known after three days, silence matures after five.
    assert known.label.tolist() == [1, *[0] * 4, *[-1], 1, *[-1] * 5, 1, *[-1] * 12]


def test_features_do_not_depend_on_what_is_known_later(tmp_path: Path, dataset: Dataset) -> None:
    early = build(*files(tmp_path), as_of=T0 + 9 * DAY, risk=PLAN)
    assert early.features.tobytes() == dataset.features[: len(early)].tobytes()


def test_looking_risk_up_later_gives_what_the_encoder_gives(tmp_path: Path, dataset: Dataset) -> None:
    without = build(*files(tmp_path), risk=RiskTables())
    assert without.features.tobytes() != dataset.features.tobytes()
    tables = count_risk(
        read_stream([tmp_path / "events.parquet"], tmp_path / "labels.parquet", FeatureContext()), PLAN, SPEC
    )
    assert without.with_risk(tables).features.tobytes() == dataset.features.tobytes()


def test_a_later_report_changes_only_tables_after_it() -> None:
    ids = {"merchant": np.arange(60, dtype=np.uint64) % 3 + 1}
    time = T0 + np.arange(60) * DAY // 4
    received = np.where(np.arange(60) % 6 == 0, time + 3 * DAY, 0)
    plan = replace(PLAN, every_days=1)
    before = risk_tables(ids, time, received, plan).tables
    late = received.copy()
    late[1] = T0 + 8 * DAY
    after = risk_tables(ids, time, late, plan).tables
    assert len(before) == len(after) == 12
    for old, new in zip(before, after, strict=True):
        same = old.keys.tobytes() == new.keys.tobytes() and old.risk.tobytes() == new.risk.tobytes()
        assert same == (old.effective_from <= T0 + 8 * DAY)


def test_the_same_seed_draws_the_same_labels_and_another_draws_others(dataset: Dataset) -> None:
    assert draw_labels(dataset, 20, 1).tolist() == draw_labels(dataset, 20, 1).tolist()
    assert draw_labels(dataset, 20, 1).tolist() != draw_labels(dataset, 20, 2).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_draw_holds_at_least_three_frauds_and_no_row_twice(dataset: Dataset, seed: int) -> None:
    rows = draw_labels(dataset, 5, seed)
    assert len(np.unique(rows)) == 5
    assert (dataset.label[rows] == 1).sum() >= 3


@pytest.mark.parametrize(("count", "message"), [(61, "60 are known"), (2, "at least 3")])
def test_a_draw_that_cannot_be_made_says_so(dataset: Dataset, count: int, message: str) -> None:
    with pytest.raises(InvalidDataset, match=message):
        draw_labels(dataset, count, 1)


def test_a_data_set_survives_its_file(tmp_path: Path, dataset: Dataset) -> None:
    save(dataset, tmp_path / "dataset.npz")
    again = load(tmp_path / "dataset.npz")
    assert again.features.tobytes() == dataset.features.tobytes()
    assert again.transaction_ids.tolist() == dataset.transaction_ids.tolist()
    assert (again.identity, again.names) == (dataset.identity, dataset.names)
    assert again.segments["country"].tolist() == dataset.segments["country"].tolist()
    assert np.isnan(again.with_risk(RiskTables()).features[:, again.names.index("merchant_risk_30d")]).all()


def test_a_cached_build_is_made_once_and_made_anew_when_a_file_changes(tmp_path: Path) -> None:
    events, labels = files(tmp_path)
    first = build(events, labels, risk=PLAN, cache=tmp_path / "cache")
    build(events, labels, risk=PLAN, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    pq.write_table(labels_table(frauds=range(3)), labels)
    second = build(events, labels, risk=PLAN, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert (first.frauds, second.frauds) == (10, 3)


def test_json_lines_give_the_same_data_set_and_leave_out_what_would_be_a_dead_letter(
    tmp_path: Path, dataset: Dataset
) -> None:
    lines = to_wire(events_table())
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([*lines[:30], b'{"type": "transaction"', *lines[30:]]) + b"\n")
    world = FeatureContext()
    events = from_lines(path.read_bytes().splitlines(), world)
    assert events.rejected == 1
    stream = to_stream(events, labels_frame(labels_table()), maturity_days=5)
    assert from_stream(stream, world, risk=PLAN).features.tobytes() == dataset.features.tobytes()
    assert build(path, risk=RiskTables()).transaction_ids.tolist() == dataset.transaction_ids.tolist()


def test_concatenation_and_selection_keep_rows_together(dataset: Dataset) -> None:
    middle = dataset.between(T0 + DAY, T0 + 2 * DAY)
    assert middle.transaction_ids.tolist() == ["t4", "t5", "t6", "t7"]
    both = Dataset.concatenate([middle, dataset.take(np.array([0]))])
    assert both.transaction_ids.tolist() == ["t4", "t5", "t6", "t7", "t0"]
    assert both.segments["customer"].tolist()[-1] == "new"
    with pytest.raises(InvalidDataset, match="different features"):
        Dataset.concatenate([middle, replace(middle, names=("a",))])


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="does not exist"):
        build(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("hello", encoding="utf-8")
    with pytest.raises(InvalidDataset, match="no event file"):
        build(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InvalidDataset, match="column type is missing"):
        build(tmp_path / "other.parquet")
    pq.write_table(EVENTS.empty_table(), tmp_path / "empty.parquet")
    with pytest.raises(InvalidDataset, match="holds no events"):
        build(tmp_path / "empty.parquet")


def test_an_event_in_a_currency_without_a_rate_is_left_out_like_a_dead_letter() -> None:
    table = events_table(3).set_column(EVENTS.get_field_index("currency"), "currency", pa.array(["EUR", "SYP", "EUR"]))
    events = from_table(table, FeatureContext())
    assert (len(events.batch), events.rejected) == (2, 1)


def test_an_event_file_with_a_damaged_page_is_refused_by_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(events_table(), path)
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + b"\xff" * 60 + raw[64:])  # the first page's header: Arrow raises OSError at it
    with pytest.raises(InvalidDataset, match=r"events.parquet is no event file") as refusal:
        read_events(path, FeatureContext())
    assert "\n" not in str(refusal.value)


def test_a_folder_is_no_label_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="is a folder"):
        read_labels(tmp_path)
