"""The trainer from the command line: each command says what it wrote, and bad input is one clear line."""

import csv
import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from simulator.__main__ import simulate_command
from tests.support.shop_tables import events_table, labels_table
from training.__main__ import COMMANDS, main
from training.data.files.schema import LABELS, conform

CREDIBLE = ["--days", "60", "--base-rate", "0.02"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def said(*arguments: object) -> dict[str, object]:
    """The one JSON object that a command prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(result.stdout)
    return document


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated platforms and a base, version 1."""
    folder = tmp_path_factory.mktemp("world")
    for platform, size, seed in (("source", 4_000, 5), ("target", 2_500, 8)):
        where = ["--platform", platform, "--transactions", size, "--seed", seed, "--out", folder / platform]
        result = CliRunner().invoke(simulate_command, [str(value) for value in (*where, *CREDIBLE, "--json")])
        assert json.loads(result.stdout)["transactions"] == size
    small = ["--teachers", 1, "--steps", 10, "--models", folder / "models", "--cache", folder / "cache"]
    events = ["--source", folder / "source/events.parquet", "--unlabelled", folder / "target/events.parquet"]
    made = said("pretrain", *events, *small)
    assert (made["version"], made["unlabelled"]) == (1, 2_500)
    return folder


def adapting(world: Path, *arguments: object, target: Path | None = None) -> list[object]:
    where = ["--target", target or world / "target/events.parquet", "--cache", world / "cache"]
    return ["adapt", *where, "--models", world / "models", "--strategy", "source_only", *arguments]


@pytest.fixture(scope="module")
def version(world: Path) -> int:
    """A candidate, version 2."""
    made = said(*adapting(world, "--labels", 400, "--from", 1, "--reviews-per-day", 20))
    assert (made["strategy"], made["labels"]) == ("source_only", 400)
    return int(str(made["version"]))


def test_every_command_explains_itself_and_speaks_json() -> None:
    for name in COMMANDS:
        result = run(name, "--help")
        assert result.exit_code == 0
        # Erasing prints the answer to a person's request, not figures.
        assert name == "forget" or "--json" in result.output, name


def test_adapt_tells_the_version_it_wrote_and_why_on_stdout_and_progress_on_stderr(world: Path) -> None:
    result = run(*adapting(world, "--labels", 400, "--from", 1, "--seed", 2))
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith("version ")
    assert "400 labels" in first
    assert second == "why: the pre-trained net as it is"
    assert "calibration" in result.stderr


def test_the_policy_paces_reviews_like_the_targets_week(world: Path, version: int) -> None:
    path = world / "models/candidates" / str(version)
    capacity = json.loads((path / "policy.json").read_bytes())["review_capacity"]
    assert capacity["per_day"] == 20
    assert len(capacity["weights"]) == 168
    assert sum(capacity["weights"]) == pytest.approx(168, rel=1e-3)
    night, evening = (sum(capacity["weights"][hour::24]) for hour in (3, 18))
    assert evening > night
    assert "20 reviews a day" in json.loads((path / "policy.json").read_bytes())["reasoning"]


def test_the_same_seed_draws_the_same_labels_and_scores(world: Path, version: int) -> None:
    again = said(*adapting(world, "--labels", 400, "--from", 1, "--reviews-per-day", 20))
    one, other = (
        json.loads((world / "models/candidates" / str(v) / "manifest.json").read_bytes())
        for v in (version, again["version"])
    )
    assert one["files"]["golden.npz"] == other["files"]["golden.npz"]
    assert one["trained_on"] == other["trained_on"]


def test_labels_as_received_bring_their_risk_tables_along(world: Path) -> None:
    made = said(*adapting(world, "--as-of", "2025-03-01", "--from", 1))
    path = world / "models/candidates" / str(made["version"])
    trained = json.loads((path / "manifest.json").read_bytes())["trained_on"]
    assert trained["until"] < "2025-03-01"
    assert list((path / "risk").iterdir())


def test_a_candidate_is_evaluated_promoted_and_listed(world: Path, version: int) -> None:
    measured = said(
        "evaluate", "--version", version, "--data", world / "target/events.parquet", "--models", world / "models"
    )
    assert measured["version"] == version
    assert 0 < float(str(measured["average_precision"])) <= 1
    promoted = said("promote", "--version", version, "--models", world / "models")
    assert (promoted["version"], promoted["role"]) == (version, "champion")
    listed = {v["version"]: v["role"] for v in json.loads(run("list", "--models", world / "models", "--json").stdout)}
    assert listed[version] == "champion"
    assert listed[1] == ""


def test_a_forecast_tells_what_each_day_would_have_given_and_whether_to_transfer(world: Path) -> None:
    given = ["forecast", "--target", world / "target/events.parquet", "--models", world / "models"]
    given += ["--days", 14, "--days", 40, "--days", 4_000, "--strategy", "boosted"]
    found = said(*given)
    assert isinstance(found["transfer"], bool)
    assert "transfer" in str(found["reason"])
    assert found["underpowered"] is True
    points = found["points"]
    assert isinstance(points, list)
    assert [point["days"] for point in points] == [14, 40]  # nothing lies ahead of day 4,000
    early, late = points
    assert early["frauds"] < late["frauds"]
    assert early["test_frauds"] >= 3
    assert 0 <= late["recall"] <= 1
    for gain in (late["gain"], late["money_gain"]):
        assert gain[1] <= gain[0] <= gain[2]
    assumed = found["assumed"]
    assert isinstance(assumed, dict)
    assert assumed["analysts"] > 0
    assert any("silence counts as genuine" in line for line in assumed["said"])


def test_a_forecast_of_labels_that_are_all_late_presumes_what_it_must_and_says_so(world: Path, tmp_path: Path) -> None:
    """As an imported file with a declared delay: frauds only, each reported 20 days later."""
    events, truth = (pq.read_table(world / f"target/{name}.parquet") for name in ("events", "truth"))
    frauds = truth.filter(truth["is_fraud"])
    received = pc.add(frauds["event_time"], pa.scalar(timedelta(days=20)))
    ids = frauds["transaction_id"]
    labels = pa.table(
        {
            "label_id": ids,
            "transaction_id": ids,
            "verdict": pa.array(["unauthorised"] * len(ids)),
            "source": pa.array(["chargeback"] * len(ids)),
            "occurred_at": received,
            "received_at": received,
        }
    )
    pq.write_table(events, tmp_path / "events.parquet")
    pq.write_table(
        conform(labels, LABELS).replace_schema_metadata({"fraudstream.maturity_days": "120"}),
        tmp_path / "labels.parquet",
    )
    given = ["forecast", "--target", tmp_path / "events.parquet", "--models", world / "models"]
    found = said(*given, "--days", 14, "--days", 40, "--strategy", "boosted")
    points = found["points"]
    assert isinstance(points, list)
    early, late = points
    assert (early["labels"], early["presumed"]) == (0, 0)
    assert early["recall_alone"] is None
    assert late["presumed"] > 10 * late["frauds"] > 0
    assert late["recall_alone"] is not None
    assumed = found["assumed"]
    assert isinstance(assumed, dict)
    assert assumed["presumed_after_days"] == pytest.approx(20)
    assert assumed["analysts"] == 0
    assert "never enough labels" not in str(found["reason"])


def test_a_forecast_of_what_it_compares_with_is_refused(world: Path) -> None:
    given = ["forecast", "--target", world / "target/events.parquet", "--models", world / "models"]
    assert "is what transfer is compared with" in refused(world, [*given, "--strategy", "target_only"])
    assert "too short for a forecast" in refused(world, [*given, "--days", 4_000])


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_label_queue_offers_what_nobody_has_judged(suffix: str, world: Path, version: int, tmp_path: Path) -> None:
    given = ["label-queue", "--version", version, "--data", world / "target/events.parquet"]
    given += ["--models", world / "models", "--count", 40, "--as-of", "2025-02-20", "--out", tmp_path / f"q.{suffix}"]
    told = said(*given)
    assert told["chosen"] == 40
    assert (told["top"], told["near"], told["random"]) == (24, 10, 6)
    text = (tmp_path / f"q.{suffix}").read_text()
    rows = (
        list(csv.DictReader(text.splitlines())) if suffix == "csv" else [json.loads(line) for line in text.splitlines()]
    )
    labels = pq.read_table(world / "target/labels.parquet").to_pandas()
    known = set(labels[labels.received_at < "2025-02-20"].transaction_id)
    chosen = [row["transaction_id"] for row in rows]
    assert len(set(chosen)) == 40
    assert not set(chosen) & known
    assert all(row["event_time"] < "2025-02-20" for row in rows)
    certain = [float(row["score"]) for row in rows if row["chosen_by"] == "top"]
    assert {float(row["propensity"]) for row in rows if row["chosen_by"] == "top"} == {1.0}
    assert min(certain) >= max(float(row["score"]) for row in rows if row["chosen_by"] != "top")
    again = (tmp_path / f"q.{suffix}").read_bytes()
    said(*given)
    assert (tmp_path / f"q.{suffix}").read_bytes() == again


def test_a_label_queue_that_cannot_be_made_is_one_line(world: Path, version: int, tmp_path: Path) -> None:
    given = [
        "label-queue",
        "--version",
        version,
        "--data",
        world / "target/events.parquet",
        "--models",
        world / "models",
    ]
    assert "written as .csv or .jsonl" in refused(world, [*given, "--out", tmp_path / "queue.txt"])
    out = ["--out", tmp_path / "queue.csv"]
    assert "no parts of one queue" in refused(world, [*given, *out, "--top", 0.9, "--near", 0.5])
    assert "is without a label" in refused(world, [*given, *out, "--since", "2031-01-01"])
    assert "absent/queue.csv: No such file" in refused(world, [*given, "--out", tmp_path / "absent" / "queue.csv"])


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.name != ".lock"}


