"""The whole trial: understand, import, learn, measure, report."""

import json
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.data.feature_context import FeatureContext
from training.data.importing.importer import Imported, import_file
from training.data.importing.mapping import InvalidMapping
from training.data.replayed_stream import read_stream
from training.evaluation.evaluate import Model
from training.modelling.strategies.task import AdaptOptions
from training.modelling.train_loop import Progress
from training.registry.versions import find
from training.trial.learning import Learnt, Split, learn, split
from training.trial.measuring import Outcome, measure
from training.trial.plain_trees import NAME as RIVAL
from training.trial.report import Step, Told, judgement, trial_report
from training.trial.understanding import Understanding, understand

SHOWN_DRIFT: Final = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What to try.

    Attributes:
        file: CSV or Parquet.
        label: the column that says what was fraud; by default a likely one, or the mapping's.
        mapping_file, platform_file: the owner's own; drafted by default.
        models: the model directory.
        base: version to adapt; None learns from the file's own past.
        out: folder of everything that is written.
        seed: of everything drawn.
        key: signs the versions; None where the platform has none.
    """

    file: Path
    label: str | None
    mapping_file: Path | None
    platform_file: Path | None
    models: Path
    base: int | None
    out: Path
    seed: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it.

    Attributes:
        version: of the model.
        report: the HTML file.
        verdict: against plain LightGBM, one line.
        figures: of `metrics.json`.
        warnings: one line each.
        steps: what to do next.
        peak_bytes: memory at its highest.
    """

    version: int
    report: Path
    verdict: str
    figures: dict[str, Any]
    warnings: tuple[str, ...]
    steps: tuple[Step, ...]
    peak_bytes: int


