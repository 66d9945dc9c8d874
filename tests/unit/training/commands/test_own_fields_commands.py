"""Platforms with different fields, from the command line: declared beside the events, matched by name."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud.features.catalogue import spec_of
from fraud.features.platform import Platform
from tests.support.shop_tables import events_table, labels_table
from tests.unit.training.commands.test_commands import run, said
from training.data.files.schema import EVENTS
from training.modelling.base import load_base

SOURCE = {"level": "number", "tier": "category", "store": "entity"}
TARGET = {"tier": "category", "gift": "flag"}


def shop(folder: Path, fields: dict[str, str], **plain: object) -> Path:
    """Events of a shop, with its labels and declaration beside them; of its payments every sixth is fraud."""
    folder.mkdir()
    rows = events_table(400).to_pylist()
    for row in rows:
        number = int("".join(filter(str.isdigit, row["transaction_id"])))
        held = {"level": float(number % 6), "tier": f"t{number % 4}", "store": f"s{number % 7}", "gift": True}
        row["attributes"] = json.dumps({name: held[name] for name in fields})
    pq.write_table(pa.Table.from_pylist(rows, EVENTS), folder / "events.parquet")
    pq.write_table(labels_table(frauds=range(0, 400, 6)), folder / "labels.parquet")
    lines = [f'{name} = "{value}"' for name, value in plain.items()]
    lines += [f'fields.{name}.kind = "{kind}"' for name, kind in fields.items()]
    (folder / "platform.toml").write_text("\n".join(lines))
    return folder / "events.parquet"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    source, target = shop(folder / "source", SOURCE), shop(folder / "target", TARGET, name="shop")
    small = ["--teachers", 1, "--steps", 5, "--models", folder / "models"]
    assert said("pretrain", "--source", source, "--unlabelled", target, *small)["version"] == 1
    return folder


def test_a_base_has_the_fields_of_every_platform_by_name(world: Path) -> None:
    names = load_base(world / "models/bases/1").names
    own = [name for name in names if name.startswith("attribute_")]
    assert {"attribute_level", "attribute_tier", "attribute_store_attempts_1h", "attribute_gift"} <= set(own)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("strategy", ["source_only", "boosted"])
def test_a_candidate_has_the_targets_fields_and_carries_its_platform(world: Path, strategy: str) -> None:
    target, models = world / "target/events.parquet", world / "models"
    given = ["--target", target, "--labels", 300, "--from", 1, "--strategy", strategy, "--models", models]
    version = int(str(said("adapt", *given)["version"]))
    manifest = json.loads((models / "candidates" / str(version) / "manifest.json").read_bytes())
    declared = Platform.model_validate(manifest["platform"])
    assert (declared.name, {name: str(f.kind) for name, f in declared.fields.items()}) == ("shop", TARGET)
    assert tuple(manifest["feature_names"]) == spec_of(declared).names
    measured = said("evaluate", "--version", version, "--data", target, "--include-training-rows", "--models", models)
    assert measured["version"] == version


def test_a_named_platform_goes_before_the_one_beside_the_events(world: Path) -> None:
    other = world / "other.toml"
    other.write_text('fields.gift.kind = "flag"')
    target, models = world / "target/events.parquet", world / "models"
    given = ["--target", target, "--labels", 300, "--from", 1, "--strategy", "source_only", "--models", models]
    version = said("adapt", *given, "--platform", other)["version"]
    manifest = json.loads((models / "candidates" / str(version) / "manifest.json").read_bytes())
    assert list(manifest["platform"]["fields"]) == ["gift"]


def test_a_field_of_another_kind_in_the_target_is_refused_in_one_line(world: Path) -> None:
    other = world / "kinds.toml"
    other.write_text('fields.tier.kind = "number"')
    target, models = world / "target/events.parquet", world / "models"
    result = run("adapt", "--target", target, "--labels", 300, "--from", 1, "--models", models, "--platform", other)
    assert result.exit_code == 1
    assert "attribute_tier is a category in the base and a number in the target" in result.output


def test_sources_that_count_in_different_currencies_are_refused(world: Path, tmp_path: Path) -> None:
    dollars = shop(tmp_path / "dollars", SOURCE, base_currency="USD")
    result = run("pretrain", "--source", world / "source/events.parquet", "--source", dollars, "--models", tmp_path)
    assert result.exit_code == 1
    assert "sources count in EUR and USD: declare one base_currency for all" in result.output


def test_a_declaration_that_cannot_be_read_is_one_line(world: Path) -> None:
    broken = world / "broken.toml"
    broken.write_text("fields = 3")
    result = run(
        "forecast", "--target", world / "target/events.parquet", "--models", world / "models", "--platform", broken
    )
    assert result.exit_code != 0
    assert "broken.toml: fields" in result.output