def refused(world: Path, arguments: list[object]) -> str:
    """The one line that a command complains with; it left the model directory as it was."""
    before = files(world / "models")
    result = run(*arguments)
    assert result.exit_code in {1, 2}, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    complaints = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(complaints) == 1
    assert result.stderr.splitlines()[-1] == complaints[0]
    assert result.stdout == ""
    assert files(world / "models") == before
    return complaints[0]


Make = Callable[[Path], Path]


def shop(events: pa.Table | None = None, labels: pa.Table | None = None) -> Make:
    """A target of 60 payments; returns its event file."""

    def make(folder: Path) -> Path:
        pq.write_table(events_table() if events is None else events, folder / "events.parquet")
        pq.write_table(labels_table() if labels is None else labels, folder / "labels.parquet")
        return folder / "events.parquet"

    return make


def broken(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        pq.write_table(labels_table(), folder / "labels.parquet")
        (folder / name).write_bytes(content)
        return folder / name

    return make


def changed(table: pa.Table, column: str, value: object) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, column, pa.array([value] * len(table), table.schema.field(column).type))


MATURED = {"fraudstream.maturity_days": "5"}
GENUINE = changed(labels_table(), "verdict", "genuine").replace_schema_metadata(MATURED)
ALL_FRAUD = labels_table(frauds=range(60))
FEW = labels_table().replace_schema_metadata(MATURED)


