"""Write the dashboards: ``python -m tools.dashboards``."""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tools.dashboards.business import BUSINESS
from tools.dashboards.gateway import GATEWAY
from tools.dashboards.model_quality import MODEL_QUALITY
from tools.dashboards.operations import OPERATIONS
from tools.dashboards.panels import Board, dashboard_of

BOARDS: Final = (OPERATIONS, MODEL_QUALITY, BUSINESS, GATEWAY)
FOLDER: Final = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"


def text_of(board: Board) -> str:
    """Return the dashboard's JSON, the same bytes for the same board."""
    return json.dumps(dashboard_of(board).build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def path_of(board: Board) -> Path:
    """Return where the board's JSON is kept."""
    return FOLDER / f"{board.uid.removeprefix('fraudstream-')}.json"


if __name__ == "__main__":
    for each in BOARDS:
        path_of(each).write_text(text_of(each), encoding="utf-8")
