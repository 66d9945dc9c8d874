"""The columns that a payment brings itself: of the event or its attributes, without history and without risk."""

import re
from collections.abc import Sequence
from typing import Final

from fraud.features.encoder import SPEC
from fraud.features.spec import ATTRIBUTE, EVENT, RISK

OWN: Final = "attribute_"
"""Features of a platform's own fields begin like this."""

RISK_COLUMN: Final = re.compile(r"_risk_\d+d$")
"""Features that dated tables of reported frauds fill."""


def raw_columns(names: Sequence[str]) -> list[int]:
    """Positions of the features that are read off the payment alone.

    An own field's value is called as the field. Categories and entities have a risk beside it, by which they are known
    here, and further columns of history whose names end as the standard entities' do.
    """
    event = {feature.name for feature in SPEC.features if feature.source[0] == EVENT}
    counted = [
        (f"{stem}_", measure)
        for stem in {RISK_COLUMN.sub("", name) for name in names if name.startswith(OWN) and RISK_COLUMN.search(name)}
        for measure in _measures()
    ]
    derived = {stem + measure for stem, measure in counted}
    return [
        column
        for column, name in enumerate(names)
        if name in event or (name.startswith(OWN) and name not in derived and not RISK_COLUMN.search(name))
    ]


def _measures() -> set[str]:
    """What stands behind an entity's name in the features of its history."""
    standard = (feature for feature in SPEC.features if feature.source[0] not in {EVENT, ATTRIBUTE, RISK})
    return {feature.name.removeprefix(f"{feature.source[0]}_") for feature in standard} | {"seen_24h", "seen_30d"}
