"""Payments decided again under the controls of their time: the same action must come out.

Each decision names the position in the controls log that it was made under, so the controls of the time are exactly
known, whatever was restarted in between. Two things are not in the log, and are told apart: what a lot decided (its
propensity is below 1), and what the review capacity did, whose balance begins anew with each start of the service.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from fraud.decisions.policy import ACTIONS, REVIEW
from service.batch import PartitionBatch
from service.pipeline import Pipeline
from service.ports import Models, Records
from service.scored_batch import ScoredBatch

EXAMPLES: Final = 20


class _Source(msgspec.Struct):
    partition: int
    offset: int


class Made(msgspec.Struct):
    """A decision as it was made."""

    transaction_id: str
    model_version: int
    model_action: str
    action: str
    propensity: float
    source: _Source
    controls_offset: int | None = None
    rules: tuple[str, ...] | None = None


@dataclass
class DecidedAgain:
    """The outcome.

    Attributes:
        decisions: compared.
        changed: of them, those with another action now, for none of the reasons below.
        by_lot: not compared: a lot decided.
        paced: with another action now, where a review was possible at one time only.
        other_model: not compared: another version had scored.
        unknown: not compared: without a decision, or one that names no position in the controls log.
        examples: the first of the changed: transaction, then, now.
    """

    decisions: int = 0
    changed: int = 0
    by_lot: int = 0
    paced: int = 0
    other_model: int = 0
    unknown: int = 0
    examples: list[tuple[str, str, str]] = field(default_factory=list)


def decisions_made(values: Iterable[bytes | None]) -> dict[tuple[int, int], Made]:
    """Place of the payment, partition and offset, -> the decision; what is none is left out."""
    decode = msgspec.json.Decoder(Made).decode
    found: dict[tuple[int, int], Made] = {}
    for value in values:
        try:
            made = decode(value or b"")
        except msgspec.DecodeError:
            continue
        found[made.source.partition, made.source.offset] = made
    return found


def decide_again(
    shares: Iterable[Records],
    new_pipeline: Callable[[], Pipeline],
    models: Models,
    controls: Sequence[tuple[int, bytes]],
    made: Mapping[tuple[int, int], Made],
) -> DecidedAgain:
    """Replays the input from its beginning.

    Args:
        shares: records, partition by partition, in log order.
        new_pipeline: one without any control, its histories at the beginning of the log.
        models: who score.
        controls: the whole controls log: offset and record.
        made: from `decisions_made`.
    """
    found = DecidedAgain()
    pipeline, taken, partition = new_pipeline(), 0, -1
    for share in shares:
        for records, offset in _runs(share, made):
            if share.partition != partition or (offset is not None and offset < pipeline.rulebook.offset):
                # Another instance may have known less of the log: the rulebook begins anew, the histories go on.
                fresh = new_pipeline()
                fresh.partitions = pipeline.partitions
                pipeline, taken, partition = fresh, 0, share.partition
            while offset is not None and taken < len(controls) and controls[taken][0] < offset:
                pipeline.rulebook.take(controls[taken][1], controls[taken][0])
                taken += 1
            result = pipeline.process([records], models, 0)
            for part, scored in zip(result.parts, result.scored, strict=True):
                _compare(found, part, scored, made)
    return found


def _runs(share: Records, made: Mapping[tuple[int, int], Made]) -> Iterator[tuple[Records, int | None]]:
    """Consecutive records that were decided under one position of the controls log, and that position."""
    start, known = 0, None
    for row, offset in enumerate(share.offsets):
        decision = made.get((share.partition, offset))
        if decision is None or decision.controls_offset is None or decision.controls_offset == known:
            continue
        if known is not None and row > start:
            yield _some(share, start, row), known
            start = row
        known = decision.controls_offset
    yield _some(share, start, len(share)), known


def _some(share: Records, start: int, stop: int) -> Records:
    rows = slice(start, stop)
    return Records(
        share.partition,
        share.offsets[rows],
        share.timestamps_us[rows],
        share.keys[rows],
        share.values[rows],
        share.headers[rows],
        {row - start: why for row, why in share.unread.items() if start <= row < stop},
    )


def _compare(
    found: DecidedAgain, part: PartitionBatch, scored: ScoredBatch, made: Mapping[tuple[int, int], Made]
) -> None:
    for row, record in enumerate(part.rows):
        then = made.get((part.records.partition, part.records.offsets[record]))
        if then is None or then.controls_offset is None:
            found.unknown += 1
        elif then.model_version != scored.model.version:
            found.other_model += 1
        elif then.propensity < 1:
            found.by_lot += 1
        else:
            found.decisions += 1
            now = ACTIONS[scored.action[row]]
            if now != then.action:
                _note(found, then, now, int(scored.model_action[row]))


def _note(found: DecidedAgain, then: Made, now: str, model_action: int) -> None:
    if (then.model_action == ACTIONS[REVIEW]) != (model_action == REVIEW):
        found.paced += 1
        return
    found.changed += 1
    if len(found.examples) < EXAMPLES:
        found.examples.append((then.transaction_id, then.action, now))
