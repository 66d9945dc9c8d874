"""The simulated data: how hard it is, and how fast it is made: `python -m benchmarks.simulator`.

Per platform: the Bayes-optimal average precision (AP), and what share of it boosted trees reach on raw fields of the
payment alone and on the service's features with history. Both learn from the truth, so that the figures speak of the
events and not of the labels; the last 40 % of time is the test.
"""

from training.process import prepare_libraries

prepare_libraries()

import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc
from rich.console import Console
from sklearn.metrics import average_precision_score

from benchmarks.report import Figure, report
from fraud.decoding.batch import hash_category
from fraud.features.encoder import SPEC
from runtime.event_tables import to_json
from simulator.config import PRESETS, SimulationConfig, preset
from simulator.output.files import write_simulation
from simulator.simulation import Simulation, simulate
from simulator.truth.observables import euros
from training.data.replayed_stream import build
from training.modelling.trees.boosting import BoostOptions, booster_logits, fit_booster

TRANSACTIONS: Final = 300_000
SEEDS: Final = (21, 22, 23)
TRAINING_SHARE: Final = 0.6
MILLION: Final = 1_000_000
OPTIONS: Final = BoostOptions(trees=200, leaves=15, learning_rate=0.04, min_leaf=40)
"""The same for raw fields and for features."""

CATEGORIES: Final = (
    "currency", "merchant_id", "merchant_category", "bin", "card_country", "card_funding", "wallet", "ip_country",
    "ip_asn", "email_domain", "billing_country", "shipping_country", "shipping_method", "channel", "initiator",
)  # fmt: skip
FLAGS: Final = ("is_recurring", "is_guest", "is_digital")
NUMBERS: Final = ("attempt_no", "items_count", "tz_offset_min")

Floats = npt.NDArray[np.float32]


def raw_fields(simulation: Simulation) -> tuple[Floats, list[str]]:
    """What one payment says by itself, comparisons within it included: float32 [n, d], and the kinds of the columns."""
    events = simulation.events
    frame = events.filter(pc.equal(events["type"], "transaction")).to_pandas()
    columns: dict[str, Any] = {}
    for name in CATEGORIES:
        words = frame[name].dropna().unique()
        columns[name] = frame[name].map({word: hash_category(word) for word in words})
    for name in (*FLAGS, *NUMBERS):
        columns[name] = frame[name]
    local = frame.event_time.dt.hour + frame.tz_offset_min / 60
    columns |= {
        "amount": euros(simulation.attempts),
        "cents": frame.amount % 100,
        "hour": local % 24,
        "weekday": frame.event_time.dt.day_of_week,
        "account_days": (frame.event_time - frame.account_created_at).dt.total_seconds() / 86400,
        "card_days": (frame.event_time - frame.card_added_at).dt.total_seconds() / 86400,
        "ip_abroad": frame.ip_country != frame.card_country,
        "card_abroad": frame.card_country != frame.billing_country,
        "ships_elsewhere": frame.shipping_address_hash != frame.billing_address_hash,
        "has_phone": frame.phone_hash.notna(),
    }
    kinds = ["category"] * len(CATEGORIES) + ["number"] * (len(columns) - len(CATEGORIES))
    return pd.DataFrame(columns).astype(np.float32).to_numpy(), kinds


def history_features(simulation: Simulation) -> tuple[Floats, list[str]]:
    """The service's features, by its own code: float32 [n, d], and the kinds of the columns. No labels are known."""
    with tempfile.TemporaryDirectory() as folder:
        write_simulation(simulation, Path(folder))
        dataset = build(Path(folder) / "events.parquet")
    assert dataset.transaction_ids.tolist() == simulation.truth["transaction_id"].to_pylist()
    return dataset.features, [str(feature.kind) for feature in SPEC.features]


def average_precision(features: Floats, kinds: list[str], fraud: npt.NDArray[np.bool_], seed: int) -> float:
    """AP on the last of the time of trees that learned from the first."""
    cut = int(TRAINING_SHARE * len(fraud))
    booster = fit_booster(features[:cut], fraud[:cut], kinds, seed=seed, options=OPTIONS)
    return float(average_precision_score(fraud[cut:], booster_logits(booster, features[cut:], kinds)))


def difficulty(name: str, platform: int, say: Console) -> list[Figure]:
    """Figures of one platform over the seeds."""
    values: dict[str, list[float]] = {"bayes_ap": [], "raw_share": [], "history_share": [], "base_rate": []}
    for seed in SEEDS:
        config = preset(name, source=SimulationConfig(transactions=TRANSACTIONS, seed=seed))[platform]
        simulation = simulate(config)
        fraud, cut = simulation.attempts.fraud, int(TRAINING_SHARE * TRANSACTIONS)
        best = float(average_precision_score(fraud[cut:], simulation.probability[cut:]))
        raw = average_precision(*raw_fields(simulation), fraud, seed)
        history = average_precision(*history_features(simulation), fraud, seed)
        say.print(f"{name} {config.platform} seed {seed}: Bayes {best:.3f}, raw {raw:.3f}, history {history:.3f}")
        values["bayes_ap"].append(float(average_precision_score(fraud, simulation.probability)))
        values["raw_share"].append(raw / best)
        values["history_share"].append(history / best)
        values["base_rate"].append(100 * float(fraud.mean()))
    label = "source" if platform == 0 else name
    units = {"bayes_ap": "AP", "raw_share": "of Bayes AP", "history_share": "of Bayes AP", "base_rate": "%"}
    return [Figure.of(f"{label}.{key}", list_, units[key]) for key, list_ in values.items()]


def speed() -> list[Figure]:
    """Processor seconds of one core for a million transactions, and of wire JSON."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        simulation = simulate(SimulationConfig(transactions=MILLION, seed=1))
        write_simulation(simulation, Path(folder))
        written = time.process_time() - begun
    some = simulation.events.slice(0, 200_000)
    begun = time.process_time()
    count = sum(1 for _ in to_json(some))
    per_event = (time.process_time() - begun) / count
    return [
        Figure("million_transactions_s", written, "CPU s, Parquet written"),
        Figure("json_event_us", per_event * 1e6, "CPU µs an event"),
    ]


def main() -> None:
    """Measures and reports."""
    say = Console(stderr=True)
    figures = speed()
    figures += difficulty("positive", 0, say)
    for name in PRESETS:
        figures += difficulty(name, 1, say)
    report("bench-simulator", figures, title="The simulated data")


if __name__ == "__main__":
    main()
