"""The gate as `promote` asks it: candidate against champion on a file of payments."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from runtime.model_registry import RegistryError
from training.commands.console import bundle_key, to_us
from training.commands.target import known_from
from training.data.dataset import Dataset
from training.data.replayed_stream import from_stream
from training.data.sample import MIN_FRAUDS, Sample
from training.data.training_rows import fraud_rate
from training.evaluation.evaluate import Floats, Model, check_features
from training.evaluation.side_by_side import open_stream
from training.gate.paired_scores import DEFAULT_BUDGET, GateInputs, Rival, Ruling, in_its_time, rule
from training.gate.rule import GateAnswer, GateConfig
from training.labels.delay import DelayCurve, Reports
from training.labels.ledger import Ledger
from training.modelling.inputs import kinds_of, labels_beside
from training.modelling.trees.boosting import FEW_LABELS, booster_logits, fit_booster
from training.registry import versions as registry
from training.registry.learnt import Learnt


def ask_gate(
    root: Path,
    version: int,
    champion: int | None,
    events: Path,
    *,
    labels: Path | None,
    period: tuple[datetime | None, datetime | None, datetime | None],
    seed: int,
    at: str,
) -> Ruling:
    """Why the candidate may serve.

    The same checks as in the loop. Payments that either version learnt from, or that it was given to learn from, are
    left out. The baseline, boosted trees, learns from the payments before the period.

    Args:
        root: the model directory.
        version: the candidate.
        champion: who serves now; None when nobody does: the candidate must be better than chance.
        events: payments to compare them on.
        labels: label file; by default the one beside the events.
        period: first and last event time, and when labels must have been received; None leaves that open, or means now.
        seed: of the bootstrap.
        at: now, ISO 8601.

    Raises:
        RegistryError: the gate says no; the reason lies beside the candidate.
        InvalidDataset: too few payments are left.
    """
    numbers = [version] if champion is None else [version, champion]
    models = [Model.read(registry.find(root, number)[1], bundle_key()) for number in numbers]
    candidate, serving = models[0], models[1] if champion is not None else None
    stream, context = open_stream(events, labels_beside(events, labels), models)
    since, until = (None if t is None else to_us(t) for t in period[:2])
    known_at = known_from(period[2], stream)
    whole = from_stream(stream, context, as_of=known_at, risk=candidate.risk)
    for model in models:
        check_features(model, whole)
    data, out = Learnt.of(root, *numbers).unseen(whole.between(since, until), said_by="these versions")
    budget = DEFAULT_BUDGET
    inputs = GateInputs(
        candidate=candidate,
        ranks=in_its_time(candidate.scores(data.features), data.time, budget),
        champion=None if serving is None else Rival.of(root, serving, data, budget),
        data=data,
        ledger=stream.ledger,
        at=known_at,
        promoted=None if champion is None else registry.blessed_at(root, champion),
        trusted=None if serving is None else to_us(datetime.fromisoformat(serving.manifest.created_at)),
        rate=fraud_rate(data, DelayCurve.of(Reports.of(stream.ledger, known_at)), known_at),
        baselines={} if since is None else _baseline(whole, data, stream.ledger, since, seed=seed),
    )
    ruling = rule(inputs, config=GateConfig(), seed=seed)
    if out:
        ruling = replace(ruling, unseen=(*ruling.unseen, f"{out:,} payments that these versions learnt from"))
    judgement = ruling.judgement
    if judgement.answer is not GateAnswer.ACCEPT:
        evidence = judgement.as_json() | {"unseen": list(ruling.unseen)}
        registry.refuse(root, version, reason=judgement.reason, at=at, evidence=evidence)
        kept = "serves nobody" if champion is None else f"keeps version {champion}"
        raise RegistryError(f"the gate {kept} ({judgement.answer}): {judgement.reason}")
    return ruling


def _baseline(whole: Dataset, judged: Dataset, ledger: Ledger, since: int, *, seed: int) -> Mapping[str, Floats]:
    """Boosted trees on what was known when the judged payments began; none without frauds enough to learn from."""
    past = Sample.of(whole.between(None, since).with_labels(ledger, since))
    if past.frauds < MIN_FRAUDS or past.frauds == len(past):
        return {}
    kinds = kinds_of(whole.names, [whole.identity.platform])
    trees = fit_booster(past.features, past.label, kinds, seed=seed, options=FEW_LABELS)
    logits = booster_logits(trees, judged.features, kinds).astype(np.float64)
    return {"trees on the target": in_its_time(logits, judged.time, DEFAULT_BUDGET)}
