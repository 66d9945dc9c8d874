"""What to look for in columns before believing a model: constants, repetitions, leaks, gaps that tell, drift."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from training.data.sample import Floats, Sample, some_rows, thin
from training.modelling.columns.raw import raw_columns

ROWS: Final = 20_000
"""Looked at; all frauds are among them."""

LEAK_AUC: Final = 0.985
LEAK_PRECISION: Final = 0.9
"""A column that alone ranks frauds so well hardly knew them beforehand."""

DRIFT_AUC: Final = 0.9
"""By one column alone, early payments are told from late ones."""

GAP: Final = 0.4
"""Difference between two shares of missing values that is worth a word."""

FEW_FRAUDS: Final = 10
FEW_ROWS: Final = 500
LISTED: Final = 10


def usable_columns(parts: Sequence[Floats]) -> list[int]:
    """Columns that vary and do not repeat an earlier one, over all parts [n_i, d]."""
    rows = np.concatenate([some_rows(part, ROWS, seed=0) for part in parts if len(part)])
    kept, seen = [], set()
    for column in range(rows.shape[1]):
        key = _key(rows[:, column])
        if not _constant(rows[:, column]) and key not in seen:
            kept.append(column)
            seen.add(key)
    return kept


def column_warnings(target: Sample, unlabelled: Floats, names: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """One line for each thing that is odd about the payment's own columns; the columns are named.

    Args:
        target: labelled rows in time order.
        unlabelled: rows as they come, in time order, float32 [u, d].
        names: of the features.
        kinds: of the features.
    """
    columns = raw_columns(names)
    labelled = thin(target, ROWS, seed=0)
    ordered = some_rows(target.features if len(target) >= FEW_ROWS else unlabelled, ROWS, seed=0)
    found = [*_useless(some_rows(unlabelled, ROWS, seed=0), columns, names)]
    for column in columns:
        values, kind = labelled.features[:, column], kinds[column]
        if _constant(values):
            continue
        if FEW_FRAUDS <= labelled.frauds <= len(labelled) - FEW_FRAUDS:
            found += _told_by_label(values, labelled.label, names[column], kind)
        if len(ordered) >= FEW_ROWS:
            found += _told_by_time(ordered[:, column], names[column], kind)
    return found


def _useless(rows: Floats, columns: Sequence[int], names: Sequence[str]) -> Iterator[str]:
    first: dict[bytes, str] = {}
    constant = []
    for column in columns:
        name = names[column]
        if _constant(rows[:, column]):
            # A platform lacks many standard fields; its own it has declared.
            constant += [name] if name.startswith("attribute_") else []
        elif (same := first.setdefault(_key(rows[:, column]), name)) != name:
            yield f"{name} repeats {same}: it was left out"
    if constant:
        more = f" and {len(constant) - LISTED} more" if len(constant) > LISTED else ""
        yield f"never two values, left out: {', '.join(constant[:LISTED])}{more}"


def _told_by_label(values: Floats, label: npt.NDArray[np.int8], name: str, kind: str) -> Iterator[str]:
    score = _rates(values, label) if kind == "category" else values
    held = np.arange(len(label)) % 2 == 0 if kind == "category" else np.ones(len(label), bool)
    if 0 < label[held].sum() < held.sum():
        auc, precision = _ranked(score[held], label[held])
        if auc >= LEAK_AUC or precision >= LEAK_PRECISION:
            yield (
                f"{name} alone nearly tells fraud (ROC AUC {auc:.3f}, average precision {precision:.2f}): "
                "was it known at the time of the payment?"
            )
    missing = np.isnan(values)
    fraud, genuine = (float(missing[label == side].mean()) for side in (1, 0))
    if abs(fraud - genuine) >= GAP:
        yield f"{name} is missing in {fraud:.0%} of the frauds and {genuine:.0%} of the others: is it filled in later?"


def _told_by_time(values: Floats, name: str, kind: str) -> Iterator[str]:
    third = len(values) // 3
    early, late = values[:third], values[-third:]
    gone, come = float(np.isnan(early).mean()), float(np.isnan(late).mean())
    if abs(gone - come) >= GAP:
        yield f"{name} is missing in {gone:.0%} of the early payments and {come:.0%} of the late ones"
        return
    if kind == "category" or _constant(values):
        return
    both = np.concatenate([early, late])
    known = ~np.isnan(both)
    side = (np.arange(len(both)) >= third).astype(np.int8)[known]
    if 0 < side.sum() < len(side):
        auc = _auc(both[known], side)
        if max(auc, 1 - auc) >= DRIFT_AUC:
            yield f"{name} {'rises' if auc > 0.5 else 'falls'} with time (ROC AUC of late against early {auc:.2f})"


def _ranked(score: Floats, label: npt.NDArray[np.int8]) -> tuple[float, float]:
    """(ROC AUC, average precision) of the better direction."""
    filled = np.where(np.isnan(score), np.nanmin(score) - 1, score)
    auc = _auc(filled, label)
    precision = max(average_precision_score(label, side * filled) for side in (1, -1))
    return max(auc, 1 - auc), float(precision)


def _auc(score: Floats, label: npt.NDArray[np.int8]) -> float:
    positive = label == 1
    n, m = int(positive.sum()), int((~positive).sum())
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * m))


def _rates(values: Floats, label: npt.NDArray[np.int8]) -> Floats:
    """Fraud rate of each row's category among the odd rows, one fraud in a hundred assumed beforehand."""
    codes = np.unique(np.nan_to_num(values, nan=-1.0), return_inverse=True)[1]
    odd = np.arange(len(label)) % 2 == 1
    counts = np.bincount(codes[odd], minlength=codes.max() + 1)
    frauds = np.bincount(codes[odd], weights=label[odd], minlength=codes.max() + 1)
    return np.asarray((frauds + 0.01) / (counts + 1), np.float32)[codes]


def _constant(values: Floats) -> bool:
    """Never two values; a value that is sometimes missing tells something."""
    missing = np.isnan(values)
    return bool(missing.all() or (not missing.any() and (values == values[0]).all()))


def _key(values: Floats) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
