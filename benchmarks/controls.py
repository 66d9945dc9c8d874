# ruff: noqa: S311, D102 - draws, not secrets; methods are those of `Facts`
"""`make bench-controls`: what rules and lists cost, and whether random rules mean what CEL says.

Rules are of six comparisons each, two of them look-ups in a list of a million values; payments are random, a tenth of
the values missing. Times are processor time on one core; texts are hashed anew in each batch, but for the ids that the
decoder has hashed.
"""

import os
import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from time import process_time

import click
import numpy as np

from benchmarks.report import Figure, report
from fraud.controls.language.columns import Bools, Numbers, Texts
from fraud.controls.language.rule import InvalidRule, RuleSet, compile_rule
from fraud.controls.language.vocabulary import Vocabulary
from fraud.controls.lists import Lists
from fraud.controls.names import vocabulary_of
from fraud.decoding.batch import Float32s, UInt64s, hash_ids
from fraud.features.platform import STANDARD
from tests.support.rule_facts import PlainFacts
from tests.support.rule_texts import HOSTILE, LISTS, RuleWriter, oracle, random_columns

PAYMENTS = 2000
REPEATS = 40
ENTRIES = 1_000_000
PER_ENTRY = 1000
_IDS = ("customer_id", "card_id", "device_id", "email_hash")
_DECODED = ("customer_id", "device_id", "email_hash")
"""Ids whose hashes a batch has; those of others, and of texts, are made."""
_TEXTS = ("billing_country", "ip_country", "email_domain", "channel")
_SPAN = np.int64(1_750_000_000_000_000)


class RandomFacts:
    """A batch of payments, columns drawn once, and made into texts and hashes anew by each instance."""

    def __init__(
        self,
        numbers: Mapping[str, Float32s],
        texts: Mapping[str, list[str | None]],
        hashes: Mapping[str, UInt64s],
        lists: Lists,
    ) -> None:
        self._numbers, self._values, self._lists = numbers, texts, lists
        self._texts: dict[str, Texts] = {}
        self._hashes = hashes

    def __len__(self) -> int:
        return PAYMENTS

    def numbers(self, name: str) -> Numbers:
        return Numbers.read(self._numbers[name].astype(np.float64))

    def texts(self, name: str) -> Texts:
        if name not in self._texts:
            self._texts[name] = Texts(self._values[name], self._hashes.get(name))
        return self._texts[name]

    def in_list(self, name: str, held: str) -> Bools:
        return self._lists.members(name, self.texts(held), np.full(PAYMENTS, _SPAN))

    def rate(self, currency: str) -> Numbers:
        raise AssertionError(f"no rule converts {currency}")


def columns(
    rng: np.random.Generator, vocabulary: Vocabulary
) -> tuple[dict[str, Float32s], dict[str, list[str | None]]]:
    """Numbers by name and texts by name, a tenth missing."""
    measures = [name.name for name in vocabulary if name.type in {"number", "money"}]
    numbers = {}
    for name in measures:
        values = rng.poisson(2, PAYMENTS).astype(np.float32)
        values[rng.random(PAYMENTS) < 0.1] = np.nan
        numbers[name] = values
    texts: dict[str, list[str | None]] = {}
    for name in (*_IDS, *_TEXTS):
        most = 3_000_000 if name in _IDS else 40
        missing = rng.random(PAYMENTS) < 0.1
        drawn = rng.integers(0, most, PAYMENTS).tolist()
        texts[name] = [None if gone else f"{name}-{value}" for gone, value in zip(missing, drawn, strict=True)]
    return numbers, texts


def rule_text(random: Random, measures: Sequence[str]) -> str:
    """Six comparisons: three of measures, one of a text, two look-ups."""
    parts = [f"{random.choice(measures)} > {random.randrange(1, 9)}" for _ in range(3)]
    name = random.choice(_TEXTS)
    parts.append(f'{name} in ("{name}-1", "{name}-2")')
    parts += [f'{held} in list("{held}")' for held in random.sample(_IDS, 2)]
    random.shuffle(parts)
    return f"{parts[0]} and {parts[1]} and ({parts[2]} or {parts[3]}) and ({parts[4]} or not {parts[5]})"