def run(
    plan: Plan, *, now: datetime, clock: Callable[[], float], progress: Progress, effort: AdaptOptions | None = None
) -> Tried:
    """Everything, in order.

    Args:
        plan: what to try.
        now: with offset, for manifests.
        clock: seconds, for the duration told.
        progress: told what is going on.
        effort: what learning costs; None: as usual.

    Raises:
        InvalidMapping, Misconfigured, InvalidDataset, RegistryError: one line: what, where, and how to mend it.
    """
    started = clock()
    known = understand(
        plan.file,
        plan.label,
        plan.out,
        mapping_file=plan.mapping_file,
        platform_file=plan.platform_file,
        progress=progress,
    )
    if known.mapping.label is None:
        raise InvalidMapping(f"{plan.file}: no column says what was fraud: name it with --label")
    progress("importing", 0.0)
    imported = import_file(plan.file, known.mapping, plan.out / "events.parquet", platform=known.platform)
    progress("features", 0.0)
    context = FeatureContext(known.platform, known.rates)
    parts = split(read_stream([imported.events], imported.labels, context), context)
    learnt = learn(
        parts, plan.models, base=plan.base, seed=plan.seed, now=now, key=plan.key, progress=progress, effort=effort
    )
    progress("measuring", 0.0)
    model = Model.read(find(plan.models, learnt.version)[1], plan.key)
    outcome = measure(model, parts, seed=plan.seed)
    warnings = warnings_of(known, imported, parts, outcome)
    steps = next_steps(plan, known, learnt)
    peak = peak_bytes()
    facts = _facts(plan, known, imported, parts, learnt, seconds=clock() - started, peak=peak)
    told = Told(
        file=plan.file.name,
        period=f"{_day(parts.test.time.min())} to {_day(parts.test.time.max())}",
        warnings=warnings,
        rejected=imported.rejected,
        columns=known.columns,
        facts=facts,
        steps=steps,
        mapping_file=str(known.mapping_file),
        platform_file=str(known.platform_file),
    )
    report = plan.out / "report.html"
    report.write_text(trial_report(outcome, told), encoding="utf-8")
    figures = {
        "version": learnt.version,
        "models": outcome.figures,
        "differences": outcome.difference,
        "why": learnt.why,
    }
    (plan.out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    verdict = " ".join(judgement(outcome)[1:])
    return Tried(learnt.version, report, verdict, figures, tuple(warnings), tuple(steps), peak)


def warnings_of(known: Understanding, imported: Imported, parts: Split, outcome: Outcome) -> list[str]:
    """What its owner should know, the gravest first."""
    told = []
    share = imported.rejects / max(imported.rows, 1)
    if share > 0.01:
        told.append(f"{share:.1%} of the rows became no events: see the table below")
    told += [warning for warning in imported.warnings if warning not in known.notes]
    told += known.notes
    lost = len(parts.past) - int(parts.past.observed.sum())
    if lost > 0.05 * len(parts.past):
        told.append(f"{lost / len(parts.past):.0%} of the payments before the test had no label yet and taught nothing")
    if outcome.moved:
        far = [f"{name} ({value:.2f})" for name, value in list(outcome.moved.items())[:SHOWN_DRIFT]]
        more = f" and {len(outcome.moved) - SHOWN_DRIFT} more" if len(outcome.moved) > SHOWN_DRIFT else ""
        told.append(
            f"distributed otherwise in the test than before (stability index above 0.25): {', '.join(far)}{more}"
        )
    return told


def next_steps(plan: Plan, known: Understanding, learnt: Learnt) -> list[Step]:
    """Commands that go on from here."""
    python = "python -m training"
    again = f"{python} try {plan.file} --mapping {known.mapping_file} --platform {known.platform_file} --out {plan.out}"
    steps = [
        Step("Mend what was guessed wrong, or add what has come since, and try again", again),
        Step(
            "Serve it: the first promotion needs no comparison",
            f"{python} promote --version {learnt.version} --models {plan.models}\n"
            f"FRAUD_MODELS_DIR={plan.models} FRAUD_PLATFORM_FILE={known.platform_file} python -m service run",
        ),
    ]
    if learnt.base is not None:
        adapt = (
            f"{python} adapt --target {plan.out / 'events.parquet'} --from {learnt.base} --as-of DATE "
            f"--platform {known.platform_file} --models {plan.models}"
        )
        steps.append(Step("Adapt it again when new labels have come", adapt))
    return steps


def peak_bytes() -> int:
    """The highest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _facts(
    plan: Plan,
    known: Understanding,
    imported: Imported,
    parts: Split,
    learnt: Learnt,
    *,
    seconds: float,
    peak: int,
) -> list[tuple[str, str]]:
    label = known.mapping.label
    delay = f"{label.delay_days:g} days after the payment" if label and label.time is None else "as its column says"
    observed = int(parts.past.observed.sum())
    return [
        (
            "file",
            f"{imported.rows:,} rows, {imported.transactions:,} payments, {imported.frauds:,} frauds, "
            f"{imported.rejects:,} rejected",
        ),
        ("cut", f"{_day(parts.cut)}: payments before it teach, payments from it on test"),
        (
            "labels",
            f"each counts as known {delay}; before the cut {observed:,} were known, "
            f"{parts.past.frauds:,} of them frauds",
        ),
        ("features", f"{len(parts.spec.names)}, of them {len(known.platform.fields)} of the file's own columns"),
        ("model", f"version {learnt.version}, {_from(learnt)}: {learnt.why}"),
        (
            RIVAL,
            "300 trees, rate 0.05, 31 leaves, otherwise its defaults, on the same labelled payments, columns as they "
            "come; where fraud is very rare these defaults go astray, and tuned trees may do better",
        ),
        ("seed", str(plan.seed)),
        ("took", f"{seconds / 60:.1f} minutes, {peak / 1e9:.1f} GB of memory at most"),
    ]


def _from(learnt: Learnt) -> str:
    return "from this file alone" if learnt.base is None else f"from base {learnt.base}"


def _day(time_us: int) -> str:
    return str(np.datetime64(int(time_us), "us"))[:16].replace("T", " ")
