"""Three hundred own fields of all kinds through the running service: scored with training's own features."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fraud.decoding.batch import hash_category, hash_id
from fraud.features.encoder import features_crc, features_fingerprint
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskTable, RiskTables
from local.testbed.bundles import serve, write_bundle
from local.testbed.scorer_run import ScorerRun
from runtime.platform_file import read_platform
from service.adapters.kafka.group import Reader
from tests.integration.service.test_service_handbook import send
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import build

pytestmark = pytest.mark.kafka

KINDS = {"n": ("number", 120), "f": ("flag", 60), "c": ("category", 116), "e": ("entity", 4)}
FIELDS = "".join(
    f'fields.{letter}{i}.kind = "{kind}"\n' for letter, (kind, count) in KINDS.items() for i in range(count)
)
EVENTS = 1_500
START = datetime(2025, 6, 1, tzinfo=UTC)


def attributes(draw: np.random.Generator) -> dict[str, object]:
    """Most fields, of the kinds that producers send, and some wrong ones."""
    values: dict[str, object] = {f"n{i}": round(float(draw.normal() * 50), 2) for i in range(120)}
    values |= {"n0": f"{draw.random():.4f}", "n1": int(draw.integers(10**6))}
    values |= {f"f{i}": bool(draw.random() < 0.4) for i in range(60)} | {"f0": int(draw.integers(2))}
    values |= {f"c{i}": f"v{draw.integers(3 + 10 * i)}" for i in range(116)} | {"c0": int(draw.integers(4))}
    values |= {f"e{i}": f"id{draw.integers(5 ** (i + 1))}" for i in range(4)}
    kept = {name: value for name, value in values.items() if draw.random() < 0.9}
    return kept | ({"n2": "many", "f2": "maybe"} if draw.random() < 0.1 else {}) | {"undeclared": "x"}


def events(draw: np.random.Generator) -> Iterator[dict[str, object]]:
    """Payments of a fortnight; half of them are declined, by outcomes without own fields."""
    for number in range(EVENTS):
        at = START + timedelta(minutes=number * 13)
        said: dict[str, object] = {
            "schema_version": "1.0",
            "transaction_id": f"t{number}",
            "customer_id": f"c{draw.integers(80)}",
            "card_id": f"k{draw.integers(90)}",
            "merchant_id": f"m{draw.integers(3)}",
            "amount": f"{draw.lognormal(3, 1):.2f}",
            "currency": "EUR",
        }
        yield said | {"type": "transaction", "event_time": at.isoformat(), "attributes": attributes(draw)}
        later = {"event_time": (at + timedelta(seconds=5)).isoformat(), "outcome_id": f"o{number}"}
        if draw.random() < 0.5:
            yield said | later | {"type": "outcome", "kind": "declined"}


def risks() -> RiskTables:
    """Tables that take effect in the middle of the stream."""
    middle = int((START + timedelta(days=7)).timestamp() * 1e6)
    keys = {"attribute_c1": hash_category("v1"), "attribute_e1": hash_id("id2"), "merchant": hash_id("m0")}
    high = np.full((1, len(RISK_WINDOWS_DAYS)), 7, np.float32)
    return RiskTables(RiskTable(entity, middle, np.array([key], np.uint64), high) for entity, key in keys.items())


@pytest.mark.timeout(900)  # minutes on a machine that compiles and does other things too
def test_own_fields_of_all_kinds_are_scored_with_the_features_that_training_sees(
    make_scorer: Callable[..., ScorerRun], tmp_path: Path
) -> None:
    models, lines = tmp_path / "models", tmp_path / "events.jsonl"
    values = [msgspec.json.encode(event) for event in events(np.random.default_rng(5))]
    lines.write_bytes(b"\n".join(values))
    scorer = make_scorer(fields=FIELDS)
    context = FeatureContext(read_platform(scorer.platform_file).platform)
    assert len(context.platform.fields) == 300
    write_bundle(models, 1, platform=context.platform, risk=risks())
    serve(models, 1, features=features_fingerprint(context.spec, context.config))
    send(scorer, values)
    service = scorer.service(models_dir=str(models))
    service.start()
    scorer.until_caught_up(seconds=600)
    metrics = service.get("/metrics")
    assert service.stop() == 0, service.last_line()

    dataset = build(lines, context=context, risk=risks())
    wanted = dict(zip(dataset.transaction_ids.tolist(), map(features_crc, dataset.features), strict=True))
    found = {}
    with closing(Reader(scorer.cluster, scorer.names["decisions_topic"])) as reader:
        for records in reader.replay(0, *reader.bounds(0)):
            for value in records.values:
                decision = msgspec.json.decode(value or b"")
                found[decision["transaction_id"]] = decision["features_crc"]
    assert len(wanted) == EVENTS
    assert found == wanted
    own = [name for name in dataset.names if name.startswith("attribute_")]
    columns = np.isfinite(dataset.in_columns(own).features)
    told = {name: bool(columns[:, place].any()) for place, name in enumerate(own)}
    unknown = [name for name, known in told.items() if not known and "_risk_" not in name]
    assert unknown == []
    assert told["attribute_c1_risk_7d"]
    assert told["attribute_e1_risk_7d"]
    for name in ("n2", "f2"):
        (count,) = re.findall(rf'^fraud_fields_ignored_total{{field="attributes.{name}"}} (\S+)$', metrics, re.M)
        assert float(count) > EVENTS / 20
