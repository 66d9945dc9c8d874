"""A small shop's events and labels as tables."""

import pyarrow as pa

from training.data.files.schema import EVENTS, LABELS

DAY = 86_400_000_000
T0 = 1_700_000_000_000_000


def events_table(count: int = 60) -> pa.Table:
    """Payments of seven customers, four a day from `T0` on."""
    rows = [
        {
            "type": "transaction",
            "transaction_id": f"t{i}",
            "customer_id": f"c{i % 7}",
            "card_id": f"k{i % 7}",
            "merchant_id": f"m{i % 3}",
            "billing_country": ["FR", "DE"][i % 2],
            "event_time": T0 + i * DAY // 4,
            "amount": 1_000 + i,
            "currency": "EUR",
        }
        for i in range(count)
    ]
    return pa.Table.from_pylist(rows, EVENTS)


def labels_table(*, frauds: range = range(0, 60, 6), delay_days: float = 3) -> pa.Table:
    """Chargebacks of some of these payments, each so many days later."""
    rows = [
        {
            "label_id": f"l{i}",
            "transaction_id": f"t{i}",
            "verdict": "unauthorised",
            "source": "chargeback",
            "occurred_at": T0 + i * DAY // 4,
            "received_at": T0 + i * DAY // 4 + int(delay_days * DAY),
        }
        for i in frauds
    ]
    return pa.Table.from_pylist(rows, LABELS)
