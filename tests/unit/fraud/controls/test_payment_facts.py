"""Rules over payments as the service has them: decoded from JSON, measured by the history, scored."""

import msgspec
import numpy as np

from fraud.controls.language.rule import RuleSet, compile_rule
from fraud.controls.lists import Lists
from fraud.controls.names import vocabulary_of
from fraud.controls.payment_facts import PaymentFacts, measures_of
from fraud.decoding.decoder import Decoder
from fraud.features.catalogue import history_config, spec_of
from fraud.features.encoder import Encoder
from fraud.features.platform import parse_platform
from fraud.history.history import History
from fraud.money import Rates
from fraud.timestamps import parse_time

PLATFORM = parse_platform(
    'base_currency = "EUR"\n[fields.store]\nkind = "entity"\n[fields.tier]\nkind = "category"\n'
    '[fields."risk level"]\nkind = "number"\n[fields.vip]\nkind = "flag"\n',
    where="platform.toml",
)
RATES = Rates.parse('{"2025-01-01": {"EUR": 1, "USD": 0.5}, "2025-07-01": {"EUR": 1, "USD": 0.9}}', "EUR")
PLAIN = {"schema_version": "1.0", "type": "transaction", "customer_id": "ann", "currency": "EUR", "ip": "10.1.1.1"}
PAYMENTS = (
    {**PLAIN, "transaction_id": "1", "event_time": "2025-06-30T23:30:00Z", "amount": "60.00", "tz_offset_min": 60,
     "card_id": "k1", "card_fingerprint": "f",
     "attributes": {"store": 7, "tier": "gold", "risk level": 3, "vip": True}},
    {**PLAIN, "transaction_id": "2", "event_time": "2025-07-01T00:10:00Z", "amount": "60.00", "email_hash": "e",
     "is_guest": True, "card_id": "k2", "card_fingerprint": "f", "attributes": {"store": "7"}},
    {**PLAIN, "transaction_id": "3", "event_time": "2025-07-01T00:20:00Z", "amount": "12.30", "email_hash": "e",
     "account_created_at": "2025-06-30T00:20:00Z", "items_count": 2},
)  # fmt: skip
EXPECTED = {
    "amount == 12.3": "fft",
    'amount > money(100, "USD")': "tff",
    'customer_id == "ann"': "ttt",
    'card_id in list("cards")': "tf?",
    'ip in list("hosts")': "ttt",
    'currency == "EUR"': "ttt",
    'email_hash == "e"': "?tt",
    "is_guest": "?t?",
    "items_count == 2": "??t",
    "hour(event_time) == 0": "ttt",
    "weekday(event_time) == 2": "ttt",
    "hours(event_time, account_created_at) == 24": "??t",
    "account_age_hours == 24": "??t",
    "customer_attempts_1h == 2": "fft",
    "customer_attempts_7d == 1": "ftf",
    "customer_cards_7d == 1": "ftt",
    "attribute_store_attempts_7d == 1": "ft?",
    "attribute_tier_seen_24h == 0": "t??",
    'attribute_tier == "gold"': "t??",
    'attribute_store == "7"': "tt?",
    'attribute("risk level") == 3': "t??",
    "attribute_vip": "t??",
    "score > 0.5": "ft?",
    'model_action == "block"': "ftf",
}


def test_every_kind_of_name_is_read_from_payments() -> None:
    vocabulary = vocabulary_of(PLATFORM, RATES)
    rules = RuleSet([compile_rule(text, vocabulary) for text in EXPECTED])
    decoder = Decoder(RATES, PLATFORM.own_fields)
    decoded = decoder.decode([msgspec.json.encode(p) for p in PAYMENTS], [parse_time("2025-07-02T00:00:00Z")] * 3)
    assert not decoded.rejects
    encoder = Encoder(spec_of(PLATFORM), History(history_config(PLATFORM)))
    sources = measures_of(rules, vocabulary)
    encoder.ask(sources)
    asked = encoder.encode(decoded.batch).asked
    lists = Lists()
    lists.put("one", "cards", ["k1"])
    lists.put("two", "hosts", ["10.0.0.0/8"])
    facts = PaymentFacts(
        decoded.batch,
        lambda: decoded.events,  # type: ignore[arg-type, return-value]  # all are transactions
        score=np.array([0.1, 0.9, np.nan]),
        model_action=np.array([0, 3, 0], np.uint8),
        asked={source: asked[:, column] for column, source in enumerate(sources)},
        vocabulary=vocabulary,
        fields=PLATFORM.own_fields,
        lists=lists,
        rates=RATES,
    )
    hit, computed = rules.evaluate(facts)
    said = np.where(computed, np.where(hit, "t", "f"), "?")
    assert dict(zip(EXPECTED, map("".join, said.tolist()), strict=True)) == EXPECTED
