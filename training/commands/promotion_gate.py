"""The gate as `promote` asks it: candidate against champion on a file of payments."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from training.commands.console import bundle_key, to_us
from training.data.dataset import END_OF_TIME, Dataset
from training.data.replayed_stream import from_stream
from training.data.sample import MIN_FRAUDS, Sample
from training.evaluation.evaluate import Floats, Model, check_features
from training.evaluation.side_by_side import open_stream
from training.gate.paired_scores import GateInputs, Ruling, rule
from training.gate.rule import GateAnswer, GateConfig
from training.labels.ledger import Ledger
from training.modelling.boosting import booster_logits, fit_booster
from training.modelling.inputs import kinds_of, labels_beside
from training.modelling.strategies.task import AdaptOptions
from training.registry import versions as registry
from training.registry.versions import RegistryError


def ask_gate(
    root: Path,
    version: int,
    champion: int,
    events: Path,
    *,
    labels: Path | None,
    period: tuple[datetime | None, datetime | None, datetime | None],
    seed: int,
    at: str,
) -> Ruling:
    """Why the candidate may serve.

    The same checks as in the loop. The payments judged are those of the period, which neither version may have learnt
    from: nobody but the caller knows. The baseline, boosted trees, learns from the payments before it.

    Args:
        root: the model directory.
        version: the candidate.
        champion: who serves now.
        events: payments to compare them on.
        labels: label file; by default the one beside the events.
        period: first and last event time, and when labels must have been received; None leaves that open.
        seed: of the bootstrap.
        at: now, ISO 8601.

    Raises:
        RegistryError: the gate says no; the reason lies beside the candidate.
    """
    candidate, serving = (Model.read(registry.find(root, number)[1], bundle_key()) for number in (version, champion))
    stream, context = open_stream(events, labels_beside(events, labels), [candidate, serving])
    since, until, as_of = (None if t is None else to_us(t) for t in period)
    known_at = END_OF_TIME if as_of is None else as_of
    whole = from_stream(stream, context, as_of=known_at, risk=candidate.risk)
    for model in (candidate, serving):
        check_features(model, whole)
    data = whole.between(since, until)
    inputs = GateInputs(
        candidate=candidate,
        champion=serving,
        data=data,
        judges=np.ones(len(data), np.bool_),
        ledger=stream.ledger,
        at=known_at,
        promoted=registry.blessed_at(root, champion),
        trusted=to_us(datetime.fromisoformat(serving.manifest.created_at)),
        baselines={} if since is None else _baseline(whole, data, stream.ledger, since, seed=seed),
    )
    ruling = rule(inputs, config=GateConfig(), seed=seed)
    judgement = ruling.judgement
    if judgement.answer is not GateAnswer.ACCEPT:
        evidence = judgement.as_json() | {"unseen": list(ruling.unseen)}
        registry.refuse(root, version, reason=judgement.reason, at=at, evidence=evidence)
        raise RegistryError(f"the gate keeps version {champion} ({judgement.answer}): {judgement.reason}")
    return ruling


def _baseline(whole: Dataset, judged: Dataset, ledger: Ledger, since: int, *, seed: int) -> Mapping[str, Floats]:
    """Boosted trees on what was known when the judged payments began; none without frauds enough to learn from."""
    past = Sample.of(whole.between(None, since).with_labels(ledger, since))
    if past.frauds < MIN_FRAUDS or past.frauds == len(past):
        return {}
    kinds = kinds_of(whole.names, [whole.identity.platform])
    trees = fit_booster(past.features, past.label, kinds, seed=seed, options=AdaptOptions().few)
    return {"trees on the target": booster_logits(trees, judged.features, kinds).astype(np.float64)}
