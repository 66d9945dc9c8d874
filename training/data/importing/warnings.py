"""What an import tells of a table that will teach less than its owner hopes: frauds, label values, countries, ids."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from training.data.importing.labels import LabelValues
from training.data.importing.mapping import Mapping, listed

COUNTRIES: Final = ("card_country", "ip_country", "billing_country", "shipping_country")
MANY_FRAUDS: Final = 0.2
ODD_COUNTRIES: Final = 0.05
"""Share of values that are no country codes from which on the column is told."""

SHOWN: Final = 5


def warnings_of(
    transactions: pa.Table, labels: int, mapping: Mapping, values: LabelValues, unreadable: Counter[str]
) -> list[str]:
    """One line each.

    Args:
        transactions: that were accepted, not empty.
        labels: how many of them are frauds.
        mapping: what became what.
        values: what the label column held.
        unreadable: attribute -> rows in which it was no number.
    """
    lost = [
        f"attribute {name}: {count:,} values are no numbers and are missing"
        for name, count in unreadable.items()
        if count
    ]
    return [
        *_of_labels(len(transactions), labels, mapping, values),
        *_of_countries(transactions),
        *_of_ids(transactions),
        *lost,
    ]


def _of_labels(rows: int, frauds: int, mapping: Mapping, values: LabelValues) -> list[str]:
    label = mapping.label
    if label is None:
        return []
    told = []
    unlike = [value for value in values.fraud if value not in label.fraud]
    if unlike:
        told.append(f"label {label.column}: {quoted(values.fraud, unlike)} counted as {listed(label.fraud)}")
    if values.other and (label.genuine or frauds == 0):
        meaning = "say nothing about their payments" if label.genuine else "count as genuine"
        told.append(
            f"label {label.column}: {quoted(values.other)} {meaning}; the mapping says fraud = {list(label.fraud)}"
        )
    if frauds == 0:
        told.append(f"label {label.column}: no fraud at all, so nothing can be learnt: name its values in label.fraud")
    elif frauds > MANY_FRAUDS * rows:
        told.append(
            f"label {label.column}: {frauds / rows:.0%} of the payments are fraud: see whether fraud = "
            f"{list(label.fraud)} is right, and whether genuine payments were left out of the file"
        )
    return told


def quoted(values: Counter[str], chosen: Iterable[str] | None = None) -> str:
    """Values with how often they occur, the commonest first."""
    among = Counter({value: values[value] for value in chosen}) if chosen is not None else values
    more = f" and {len(among) - SHOWN} more values" if len(among) > SHOWN else ""
    return ", ".join(f'"{value}" ({count:,} rows)' for value, count in among.most_common(SHOWN)) + more


def _of_countries(transactions: pa.Table) -> list[str]:
    told = []
    for name in COUNTRIES:
        known = transactions[name].drop_null()
        odd = known.filter(pc.invert(pc.match_substring_regex(known, "^[A-Z]{2}$")))
        if len(odd) > ODD_COUNTRIES * len(known):
            example = pc.value_counts(odd).field("values")[0].as_py()
            told.append(
                f'{name}: {len(odd) / len(known):.0%} of the values are no country codes like DE (e.g. "{example}"): '
                "comparisons with other countries will say that they differ"
            )
    return told


def _of_ids(transactions: pa.Table) -> list[str]:
    repeated = len(transactions) - pc.count_distinct(transactions["transaction_id"]).as_py()
    if not repeated:
        return []
    return [
        f"transaction_id: {repeated:,} rows repeat an id of another: the service counts a payment once, and labels go "
        'by the id; map it from ["$row"] if rows are payments of their own'
    ]
