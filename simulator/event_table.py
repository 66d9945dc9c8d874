"""The simulated stream as Arrow: the event schema, the truth, and how latent integers become them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from fraud.contracts.inbound import SCHEMA_VERSION, Outcome
from runtime.event_tables import TIME, column_type
from simulator.draws import Bools, Float64s, Int64s, mix
from simulator.fraud_patterns.catalogue import ALL_PATTERNS, FRIENDLY, GENUINE, LONE
from simulator.own_fields.columns import Column, json_objects
from simulator.people.attempts import MISSING, Attempts
from simulator.platforms import places
from simulator.text import id_column, ip_column, number_column, word_column
from simulator.truth import outcomes
from simulator.truth.outcomes import Log

_FIRST: Final = ("type", "schema_version", "transaction_id", "outcome_id", "kind", "customer_id")
_REST: Final = tuple(name for name in Outcome.model_fields if name not in _FIRST)

EVENT_SCHEMA: Final = pa.schema([(name, column_type(name)) for name in (*_FIRST, *_REST)])
"""One row per event in log order, the wire fields of transactions and outcomes flat; `amount` in minor units of
`currency`, `attributes` as JSON."""

TRUTH_SCHEMA: Final = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("customer_id", pa.string()),
        ("event_time", TIME),
        ("is_fraud", pa.bool_()),
        ("pattern", pa.string()),
        ("probability", pa.float64()),
        ("probability_own", pa.float64()),
        ("verdict", pa.string()),
        ("authorised", pa.bool_()),
        ("loss", pa.int64()),
        ("currency", pa.string()),
        ("episode", pa.int64()),
    ]
)
"""One row per transaction: `pattern` names the fraud or the good behaviour, `probability` is P(fraud | what can be
seen) without own fields, `probability_own` with them, `verdict` what a perfect label would say, `loss` the minor units
that an undetected fraud cost."""

_CODES: Final = tuple(country.code for country in places.COUNTRIES)
_CURRENCIES: Final = tuple(country.currency for country in places.COUNTRIES)
_NAMES: Final = tuple(goods.name for goods in places.GOODS)


def transaction_ids(attempts: Attempts, salt: int) -> Int64s:
    """The id of each attempt: from its order and its number; int64 [n]."""
    return mix(attempts.order + attempts.attempt_no, salt ^ 500)


def event_batch(attempts: Attempts, log: Log, own: Mapping[str, Column], *, salt: int) -> pa.RecordBatch:
    """The events of a log as Arrow.

    Args:
        attempts: the attempts, all of them.
        log: the slice of the log to turn into columns.
        own: name -> values of all attempts: the platform's own fields.
        salt: the platform's.
    """
    a = attempts.take(log.of)
    about = log.kind != outcomes.ATTEMPT
    transaction = transaction_ids(a, salt)
    columns: dict[str, pa.Array] = {
        "type": word_column(about.astype(np.int64), ("transaction", "outcome")),
        "schema_version": word_column(np.zeros(len(a), np.int64), (SCHEMA_VERSION,)),
        "transaction_id": id_column(transaction, "t"),
        "outcome_id": id_column(mix(transaction, log.kind), "o", missing=~about),
        "kind": word_column(log.kind, outcomes.KINDS, missing=~about),
        "event_time": _times(log.time),
        "amount": pa.array(a.amount),
        **_entities(a, salt),
        **_circumstances(a, about),
        "attributes": json_objects(own, log.of, absent=about),
        "decline_category": word_column(log.decline, outcomes.DECLINES),
        "avs": word_column(log.avs, outcomes.AVS),
        "cvv": word_column(log.cvv, outcomes.CVV),
        "three_ds": word_column(log.three_ds, outcomes.THREE_DS),
        "liability": word_column(log.liability, outcomes.LIABILITY),
    }
    # Fields that are newer than the simulation stay empty.
    arrays = [columns[f.name] if f.name in columns else pa.nulls(len(a), f.type) for f in EVENT_SCHEMA]
    return pa.record_batch(arrays, schema=EVENT_SCHEMA)


def _entities(a: Attempts, salt: int) -> dict[str, pa.Array]:
    """Ids. A token belongs to one platform; fingerprints and hashes are the same everywhere."""
    return {
        "customer_id": id_column(a.customer, a.guest),
        "order_id": id_column(a.order, "r"),
        "merchant_id": id_column(mix(a.merchant, salt ^ 501), "m"),
        "card_id": id_column(mix(a.card, salt ^ 502), "k"),
        "card_fingerprint": id_column(a.card, "f"),
        "device_id": id_column(a.device, "d"),
        "session_id": id_column(a.session, "s"),
        "ip": ip_column(a.ip),
        "email_hash": id_column(a.email, "e"),
        "phone_hash": id_column(a.phone, "p"),
        "billing_address_hash": id_column(a.billing_address, "a"),
        "shipping_address_hash": id_column(a.shipping_address, "a"),
        "bin": number_column(a.bin),
    }


def _circumstances(a: Attempts, about: Bools) -> dict[str, pa.Array]:
    """Everything that is neither an id nor a check; what only describes the checkout is left out of outcomes."""
    offline = a.ip == 0
    return {
        "currency": word_column(a.billing_country, _CURRENCIES),
        "attempt_no": pa.array(a.attempt_no.astype(np.int32)),
        "merchant_category": word_column(a.goods, _NAMES),
        "card_country": word_column(a.card_country, _CODES),
        "card_funding": word_column(a.funding, places.FUNDINGS),
        "wallet": word_column(a.wallet, places.WALLETS),
        "payment_method": word_column((a.wallet >= 0).astype(np.int64), places.METHODS),
        "ip_country": word_column(a.ip_country, _CODES, missing=offline),
        "ip_asn": number_column(a.asn, missing=offline),
        "email_domain": word_column(a.domain, places.DOMAINS),
        "billing_country": word_column(a.billing_country, _CODES),
        "shipping_country": word_column(a.shipping_country, _CODES),
        "shipping_method": word_column(a.shipping_method, places.SHIPPING),
        "channel": word_column(a.app.astype(np.int64), places.CHANNELS),
        "initiator": word_column(a.by_merchant.astype(np.int64), ("customer", "merchant")),
        "is_recurring": pa.array(a.by_merchant),
        "is_guest": pa.array(a.guest),
        "is_digital": pa.array(a.digital),
        "account_created_at": _times(a.account_created, missing=about),
        "card_added_at": _times(a.card_added, missing=about),
        "tz_offset_min": pa.array(a.tz.astype(np.int32), mask=about),
        "items_count": pa.array(a.items.astype(np.int32), mask=about),
        "stage": word_column(np.zeros(len(a), np.int64), ("pre_auth",), missing=about),
    }


def _times(times: Int64s, *, missing: Bools | None = None) -> pa.Array:
    absent = times == MISSING
    return pa.array(times, mask=absent if missing is None else absent | missing).cast(TIME)


def pattern_words() -> tuple[str, ...]:
    """Names of what an attempt can be; index as in `pattern_codes`."""
    return (GENUINE, FRIENDLY, LONE, *(p.twin for p in ALL_PATTERNS), *(p.name for p in ALL_PATTERNS))


def pattern_codes(attempts: Attempts) -> Int64s:
    """Index into `pattern_words` of each attempt; int64 [n]."""
    suspicious = attempts.kind + 2 + np.where(attempts.fraud, len(ALL_PATTERNS), 0)
    plain = np.select([attempts.fraud, attempts.friendly], [2, 1], 0)
    return np.where(attempts.kind > 0, suspicious, plain)


def truth_table(attempts: Attempts, probability: Float64s, probability_own: Float64s, *, salt: int) -> pa.Table:
    """The truth about each transaction, in time order."""
    authorised = attempts.declined == 0
    verdict = np.select([attempts.fraud, attempts.friendly], [0, 1], 2)
    columns = {
        "transaction_id": id_column(transaction_ids(attempts, salt), "t"),
        "customer_id": id_column(attempts.customer, attempts.guest),
        "event_time": _times(attempts.time),
        "is_fraud": pa.array(attempts.fraud),
        "pattern": word_column(pattern_codes(attempts), pattern_words()),
        "probability": pa.array(probability),
        "probability_own": pa.array(probability_own),
        "verdict": word_column(verdict, ("unauthorised", "first_party", "genuine")),
        "authorised": pa.array(authorised),
        "loss": pa.array(np.where(attempts.fraud & authorised & ~attempts.refunded, attempts.amount, 0)),
        "currency": word_column(attempts.billing_country, _CURRENCIES),
        "episode": pa.array(attempts.episode),
    }
    return pa.table([columns[name] for name in TRUTH_SCHEMA.names], schema=TRUTH_SCHEMA)
