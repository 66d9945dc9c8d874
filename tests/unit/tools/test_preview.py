"""The drawing of a dashboard: values and colours as Grafana would choose them, and what it is."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tools.dashboards.__main__ import text_of
from tools.dashboards.panels import Board, Panel, Query, Row, number, told
from tools.dashboards.preview import COLOURS, Series, page


class Fixed:
    """Answers every query with the same lines."""

    def __init__(self, *series: Series) -> None:
        self.series = list(series)

    def read(self, query: Mapping[str, Any]) -> list[Series]:
        assert query["expr"] == "x"
        return self.series


def drawn(panel: Panel, *series: Series) -> str:
    board = Board("b", "Board", "What it shows.", (Row("Row", (panel,)),))
    return page(json.loads(text_of(board)), Fixed(*series), since=0.0, until=10.0)


@pytest.mark.parametrize(("value", "colour"), [(5.0, "green"), (10.0, "orange"), (59.0, "orange"), (60.0, "red")])
def test_a_tile_has_the_colour_of_the_threshold_that_its_newest_value_reached(value: float, colour: str) -> None:
    text = drawn(number("Behind", "x", "s", orange=10, red=60), Series("", [1.0, 2.0], [99.0, value]))
    assert f"background: {COLOURS[colour]}" in text
    assert told(value, "s") in text
    assert "Behind (&lt; 10 s)" in text


def test_small_values_are_the_bad_ones_where_red_lies_below_orange() -> None:
    panel = number("Recall", "x", "percentunit", orange=0.5, red=0.3)
    assert "Recall (≥ 50 %)" in drawn(panel)
    assert COLOURS["red"] in drawn(panel, Series("", [1.0], [0.2]))
    assert COLOURS["green"] in drawn(panel, Series("", [1.0], [0.5]))


def test_names_of_what_is_gone_are_not_shown() -> None:
    panel = Panel("Champion", (Query("x", "v{{version}}"),), kind="name")
    text = drawn(panel, Series("v1", [1.0], [1.0]), Series("v2", [1.0, 2.0], [1.0, 1.0]))
    assert "v2" in text
    assert "v1" not in text


def test_a_graph_names_its_lines_and_an_empty_panel_says_so() -> None:
    panel = Panel("Rate", (Query("x", "{{kind}}"),), "reqps")
    assert "<svg" in drawn(panel, Series("outcome", [1.0, 2.0], [1.0, 2.0]))
    assert "No data" in drawn(panel)


def test_it_does_not_pass_for_grafana() -> None:
    assert "not Grafana" in drawn(Panel("Rate", (Query("x"),)))


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(0.0012, "s", "1.2 ms"), (90, "s", "1.5 min"), (1_209_600, "s", "14 days"), (0.001, "percentunit", "0.1 %"),
     (5_120_000, "bytes", "5.12 MB"), (12_345.6, "short", "12,346"), (-3, "short", "-3"), (0, "s", "0 s"),
     (12.5, "reqps", "12.5 /s")],
)  # fmt: skip
def test_values_are_told_in_their_unit(value: float, unit: str, said: str) -> None:
    assert told(value, unit) == said
