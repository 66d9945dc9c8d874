"""`make bench-handbook`: the Fraud Detection Handbook's protocol, four folds.

Trees on this project's features against the same trees on the book's own features, and the project's net, trained on
a fold's training week alone, beside what the book publishes for its models.
"""

from training.process import prepare_libraries

prepare_libraries()

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import click
import numpy as np
import numpy.typing as npt

from benchmarks.handbook.book import book_features
from benchmarks.handbook.data import NoData, open_handbook
from benchmarks.handbook.protocol import FOLDS, MEASURES, Fold, fold_of, measure
from benchmarks.report import Figure, report
from fraud.features.encoder import SPEC
from training.data.dataset import FRAUD, Dataset
from training.data.sample import Floats, Sample
from training.evaluation.scores import Scored
from training.modelling.trees.boosting import BoostOptions, booster_logits, fit_booster

TREES: Final = BoostOptions(trees=150, leaves=31, learning_rate=0.06, min_leaf=20, l2=5.0, columns=0.5, threads=1)
"""For both lists of features. One thread: on a busy machine two wait for each other."""

PUBLISHED: Final = {
    "logistic_regression": (0.606, 0.871, 0.291),
    "random_forest": (0.658, 0.867, 0.287),
    "xgboost": (0.639, 0.862, 0.273),
    "neural_net": (0.653, 0.864, 0.286),
}
"""The book's chapters 3 and 7 on fold 0: ap, auc, card_precision_100."""

PUBLISHED_MEAN: Final = {
    "random_forest": (0.678, 0.870, 0.299),
    "xgboost": (0.687, 0.869, 0.303),
    "neural_net": (0.675, 0.876, 0.303),
}
"""The book's chapters 5 and 7 over the four test folds, each model at the best settings of its grid."""

Measured = dict[str, list[dict[str, float]]]
"""Model -> its figures, fold by fold."""


def run(seed: int, *, net: bool, first: int = 0) -> Measured:
    """Every model on `FOLDS` folds, the first of which is `first`."""
    handbook = open_handbook()
    ours, (book, book_kinds) = handbook.ours, book_features(handbook.rows)
    kinds = [str(feature.kind) for feature in SPEC.features]
    fraud = ours.label == FRAUD
    found: Measured = defaultdict(list)
    for number in range(first, first + FOLDS):
        fold = fold_of(number, ours.time, ours.customer, fraud)
        test = ours.take(fold.test)
        scores = {
            "ours": trees(ours.features, kinds, fold, ours.label, seed=seed),
            "book": trees(book, book_kinds, fold, ours.label, seed=seed),
        }
        if net:
            from benchmarks.handbook.net import net_scores  # TensorFlow only where it is asked for

            scores["net"] = net_scores(Sample.of(ours.take(fold.train)), test.features, kinds, seed=seed)
        for name, score in scores.items():
            found[name].append(measure(score, _tested(test)))
            click.echo(f"fold {number} {name}: {found[name][-1]}", err=True)
    return found


def trees(features: Floats, kinds: Sequence[str], fold: Fold, label: npt.NDArray[np.int8], *, seed: int) -> Floats:
    """Log-odds of the fold's test by trees that learnt from its training week, float32 [t]."""
    booster = fit_booster(features[fold.train], label[fold.train], kinds, seed=seed, options=TREES)
    return booster_logits(booster, features[fold.test], kinds)


def _tested(test: Dataset) -> Scored:
    return Scored(np.zeros(len(test)), test.label == FRAUD, test.time, test.amount, test.customer, test.customer)


def figures_of(found: Measured) -> Iterator[Figure]:
    """Folds and means of what was measured, then what the book publishes."""
    for name, folds in found.items():
        for key in MEASURES:
            of_folds = [fold[key] for fold in folds]
            mean = float(np.mean(of_folds))
            yield Figure(f"handbook.{name}.{key}", mean, "mean of folds", min(of_folds), max(of_folds))
    for name, folds in found.items():
        for number, fold in enumerate(folds):
            yield from (Figure(f"handbook.fold{number}.{name}.{key}", fold[key], "") for key in MEASURES)
    for prefix, table in (("published", PUBLISHED_MEAN), ("published.fold0", PUBLISHED)):
        for model, values in table.items():
            for key, value in zip(MEASURES, values, strict=True):
                yield Figure(f"handbook.{prefix}.{model}.{key}", value, "published")


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--net/--no-net", default=True, show_default=True, help="Train the net as well; takes most of the time.")
@click.option("--first", default=0, show_default=True, help="First of the four folds; the book's own begin at 0.")
def main(*, seed: int, net: bool, first: int) -> None:
    """Measure and report."""
    try:
        found = run(seed, net=net, first=first)
    except NoData as error:
        click.echo(f"skipped: {error}", err=True)
        return
    report("bench-handbook", list(figures_of(found)), title="The handbook's protocol, four folds")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.handbook")