@pytest.mark.parametrize(
    ("make", "arguments", "complaint"),
    [
        (shop(labels=GENUINE), ["--labels", "30"], "0 frauds among the 60 labels, at least 3 are needed"),
        (shop(labels=ALL_FRAUD), ["--labels", "30"], "every label is fraud; genuine ones are needed too"),
        (shop(labels=FEW), ["--labels", "999"], "999 labels asked for, 60 are known"),
        (shop(labels=FEW), ["--labels", "2"], "2 labels asked for, at least 3 frauds are needed"),
        (shop(), ["--as-of", "2001-01-01"], "no labelled rows"),
        (shop(events=events_table().slice(0, 0)), ["--labels", "30"], "holds no events"),
        (shop(events=pa.table({"a": [1, 2]})), ["--labels", "30"], "column type is missing"),
        (shop(events=changed(events_table(), "currency", "ZZZ")), ["--labels", "30"], "currency 'ZZZ' is not known"),
        (shop(events=changed(events_table(), "type", "order")), ["--labels", "30"], "type 'order' is not known"),
        (shop(labels=pa.table({"a": [1]})), ["--labels", "30"], "column label_id is missing"),
        (shop(labels=changed(labels_table(), "verdict", "odd")), ["--labels", "30"], "verdict 'odd' is not known"),
        (broken("events.parquet", b""), ["--labels", "30"], "is no event file"),
        (broken("events.parquet", b"PAR1 and no more"), ["--labels", "30"], "is no event file"),
        (broken("events.csv", b"id,amount\n1,2\n"), ["--labels", "30"], "none of its 2 lines is an event"),
        (broken("events.jsonl", b""), ["--labels", "30"], "holds no events"),
        (lambda folder: folder / "absent.parquet", ["--labels", "30"], "labels.parquet does not exist"),
        (shop(), ["--labels", "30", "--from", "99"], "version 99 does not exist in"),
        (shop(), ["--labels", "30", "--strategy", "magic"], "strategy 'magic' does not exist; choose one of auto"),
        (shop(), ["--labels", "30", "--as-of", "2025-01-01"], "give either --labels N or --as-of T"),
        (shop(labels=FEW), ["--labels", "30", "--policy", __file__], "policy.json"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_one_line(
    make: Make, arguments: list[str], complaint: str, world: Path, tmp_path: Path
) -> None:
    given = adapting(world, "--from", 1, *arguments, target=make(tmp_path))
    assert complaint in refused(world, given)


def test_a_candidate_is_no_base_and_a_base_no_candidate(world: Path, version: int) -> None:
    target = ["--target", world / "target/events.parquet"]
    models = ["--models", world / "models"]
    assert "is not a base" in refused(world, adapting(world, "--labels", 400, "--from", version))
    assert "is not a base" in refused(world, ["forecast", *target, "--from", version, *models])
    data = ["--data", world / "target/events.parquet"]
    assert "is a pre-trained base" in refused(world, ["evaluate", "--version", 1, *data, *models])
    assert "is a pre-trained base" in refused(world, ["promote", "--version", 1, "--force", "--reason", "x", *models])


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (shop(labels=GENUINE), "source: 0 frauds among 60 labels; at least 3 are needed"),
        (shop(labels=ALL_FRAUD), "every label is fraud"),
        (shop(events=events_table().slice(0, 0)), "holds no events"),
        (shop(events=pa.table({"a": [1, 2]})), "column type is missing"),
        (lambda folder: folder / "absent.parquet", "does not exist"),
    ],
)
def test_a_source_that_teaches_nothing_is_one_line(make: Make, complaint: str, world: Path, tmp_path: Path) -> None:
    given = ["pretrain", "--source", make(tmp_path), "--models", world / "models", "--steps", 1, "--teachers", 1]
    assert complaint in refused(world, given)


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: writing fails in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_leaves_no_half_version(world: Path) -> None:
    adapt = adapting(world, "--labels", 400, "--from", 1)
    source = ["--source", world / "source/events.parquet", "--cache", world / "cache"]
    pretrain = ["pretrain", *source, "--models", world / "models", "--steps", 1, "--teachers", 1]
    with small_disk(30_000):
        for command in (adapt, pretrain):
            assert "File too large" in refused(world, command)


def test_a_damaged_base_is_named(world: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    shutil.copytree(world / "models", root)
    booster = root / "bases/1/booster.txt"
    booster.write_text(booster.read_text(encoding="utf-8") + " ", encoding="utf-8")
    given = adapting(world, "--labels", 400, "--from", 1)
    given[given.index("--models") + 1] = root
    result = run(*given)
    assert result.exit_code == 1
    assert "booster.txt was changed" in result.stderr
