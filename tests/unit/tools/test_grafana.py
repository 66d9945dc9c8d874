"""The dashboards: what is committed is what the code says, and Grafana's schema knows every field."""

import json
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tools.dashboards.__main__ import BOARDS, FOLDER, path_of, text_of
from tools.dashboards.panels import Board

boards = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def committed(board: Board) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path_of(board).read_text(encoding="utf-8"))
    return loaded


@boards
def test_the_committed_json_is_what_the_code_says(board: Board) -> None:
    stale = "run python -m tools.dashboards"
    assert path_of(board).read_text(encoding="utf-8") == text_of(board), stale


@boards
def test_grafanas_schema_knows_every_field(board: Board) -> None:
    """Grafana's models drop what they do not know, so that only a valid dashboard survives the round trip."""
    parsed = Dashboard.from_json(committed(board))
    assert json.loads(json.dumps(parsed, cls=JSONEncoder)) == committed(board)


@boards
def test_panels_have_ids_of_their_own_titles_and_a_place(board: Board) -> None:
    panels = [panel for panel in committed(board)["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)
    places = [panel["gridPos"] for panel in panels]
    assert len({(place["x"], place["y"]) for place in places}) == len(panels)
    assert all(place["x"] + place["w"] <= 24 for place in places)


def test_every_dashboard_has_a_uid_of_its_own_and_nothing_else_lies_in_the_folder() -> None:
    assert len({board.uid for board in BOARDS}) == len(BOARDS)
    assert set(FOLDER.iterdir()) == {path_of(board) for board in BOARDS}


def test_grafana_is_given_the_data_source_and_the_folder_that_panels_and_stack_name() -> None:
    provisioning = FOLDER.parent / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    for board in BOARDS:
        panels = [panel for panel in committed(board)["panels"] if panel["type"] != "row"]
        assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "fraudstream.yml").read_text())["providers"]
    compose = yaml.safe_load((FOLDER.parents[2] / "docker-compose.yml").read_text())
    mounts = dict(mount.split(":")[:2] for mount in compose["services"]["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {f"{provider['options']['path']}/{path_of(board).name}" for board in BOARDS}
