"""Logs for the history: attempts, outcomes, repeats and conflicts, at times where windows begin and end."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from fraud.decoding.batch import Batch, Kind
from fraud.decoding.own_fields import OwnFields
from fraud.features.phrases import Wording
from fraud.features.spec import SEEN, Feature, FeatureSpec, valid_source
from fraud.history.history import HistoryConfig
from fraud.history.kernel.layout import KINDS
from fraud.history.kernel.measures import MEASURES
from fraud.history.kernel.own.values import SPAN_NAMES
from tests.support.event_columns import START, event
from tests.support.history_oracle import DAY, HOUR, MINUTE, OWN_ENTITIES, PARTNERS

OWN_FIELDS = OwnFields(numbers=("level",), categories=("tier", "agent"), entities=("store", "lane"))
CONFIG = HistoryConfig(
    ring=8, degree_cap=2, busy_days=2, max_entities=4096, max_entries=8192, max_bucketed=64, recent_capacity=4096,
    tidy_every=7, own_entities=OWN_FIELDS.entities, own_categories=OWN_FIELDS.categories,
)  # fmt: skip
SEEN_MEASURES = tuple(f"{name}_{span}" for name in OWN_FIELDS.categories for span in SPAN_NAMES)
EVERYTHING = FeatureSpec(
    tuple(
        Feature(name=f"{kind}.{measure}", meaning="", source=(kind, measure), wording=Wording(""), group=kind)
        for kind in (*KINDS, *OWN_ENTITIES, SEEN)
        for measure in (*MEASURES, *SEEN_MEASURES)
        if valid_source((kind, measure), OWN_FIELDS)
    ),
    OWN_FIELDS,
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STEPS = [
    0,
    1,
    MINUTE,
    10 * MINUTE - 1,
    10 * MINUTE,
    HOUR,
    5 * HOUR,
    DAY - 1,
    DAY,
    7 * DAY,
    29 * DAY,
    30 * DAY,
    33 * DAY,
]
LATENESS = [0, 0, 0, 1, 10 * MINUTE, 20 * HOUR]


def _pick(pool: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *(f"{pool}{i}" for i in range(4))])


@st.composite
def logs(draw: Callable[..., object], most: int = 45) -> list[Batch]:
    """A log of attempts, outcomes, repeats and conflicts; some late, never by a day or more."""
    events: list[Batch] = []
    now = 0
    for number in range(draw(st.integers(1, most))):  # type: ignore[call-overload]  # hypothesis' draw is untyped here
        earlier = [e for e in events if e.kind[0] == Kind.TRANSACTION]
        what = draw(st.sampled_from(["new"] * 7 + ["outcome"] * 3 + ["repeat", "conflict"]))
        now += draw(st.sampled_from([0, 1, MINUTE, 10 * MINUTE] * 3 + STEPS))  # type: ignore[operator]
        if what == "new" or not earlier:
            events.append(_attempt(draw, number, now - draw(st.sampled_from(LATENESS))))  # type: ignore[operator]
            continue
        recent = [e for e in earlier if START + now - int(e.time[0]) < DAY]  # a later repeat is an event a day late
        old: Batch = draw(st.sampled_from(earlier if what == "outcome" or not recent else recent))  # type: ignore[assignment]
        if what != "outcome" and not recent:
            continue
        if what == "outcome":
            kind = draw(st.sampled_from(list(Kind)[1:]))
            told = replace(old, kind=np.array([kind], np.uint8), time=np.array([START + now]))
            if draw(st.booleans()):  # hardly any producer repeats its own fields
                told = replace(told, attributes=told.attributes * np.float32("nan"), own_ids=told.own_ids * 0)
            events.append(told)
        elif what == "repeat":
            events.append(old)
        else:
            events.append(replace(old, amount=old.amount + 1))
    return events


def _attempt(draw: Callable[..., object], number: int, at: int) -> Batch:
    ids = {entity: draw(_pick(entity)) for entity in (*PARTNERS, "bin", "merchant")}
    ids["customer"] = ids["customer"] or "customer0"
    country = draw(_pick("country"))
    return event(
        f"t{number}",
        at=at,
        amount=draw(st.sampled_from([0.0, 0.5, 2.0, 10.0, 99.99, 12345.678901])),  # type: ignore[arg-type]
        order=draw(st.sampled_from([None, None, "o1", "o2"])),  # type: ignore[arg-type]
        categories={"shipping_country": country} if country else {},  # type: ignore[dict-item]
        integers={"is_merchant_initiated": draw(st.sampled_from([0, 0, 0, 1]))},  # type: ignore[dict-item]
        attributes=[1.5, *(draw(st.sampled_from([math.nan, 1, 2, 5000])) for _ in OWN_FIELDS.categories)],  # type: ignore[list-item]
        own=[draw(_pick(name)) for name in OWN_FIELDS.entities],  # type: ignore[misc]
        **ids,  # type: ignore[arg-type]
    )
