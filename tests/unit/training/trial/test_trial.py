"""One file becomes a model that the service would accept, and a report that says what it is worth."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from fraud.models.bundle import read_manifest, verify_files
from tests.support.toy_models import OPTIONS
from training.commands.pretrain import pretrain_command
from training.data.errors import InvalidDataset
from training.data.importing.mapping import InvalidMapping
from training.registry.versions import find
from training.trial.program import Plan, Tried, run

ROWS = 2_500
EFFORT = replace(OPTIONS, teachers=1, steps=20)


def payments(rows: int = ROWS, *, rate: float = 0.04) -> pd.DataFrame:
    """A shop's payments in which a score of its own and an agent tell some of the fraud."""
    random = np.random.default_rng(3)
    fraud = random.random(rows) < rate
    agent = np.where(fraud & (random.random(rows) < 0.5), 7, random.integers(0, 40, rows))
    return pd.DataFrame(
        {
            "paid_at": pd.date_range("2025-03-01", periods=rows, freq="20min").strftime("%Y-%m-%d %H:%M:%S"),
            "amount": np.round(random.gamma(2, 30, rows) + 40 * fraud, 2),
            "customer": [f"c{number}" for number in random.integers(0, rows // 5, rows)],
            "basket": random.choice(["food", "toys", "<b>books</b>"], rows),
            "agent_code": agent,
            "risk": np.round(random.normal(1.8 * fraud, 1), 3),
            "moves": np.round(np.arange(rows) / rows + random.normal(0, 0.05, rows), 3),
            "review": np.where(fraud, 9, random.integers(0, 3, rows)) + random.random(rows),
            "is_fraud": fraud.astype(int),
        }
    )


def tried(folder: Path, frame: pd.DataFrame, **changes: object) -> Tried:
    file = folder / "shop.csv"
    frame.to_csv(file, index=False)
    plan: dict[str, object] = {
        "file": file,
        "label": "is_fraud",
        "mapping_file": None,
        "platform_file": None,
        "models": folder / "models",
        "base": None,
        "out": folder,
        "seed": 1,
        "key": None,
    }
    return run(
        Plan(**{**plan, **changes}),  # type: ignore[arg-type]
        now=datetime(2026, 1, 1, tzinfo=UTC),
        clock=lambda: 0.0,
        progress=lambda _what, _share: None,
        effort=EFFORT,
    )


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    return tried(tmp_path_factory.mktemp("trial"), payments())


class Page(HTMLParser):
    """What a page holds: tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all tags of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_version_is_a_real_one_that_came_from_the_file_alone(trial: Tried) -> None:
    _, path = find(trial.report.parent / "models", trial.version)
    manifest = read_manifest(path, None)
    verify_files(path, manifest)
    assert manifest.parent is None
    assert "attribute_risk" in manifest.feature_names


def test_own_columns_are_learnt_from_and_found_again_among_what_moves_the_score(trial: Tried) -> None:
    figures = trial.figures["models"]["this model"]
    assert figures["average_precision"] > 3 * figures["frauds"] / figures["rows"]
    page = trial.report.read_text()
    assert page.index("attribute_risk") > page.index('id="importance"')


def test_only_the_last_part_of_the_time_is_tested_and_both_models_are_measured_on_it(trial: Tried) -> None:
    models = trial.figures["models"]
    assert [held["rows"] for held in models.values()] == [ROWS - int(0.72 * ROWS)] * 2


def test_the_report_is_one_accessible_file_with_nothing_from_outside(trial: Tried) -> None:
    text = trial.report.read_text()
    page = Page(text)
    assert not re.search(r"(?:src|href)=\"(?!#)", re.sub(r'xlink:href="#', 'xlink="#', text))
    assert not page.of("script")
    assert len(page.of("table")) == len(page.of("caption")) >= 7
    assert all("scope" in attributes for attributes in page.of("th"))
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in page.of("svg"))
    assert len(page.of("h1")) == 1
    assert len(page.of("svg")) == 6
    assert "<b>books</b>" not in text


def test_leaks_moved_columns_and_unknown_delays_are_warned_of(trial: Tried) -> None:
    told = "\n".join(trial.warnings)
    assert "review is left out as a leak" in told
    assert re.search("distributed otherwise.*attribute_moves", told)
    assert "no column says when a fraud was reported" in told


def test_mended_files_are_used_as_they_are_and_the_base_is_adapted(trial: Tried, tmp_path: Path) -> None:
    folder = trial.report.parent
    mapping = (folder / "mapping.toml").read_text().replace("delay_days = 0", "delay_days = 5")
    (tmp_path / "mapping.toml").write_text(mapping)
    (tmp_path / "platform.toml").write_text((folder / "platform.toml").read_text())
    source = ["--source", str(folder / "events.parquet"), "--teachers", "1", "--steps", "20"]
    made = CliRunner().invoke(pretrain_command, [*source, "--models", str(folder / "models"), "--json"])
    assert made.exit_code == 0, made.output
    base = json.loads(made.stdout)["version"]
    again = tried(tmp_path, payments(), mapping_file=tmp_path / "mapping.toml", models=folder / "models", base=base)
    assert read_manifest(find(folder / "models", again.version)[1], None).parent == base
    assert "5 days after the payment" in again.report.read_text()


def test_a_file_with_too_few_frauds_on_one_side_is_one_line(tmp_path: Path) -> None:
    frame = payments(1_000)
    frame.loc[600:, "is_fraud"] = 0
    with pytest.raises(InvalidDataset, match="0 frauds are known from"):
        tried(tmp_path, frame)


def test_labels_that_all_come_too_late_are_one_line(tmp_path: Path) -> None:
    frame = payments(1_000)
    tried_once = tmp_path / "draft"
    tried_once.mkdir()
    with pytest.raises(InvalidMapping, match=r"platform.toml does not exist"):
        tried(tmp_path, frame, mapping_file=_drafted(tmp_path, frame, "delay_days = 400"))
    (tmp_path / "platform.toml").write_text('name = "shop"\n')
    with pytest.raises(InvalidDataset, match=r"0 frauds are known before.*delay_days"):
        tried(tmp_path, frame, mapping_file=tmp_path / "mapping.toml")


def _drafted(folder: Path, frame: pd.DataFrame, delay: str) -> Path:
    from training.data.drafting.draft import draft
    from training.data.drafting.write import mapping_text

    file = folder / "shop.csv"
    frame.to_csv(file, index=False)
    path = folder / "mapping.toml"
    path.write_text(mapping_text(draft(file)).replace("delay_days = 0", delay))
    return path


def test_what_the_draft_cannot_tell_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidMapping, match=r"mend .*mapping\.toml and give it with --mapping"):
        tried(tmp_path, payments(500).assign(paid_at="soon"))
