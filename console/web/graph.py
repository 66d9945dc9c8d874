"""The graph of linked payments as coordinates: the payment in the middle, what it shares around it, others outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final

from console.projection.case_view import Link

WIDTH: Final = 640
HEIGHT: Final = 360
OTHERS: Final = 5
"""Payments drawn of each link, the newest."""


@dataclass(frozen=True, slots=True)
class Node:
    """A circle with a caption; `case_id` of a payment that has a case."""

    x: float
    y: float
    kind: str
    caption: str
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes, and lines between them as (x1, y1, x2, y2)."""

    nodes: Sequence[Node]
    lines: Sequence[tuple[float, float, float, float]]


def drawing(links: Sequence[Link], transaction_id: str) -> Drawing:
    """Links that reach another payment, in a ring."""
    shared = [link for link in links if link.count > 1]
    nodes, lines = [Node(WIDTH / 2, HEIGHT / 2, "payment", "")], []
    for place, link in enumerate(shared):
        angle = 2 * pi * place / len(shared) - pi / 2
        x, y = _at(angle, 0.45)
        nodes.append(Node(x, y, link.kind, str(link.count)))
        lines.append((WIDTH / 2, HEIGHT / 2, x, y))
        others = [row for row in link.payments if row["transaction_id"] != transaction_id][:OTHERS]
        for number, row in enumerate(others):
            spread = (number - (len(others) - 1) / 2) * min(0.35, 1.6 / len(shared) / max(1, len(others)))
            far_x, far_y = _at(angle + spread, 0.92)
            nodes.append(Node(far_x, far_y, "other", "", row["case_id"]))
            lines.append((x, y, far_x, far_y))
    return Drawing(nodes, lines)


def _at(angle: float, radius: float) -> tuple[float, float]:
    return round(WIDTH / 2 * (1 + radius * cos(angle)), 1), round(HEIGHT / 2 * (1 + radius * sin(angle)), 1)
