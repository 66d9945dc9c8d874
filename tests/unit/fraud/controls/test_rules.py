"""What rules mean, and what is said of texts that are none."""

import pytest

from fraud.controls.language.rule import InvalidRule, RuleSet, compile_rule
from fraud.controls.names import vocabulary_of
from fraud.features.platform import STANDARD
from fraud.money import Rates
from tests.support.rule_facts import PlainFacts

VOCABULARY = vocabulary_of(STANDARD, Rates.default("EUR"))
MIDNIGHT = 1_750_032_000_000_000  # 2025-06-16 00:00 UTC, a Monday
HOUR = 3_600_000_000
FACTS = PlainFacts(
    {
        "amount": [10.0, 250.5, 99.0],
        "score": [0.2, None, 0.9],
        "customer_id": ["ann", "bob", "cid"],
        "ip": ["10.1.2.3", "2001:db8::1", None],
        "email_domain": ["Mail.example", None, "post.example"],
        "is_guest": [True, False, None],
        "card_attempts_1h": [0, 7, None],
        "card_declines_1h": [0, 3, 1],
        "event_time": [MIDNIGHT, MIDNIGHT + 5 * HOUR, MIDNIGHT + 23 * HOUR],
        "account_created_at": [MIDNIGHT - 24 * HOUR, None, MIDNIGHT],
        "tz_offset_min": [120, None, 120],
    },
    lists={"watched": frozenset({"ann", "cid"})},
    rates={"USD": 0.5},
)


def outcome(text: str) -> str:
    """One letter a payment: true, false, or ? where it cannot be computed."""
    hit, computed = compile_rule(text, VOCABULARY).evaluate(FACTS)
    assert not (hit & ~computed).any()
    return "".join("?" if not known else "t" if true else "f" for true, known in zip(hit, computed, strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", "ttt"),
        ("1 < 2", "ttt"),
        ("not 1 < 2", "fff"),
        ("score > 0.5", "f?t"),
        ("not score > 0.5", "t?f"),
        ("score > 0.5 and amount > 300", "fff"),
        ("score > 0.5 or amount > 200", "ftt"),
        ("score != 0.2", "f?t"),
        ("score == 0.2", "t?f"),
        ("0.1 < score < 0.5", "t?f"),
        ("score in (0.2, 0.3)", "t?f"),
        ("has(score)", "tft"),
        ("has(is_guest)", "ttf"),
        ("has(ip)", "ttf"),
        ("is_guest", "tf?"),
        ("not is_guest", "ft?"),
        ("is_guest == false", "ft?"),
        ("card_declines_1h / card_attempts_1h > 0.4", "?t?"),
        ('amount > money(100, "EUR")', "ftf"),
        ('amount > money(300, "USD")', "ftf"),
        ("amount > 100", "ftf"),
        ("amount / 2 < 50", "tft"),
        ("-card_declines_1h < -2", "ftf"),
        # At equality, plainly and denied, with and without something missing beside it.
        ("card_declines_1h <= 3", "ttt"),
        ("not card_declines_1h <= 3", "fff"),
        ("card_declines_1h < 3", "tft"),
        ("not card_declines_1h >= 3", "tft"),
        ("card_attempts_1h <= 7", "tt?"),
        ("not card_attempts_1h <= 7", "ff?"),
        ("not card_attempts_1h < 7", "ft?"),
        ("not card_attempts_1h >= 7", "tf?"),
        ("not card_attempts_1h > 7", "tt?"),
        ("not card_attempts_1h == 7", "tf?"),
        ("abs(card_declines_1h - 2) == 1", "ftt"),
        ('customer_id in list("watched")', "tft"),
        ('customer_id not in list("watched")', "ftf"),
        ('customer_id in list("empty")', "fff"),
        ('email_domain in list("watched")', "f?f"),
        ('customer_id in ("ann", "bob")', "ttf"),
        ('email_domain in ("post.example", "x")', "f?t"),
        ('customer_id in ("a","b","c","d","e","f","g","h","bob")', "ftf"),
        ('lower(email_domain) == "mail.example"', "t?f"),
        ('startswith(email_domain, "post")', "f?t"),
        ("email_domain == customer_id", "f?f"),
        ("email_domain == email_domain", "t?t"),
        ('ip in cidr("10.0.0.0/8")', "tf?"),
        ('ip in cidr("2001:db8::/32", "192.168.0.1")', "ft?"),
        ('ip in cidr("::/0")', "ft?"),
        ("hour(event_time) < 6", "ttt"),
        ("hour(event_time) == 2", "tff"),
        ("weekday(event_time) == 2", "fft"),
        ("hours(event_time, account_created_at) >= 24", "t?f"),
        ('event_time >= time("2025-06-16T05:00:00Z")', "ftt"),
    ],
)
def test_a_rule_is_true_false_or_not_known(text: str, expected: str) -> None:
    assert outcome(text) == expected


def test_rules_together_say_what_each_says_alone() -> None:
    texts = ["score > 0.5 and amount > 20", "score > 0.5 or is_guest", "amount > 20", "true"]
    rules = [compile_rule(text, VOCABULARY) for text in texts]
    hit, computed = RuleSet(rules).evaluate(FACTS)
    for row, rule in enumerate(rules):
        alone = rule.evaluate(FACTS)
        assert hit[row].tolist() == alone[0].tolist()
        assert computed[row].tolist() == alone[1].tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("card_atempts_1h > 3", "the nearest is card_attempts_1h"),
        ("amount.real > 3", "a dot after a name"),
        ("amount ** 9 > 3", "there are + - * /"),
        ("amount > ", "no expression"),
        ("amount + 3", "money + number has no meaning"),
        ("score", "is number, where bool is needed"),
        ('score > "a"', "number > text cannot be compared"),
        ("customer_id > customer_id", "text has no order"),
        ("amount * amount > 3", "money * money has no meaning"),
        ("event_time > 3", "time > number cannot be compared"),
        ("score is None", "write ==, or has(x)"),
        ("score == None", "has(x) asks whether x is there"),
        ('currency in ("EUR")', 'in takes ("a", "b")'),
        ('currency in ("EUR", 3)', "is no constant text"),
        ('lower(currency) in list("x")', "in list takes a name"),
        ('ip in cidr("10.0.0.0/33")', "is no network"),
        ('amount > money(5, "XXX")', "there is no exchange rate"),
        ('time("yesterday") < event_time', "time takes"),
        ("score > 1e300", "within 1e+15"),
        ("list(customer_id)", "is no function"),
        ("has(score > 3)", "has takes a name"),
    ],
)
def test_what_is_no_rule_is_refused_in_one_line_that_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        compile_rule(text, VOCABULARY)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
