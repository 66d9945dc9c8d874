"""The gate as `promote` asks it: candidate against champion on a file of payments."""

from datetime import datetime
from pathlib import Path

from training import registry
from training.adapt_inputs import labels_beside
from training.console import bundle_key, to_us
from training.datasets import END_OF_TIME
from training.evaluate import Model
from training.evaluate_command import open_stream
from training.gate import Verdict, judge
from training.gate_run import holdout, scored_by, traffic
from training.registry import RegistryError


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
) -> str:
    """Why the candidate may serve.

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
    models = [Model.read(registry.find(root, number)[1], bundle_key()) for number in (version, champion)]
    stream, world = open_stream(events, labels_beside(events, labels), models)
    since, until, as_of = (None if t is None else to_us(t) for t in period)
    known_at = END_OF_TIME if as_of is None else as_of
    new, old = ((m, scored_by(m, stream, world, as_of=known_at).between(since, until)) for m in models)
    judgement = judge(
        [holdout("matured", new, old)],
        candidate_policy=new[0].policy,
        champion_policy=old[0].policy,
        traffic=traffic(new, old),
        seed=seed,
    )
    if judgement.verdict is not Verdict.ACCEPT:
        registry.refuse(root, version, reason=judgement.reason, at=at, evidence=judgement.as_json())
        raise RegistryError(f"the gate keeps version {champion} ({judgement.verdict}): {judgement.reason}")
    return judgement.reason
