"""Event streams replayed through the service's own history and features, into rows to learn from."""

from training.datasets.dataset import END_OF_TIME, Dataset, Identity, InvalidDataset, draw_labels

__all__ = ["END_OF_TIME", "Dataset", "Identity", "InvalidDataset", "draw_labels"]
