"""`make bench-score`: what it costs to score with a bundle, on one core, at the batch sizes that a service has.

Models are untrained: the time depends on their size alone. Features are random, of the real spec's kinds and width.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time

import click
import numpy as np
import numpy.typing as npt

from benchmarks.report import Figure, report

REPEATS = 60
SIZES = (1, 100, 1000, 4096)
OWN_FIELDS = 300
FEWER = (0.5, 0.95, 0.999)
"""Edges of a student's bins, half of the usual."""

CALIBRATION_SLOPE = 0.7


def spec_rows(
    rows: int, seed: int, *, own: int = 0
) -> tuple[npt.NDArray[np.float32], tuple[str, ...], tuple[str, ...]]:
    """(features [rows, d], kinds, names) like the default spec's: skewed numbers, flags, hashes, a fifth missing.

    `own` fields of the platform's own follow, an eighth of them flags and an eighth categories.
    """
    from fraud.features.encoder import SPEC

    rng = np.random.default_rng(seed)
    others = ["flag", "category", *["number"] * 6]
    kinds = (*(str(f.kind) for f in SPEC.features), *(others[field % 8] for field in range(own)))
    features = np.exp(rng.normal(size=(rows, len(kinds))) * 2).astype(np.float32)
    for column, kind in enumerate(kinds):
        if kind == "flag":
            features[:, column] = features[:, column] > 1
        elif kind == "category":
            features[:, column] = rng.integers(1, 2**24, rows)
    features[rng.random(features.shape) < 0.2] = np.nan
    return features, kinds, (*SPEC.names, *(f"attribute_{field}" for field in range(own)))


def export(root: Path, kind: str, seed: int) -> Path:
    """A bundle with a student ("net") or trees of the default size ("trees")."""
    from fraud.models.bundle import TrainedOn
    from training.data.dataset import Identity
    from training.modelling.boosting_graph import Forest
    from training.modelling.calibration import Calibration
    from training.modelling.contributions import reference_row
    from training.modelling.distillation import DistilOptions
    from training.modelling.encoder import fit_encoding
    from training.modelling.export import Candidate, export_bundle, golden_rows
    from training.modelling.network import build_net
    from training.modelling.trees.boosting import fit_booster

    features, kinds, names = spec_rows(20_000, seed)
    label = (np.nansum(features[:, :30], axis=1) > np.quantile(np.nansum(features[:, :30], axis=1), 0.95)).astype(int)
    booster = fit_booster(features, label, kinds, seed=seed)
    options = DistilOptions()
    encoding = fit_encoding([features], kinds, options=options.encoding, seed=seed)
    net = build_net(encoding, features=len(kinds), seed=seed, options=options.net)
    line = Calibration(np.zeros(1, np.float32), np.array([CALIBRATION_SLOPE], np.float32), 0.0)
    candidate = Candidate(
        scorer=net if kind == "net" else Forest(booster, kinds),
        calibration=line,
        reference=reference_row(features, kinds),
        names=names,
        golden=golden_rows(features, seed=seed),
        strategy="joint_distilled" if kind == "net" else "boosted",
        seed=seed,
        prior=0.01,
        trained_on=TrainedOn(),
        report={},
    )
    identity = Identity("0" * 16, "0" * 16)
    version = export_bundle(root, candidate, identity=identity, created_at=datetime.now(UTC), parent=None, policy=b"{}")
    return root / "candidates" / str(version)


def own_field_scorers(seed: int) -> dict[str, Callable[[object], object]]:
    """What can be served of 300 own fields: a student as it is, with fewer bins, compiled by XLA; a stack's trees."""
    import tensorflow as tf

    from training.modelling.boosting_graph import Forest
    from training.modelling.distillation import DistilOptions
    from training.modelling.encoder import fit_encoding
    from training.modelling.network import build_net
    from training.modelling.strategies.stack.stack_graph import Stack
    from training.modelling.trees.boosting import PLAIN, fit_booster, fit_forest

    features, kinds, _ = spec_rows(20_000, seed, own=OWN_FIELDS)
    label = (np.nan_to_num(features[:, -OWN_FIELDS::3]).sum(axis=1) > 1e4).astype(int)
    options = DistilOptions()

    def net(quantiles: tuple[float, ...]) -> Callable[[object], object]:
        encoding = fit_encoding([features], kinds, options=replace(options.encoding, quantiles=quantiles), seed=seed)
        made: Callable[[object], object] = build_net(encoding, features=len(kinds), seed=seed, options=options.net)
        return made

    usual = net(options.encoding.quantiles)
    boosters = [(fit_booster(features, label, kinds, seed=s, options=PLAIN), 0.5) for s in (1, 2)]
    forest = Forest(fit_forest(features, label, kinds, seed=seed), kinds)
    scorers: dict[str, Callable[[object], object]] = {
        "student": usual,
        "student_fewer_bins": net(FEWER),
        "trees": Forest(boosters, kinds),
        "trees_and_forest": Stack(trees=Forest(boosters, kinds), nets=[], forests=[(forest, 0.2)], shift=0.0),
    }
    signature = [tf.TensorSpec([None, len(kinds)], tf.float32)]
    compiled = {name: tf.function(scorer, input_signature=signature) for name, scorer in scorers.items()}
    return compiled | {"student_xla": tf.function(usual, jit_compile=True)}


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Processor time of a warm call: what it takes on a core that nobody else uses, however busy the machine is."""
    for _ in range(5):
        call()
    times = []
    for _ in range(repeats):
        started = process_time()
        call()
        times.append(1000 * (process_time() - started))
    return times


@click.command()
@click.option("--seed", default=1, show_default=True)
def main(*, seed: int) -> None:
    """Export, load, time."""
    # One core, as a service's scoring thread has beside its others.
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    figures = []
    rows = spec_rows(max(SIZES), seed + 1)[0]
    for kind, prefix in (("net", "score"), ("trees", "score_trees")):
        with tempfile.TemporaryDirectory() as folder:
            loaded = tf.saved_model.load(str(export(Path(folder), kind, seed)))
            serve, explain = loaded.signatures["serve"], loaded.signatures["explain"]
            for size in SIZES:
                times = milliseconds(partial(serve, features=tf.constant(rows[:size])))
                figures.append(Figure.of(f"{prefix}_{size}_rows_ms", times, "ms"))
            times = milliseconds(partial(explain, features=tf.constant(rows[:10])))
            figures.append(Figure.of(f"{prefix}_explain_10_rows_ms", times, "ms"))
    wide = spec_rows(1000, seed + 1, own=OWN_FIELDS)[0]
    for name, scorer in own_field_scorers(seed).items():
        times = milliseconds(partial(scorer, tf.constant(wide)))
        figures.append(Figure.of(f"score_{OWN_FIELDS}_own_fields_{name}_1000_rows_ms", times, "ms"))
    report("bench-score", figures, title="Processor time of one SavedModel on one core; trees: 150 of 31 leaves")


if __name__ == "__main__":
    main()