def filled() -> tuple[Lists, list[Figure]]:
    """A million values in lists, with what they take."""
    lists, before = Lists(), resident()
    started = process_time()
    for first in range(0, ENTRIES, PER_ENTRY):
        held = _IDS[first // PER_ENTRY % len(_IDS)]
        lists.put(f"entry {first}", held, [f"{held}-{value}" for value in range(first, first + PER_ENTRY)])
    size = len(lists)
    took = process_time() - started
    one = Texts(["customer_id-1"] * PAYMENTS)
    changes, place = [], np.full(PAYMENTS, _SPAN)
    for change in range(REPEATS):
        started = process_time()
        lists.put(f"change {change}", "customer_id", [f"new {change}"])
        lists.remove(f"entry {change * PER_ENTRY}")
        lists.members("customer_id", one, place)
        changes.append(1e3 * (process_time() - started))
    return lists, [
        Figure("list_values", size, "values"),
        Figure("list_memory_mb", (resident() - before) / 1e6, "MB"),
        Figure("list_arrays_mb", lists.nbytes / 1e6, "MB"),
        Figure("list_fill_s", took, "s"),
        Figure.of("list_change_ms", changes, "ms"),
    ]


def resident() -> int:
    """Bytes in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def costs(seed: int) -> list[Figure]:
    """Microseconds an event of 50 and of 500 rules."""
    random, rng, vocabulary = Random(seed), np.random.default_rng(seed), vocabulary_of(STANDARD)
    lists, figures = filled()
    numbers, texts = columns(rng, vocabulary)
    hashes = {name: hash_ids(texts[name], PAYMENTS) for name in _DECODED}
    measures = sorted(name.name for name in vocabulary if name.name in numbers and name.source is not None)
    for count, name in ((50, "rules_us_per_event"), (500, "rules_500_us_per_event")):
        rules = RuleSet([compile_rule(rule_text(random, measures), vocabulary) for _ in range(count)])
        times = seconds(lambda rules=rules: rules.evaluate(RandomFacts(numbers, texts, hashes, lists)))  # type: ignore[misc]
        figures.append(Figure.of(name, [1e6 * time / PAYMENTS for time in times], "µs"))
    return figures


def seconds(call: Callable[[], object]) -> list[float]:
    """Processor time of a warm call."""
    for _ in range(5):
        call()
    times = []
    for _ in range(REPEATS):
        started = process_time()
        call()
        times.append(process_time() - started)
    return times


def agreement(seed: int, expressions: int) -> list[Figure]:
    """How many random rules were tried, and disagree with CEL; how many hostile texts were refused."""
    vocabulary, disagreeing, unknown, rows = vocabulary_of(STANDARD), 0, 0, 3
    for number in range(expressions):
        random = Random(seed * 1_000_003 + number)
        ours, theirs = RuleWriter(random).condition()
        values = random_columns(random, rows)
        hit, computed = compile_rule(ours, vocabulary).evaluate(PlainFacts(values, LISTS))
        expected = [oracle(theirs, values, row) for row in range(rows)]
        found = [bool(true) if known else None for true, known in zip(hit, computed, strict=True)]
        disagreeing += found != expected
        unknown += expected.count(None)
    refused = sum(_refused(text, vocabulary) for text in HOSTILE)
    return [
        Figure("expressions_tried", expressions, "rules"),
        Figure("expressions_disagreeing", disagreeing, "rules"),
        Figure("expressions_not_computed", unknown / (rows * expressions), "share of answers"),
        Figure("hostile_tried", len(HOSTILE), "texts"),
        Figure("hostile_refused", refused, "texts"),
    ]


def _refused(text: str, vocabulary: Vocabulary) -> bool:
    try:
        compile_rule(text, vocabulary)
    except InvalidRule:
        return True
    return False


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--expressions", default=10_000, show_default=True, help="random rules that are held to CEL")
def main(*, seed: int, expressions: int) -> None:
    """All parts."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    figures = [*costs(seed), *agreement(seed, expressions)]
    report("bench-controls", figures, title="Rules and lists; processor time on one core")


if __name__ == "__main__":
    main()
