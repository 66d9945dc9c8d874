"""The generator of broken messages."""

from collections import Counter
from itertools import pairwise

from fraud.decoding.decoder import Decoder
from fraud.money import Rates
from fraud.timestamps import parse_time
from simulator.output.malformed import KINDS, malformed, malformed_with_reasons, partly_invalid

NOW = parse_time("2026-01-05T10:00:01Z")


def test_every_message_is_refused_for_the_reason_that_it_was_made_for() -> None:
    made = malformed_with_reasons(3, 10_000)
    decoded = Decoder(Rates.default()).decode([raw for raw, _ in made], [NOW] * len(made))
    assert len(decoded.batch) == 0
    assert [reject.row for reject in decoded.rejects] == list(range(len(made)))
    wrong = Counter(
        (reason, reject.reason, made[reject.row][0][:300])
        for (_, reason), reject in zip(made, decoded.rejects, strict=True)
        if reject.reason is not reason
    )
    assert not wrong
    assert {reason for _, reason in made} == {reason for _, reason in KINDS.values()}


def test_partly_invalid_payments_are_all_scored_without_the_fields_that_were_made_invalid() -> None:
    made = partly_invalid(3, 1_000)
    decoded = Decoder(Rates.default()).decode([raw for raw, _ in made], [NOW] * len(made))
    assert decoded.rejects == []
    assert decoded.ignored == {row: ignored for row, (_, ignored) in enumerate(made)}
    assert partly_invalid(3, 1_000) == made
    assert partly_invalid(4, 1_000) != made


def test_equal_seeds_give_equal_bytes_and_others_do_not() -> None:
    assert malformed(1, 500) == malformed(1, 500)
    assert malformed(1, 500) != malformed(2, 500)


def test_halves_joined_by_a_comma_would_be_valid_events() -> None:
    made = malformed(5, 2_000)
    decoder = Decoder(Rates.default())
    joined = [decoder.decode([first + b"," + second], [NOW]) for first, second in pairwise(made)]
    assert sum(len(decoded.batch) for decoded in joined) > 10
