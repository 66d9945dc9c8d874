"""Event streams replayed through the service's own history and features, into rows to learn from."""

from training.datasets.dataset import END_OF_TIME, Dataset, Identity, InvalidDataset, draw_labels
from training.datasets.events import Events
from training.datasets.risk import RiskPlan
from training.datasets.stream import Stream, build, count_risk, from_stream, read_stream, to_stream
from training.datasets.world import World

__all__ = [
    "END_OF_TIME",
    "Dataset",
    "Events",
    "Identity",
    "InvalidDataset",
    "RiskPlan",
    "Stream",
    "World",
    "build",
    "count_risk",
    "draw_labels",
    "from_stream",
    "read_stream",
    "to_stream",
]
