"""The record of a run: why it took place, what it saw, what was decided; as JSON and as a page."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.files import write_json
from training.evaluation.report import number, render
from training.loop.decision import Decision
from training.loop.monitoring.drift import Drift
from training.loop.state import BegunRun, InvalidState
from training.loop.training_run import RunResult

RUNS: Final = "runs"
RECORD: Final = "record.json"
PAGE: Final = "report.html"
SHOWN: Final = 20


class RunRecord(BaseModel):
    """One run.

    Attributes:
        run: its number.
        at: its present, ISO 8601.
        at_us: the same in µs.
        why: what triggered it.
        decision: promote, shadow, keep or refuse; failed when nothing could be learnt.
        reason: of the gate.
        candidate: the version it wrote, None when it failed.
        champion: who served then.
        strategy: how the candidate was made.
        counts: what it was made from and judged on.
        promised: figures of the candidate.
        drift: by kind, where measured.
        findings: what the gate looked at.
        unseen: what it could not look at.
        raises: whether the candidate is shown to be better than the best champion so far.
    """

    model_config = ConfigDict(frozen=True)

    run: int
    at: str
    at_us: int
    why: str
    decision: Decision
    reason: str
    candidate: int | None
    champion: int | None
    strategy: str
    counts: dict[str, float]
    promised: dict[str, float]
    drift: dict[str, float]
    findings: list[dict[str, object]]
    unseen: list[str] = []
    raises: bool = False

    @property
    def alerts(self) -> tuple[float, float] | None:
        """Least and most share of payments that the gate expects the candidate to flag; None where it did not look."""
        for finding in self.findings:
            if finding["check"] == "volume" and "least_share" in finding:
                return float(str(finding["least_share"])), float(str(finding["most_share"]))
        return None


def iso(micros: int) -> str:
    """ISO 8601, UTC, whole seconds."""
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="seconds")


def record_of(begun: BegunRun, result: RunResult, decision: Decision, drift: Drift | None) -> RunRecord:
    """The record of a run that came to a decision."""
    return RunRecord(
        run=begun.number,
        at=iso(begun.at),
        at_us=begun.at,
        why=begun.why,
        decision=decision,
        reason=result.judgement.reason,
        candidate=result.candidate,
        champion=result.champion,
        strategy=result.strategy,
        counts=dict(result.counts),
        promised=dict(result.promised),
        drift=drift.by_kind() if drift else {},
        findings=[finding.as_json() for finding in result.judgement.findings],
        unseen=list(result.unseen),
        raises=result.judgement.raises,
    )


def failed(begun: BegunRun, reason: str) -> RunRecord:
    """The record of a run that could not learn anything."""
    empty: dict[str, float] = {}
    return RunRecord(
        run=begun.number, at=iso(begun.at), at_us=begun.at, why=begun.why, decision=Decision.FAILED, reason=reason,
        candidate=None, champion=None, strategy="", counts=empty, promised=empty, drift=empty, findings=[],
    )  # fmt: skip


def find_record(folder: Path, run: int) -> RunRecord | None:
    """The record of a run, where it was written."""
    path = folder / RUNS / f"{run:05d}" / RECORD
    return _read(path) if path.is_file() else None


def all_records(folder: Path) -> list[RunRecord]:
    """Every record, oldest first."""
    paths = sorted((folder / RUNS).glob(f"*/{RECORD}"))
    return [_read(path) for path in paths]


def _read(path: Path) -> RunRecord:
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InvalidState(
            f"{path} is broken ({error.error_count()} errors): remove it; a run that is not over is made again"
        ) from None


def write_record(folder: Path, record: RunRecord) -> Path:
    """Writes page and record (the record last: it says that the run has come to its decision)."""
    place = folder / RUNS / f"{record.run:05d}"
    place.mkdir(parents=True, exist_ok=True)
    page = _page(record, [r for r in all_records(folder) if r.run < record.run][-SHOWN:])
    (place / PAGE).write_text(page, encoding="utf-8")
    write_json(place / RECORD, json.loads(record.model_dump_json()))
    return place / RECORD


def _page(record: RunRecord, before: Sequence[RunRecord]) -> str:
    candidate = "nothing" if record.candidate is None else f"version {record.candidate}"
    facts: dict[str, object] = {"strategy": record.strategy, "champion then": record.champion}
    facts |= {name.replace("_", " "): _count(value) for name, value in record.counts.items() if name not in _TIMES}
    facts |= {name: iso(int(record.counts[name])) for name in _TIMES if name in record.counts}
    facts |= {f"promised {name}": f"{value:.1%}" for name, value in record.promised.items()}
    facts |= {f"drift of {name.replace('_', ' ')}": number(value) for name, value in record.drift.items()}
    return render(
        "run.html.j2",
        title=f"Run {record.run}: {candidate}",
        lead=f"{record.at}, because: {record.why}",
        decision=_MEANT.get(record.decision, record.decision),
        reason=record.reason,
        tone=_TONES.get(record.decision, "unsure"),
        tones=_TONES,
        findings=record.findings,
        facts=list(facts.items()),
        history=[{"run": r.run, "at": r.at, "why": r.why, "decision": r.decision} for r in reversed(before)],
    )


def _count(value: float) -> str:
    return number(int(value) if float(value).is_integer() else value)


_TONES: Final = {"promote": "good", "shadow": "good", "accept": "good", "refuse": "bad", "failed": "bad"}
"""Of decisions and of the gate's answers; anything else is unsure."""

_MEANT: Final = {
    "promote": "Promoted: the candidate serves now",
    "shadow": "Accepted: the candidate scores beside the champion first",
    "keep": "The champion stays",
    "refuse": "Refused: the champion stays",
    "failed": "Nothing could be learnt: the champion stays",
}

_TIMES: Final = ("since", "until")
