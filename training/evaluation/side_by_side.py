"""Versions measured side by side on one stream, and what is written of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.platform_file import PLATFORM, read_platform, standing_for
from training.data.errors import InvalidDataset
from training.data.feature_context import FeatureContext
from training.data.replayed_stream import Stream, from_stream, read_stream
from training.evaluation.evaluate import Json, Model, check_features, evaluate, to_scored
from training.evaluation.report import evaluation_report
from training.evaluation.scores import Scored
from training.modelling.inputs import labels_beside
from training.registry.learnt import Learnt


@dataclass(frozen=True, slots=True)
class Measured:
    """One version's outcome.

    Attributes:
        model: the version.
        scored: the rows that it was measured on.
        figures: what came out.
        left_out: payments of the period that a measured version had learnt from.
    """

    model: Model
    scored: Scored
    figures: Json
    left_out: int

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"v{self.model.version} {self.model.manifest.strategy}"


def open_stream(
    events: Path, labels: Path | None, models: Sequence[Model], *, platform_file: Path | None = None
) -> tuple[Stream, FeatureContext]:
    """The stream as these versions must see it: by the platform that they were made for.

    Args:
        events: a file.
        labels: its labels, None without any.
        models: the versions.
        platform_file: the platform's declaration, where its rates lie beside; by default the one beside the events.

    Raises:
        InvalidDataset: they were made for different platforms.
        Misconfigured: the platform's rates are in a file that cannot be used.
    """
    platform = models[0].manifest.platform
    for model in models[1:]:
        mismatch = model.manifest.platform.mismatch(platform)
        if mismatch:
            raise InvalidDataset(
                f"version {model.version} was made for {mismatch}, that of version {models[0].version}: evaluate them "
                "apart"
            )
    built_in = platform.rates is None
    declared = standing_for(platform) if built_in else read_platform(platform_file or events.with_name(PLATFORM))
    context = FeatureContext(platform, declared.rates)
    return read_stream([events], labels, context), context


def measure(
    model: Model,
    stream: Stream,
    context: FeatureContext,
    *,
    period: tuple[int | None, int | None],
    as_of: int,
    seed: int,
    learnt: Learnt,
) -> Measured:
    """One version on one period. Its own risk tables are used: what it ships is what it would see.

    Args:
        model: the version.
        stream: the payments.
        context: how they become features.
        period: first and last event time, µs; None leaves that open.
        as_of: labels received by then are known, µs.
        seed: of the intervals.
        learnt: payments that are left out.

    Raises:
        InvalidDataset: too little is left.
    """
    dataset = from_stream(stream, context, as_of=as_of, risk=model.risk, progress=True)
    check_features(model, dataset)
    chosen, out = learnt.unseen(dataset.between(*period).labelled(), said_by="the versions that are measured")
    scored = to_scored(chosen, model.scores(chosen.features))
    return Measured(model, scored, evaluate(scored, model.policy, seed=seed), out)


def by_domain(measured: Measured, sources: Sequence[Path], context: FeatureContext) -> dict[str, Scored]:
    """The evaluated payments and each source's, all scored by the same version."""
    domains = {"these payments": measured.scored}
    for path in sources:
        stream = read_stream([path], labels_beside(path, None), context)
        known = from_stream(stream, context, risk=measured.model.risk, progress=True).labelled()
        name = path.parent.name or path.name
        domains[name] = to_scored(known, measured.model.scores(known.features))
    return domains


def write(
    out: Path, document: Json, done: Sequence[Measured], *, differences: Json, domains: Mapping[str, Scored]
) -> None:
    """metrics.json and report.html."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    report = evaluation_report(
        {m.name: (m.scored, m.model.policy) for m in done},
        {m.name: m.figures for m in done},
        differences,
        title=f"Evaluation of version {done[0].model.version}",
        lead=f"{document['data']}, {document['since'] or 'start'} to {document['until'] or 'end'}, labels as of "
        f"{document['as_of'] or 'the end of time'}; {measured_on(document)}",
        domains=domains,
    )
    (out / "report.html").write_text(report, encoding="utf-8")


def measured_on(document: Json) -> str:
    """One line on whether the figures are of payments that the versions had not learnt from."""
    if document["in_sample"]:
        return "in-sample: payments that the versions learnt from are among them, the figures are too good"
    return f"{document['left_out']:,} payments left out, which a version had learnt from"
