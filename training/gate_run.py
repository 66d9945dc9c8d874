"""Candidate and champion on the same payments, ready for the gate."""

from training.datasets import Dataset, World, from_stream
from training.datasets.stream import Stream
from training.evaluate import Model, check_features, scores_of, to_scored
from training.gate import Holdout, Traffic


def scored_by(model: Model, stream: Stream, world: World, *, as_of: int) -> Dataset:
    """The stream as this version sees it, its own risk tables in use; labels as of a time (µs)."""
    dataset = from_stream(stream, world, as_of=as_of, risk=model.risk)
    check_features(model, dataset)
    return dataset


def holdout(name: str, candidate: tuple[Model, Dataset], champion: tuple[Model, Dataset] | None) -> Holdout:
    """One holdout from rows that were chosen alike in both data sets.

    Args:
        name: "matured" or "frozen".
        candidate: the version and its rows.
        champion: the same rows as the champion sees them; None without one.
    """
    model, rows = candidate
    known = rows.labelled()
    return Holdout(
        name,
        to_scored(known, scores_of(model.path, known.features)),
        None if champion is None else scores_of(champion[0].path, champion[1].labelled().features),
        segments=known.segments,
    )


def traffic(
    candidate: tuple[Model, Dataset], champion: tuple[Model, Dataset], *, budget: float | None = None
) -> Traffic:
    """The same payments, labelled or not, as both see them."""
    (new, rows), (old, theirs) = candidate, champion
    return Traffic(rows.amount, scores_of(new.path, rows.features), scores_of(old.path, theirs.features), budget)
