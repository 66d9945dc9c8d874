"""Scorer runs on the session's broker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.broker.address import KafkaAddress
from local.testbed.bundles import serve, write_bundle
from local.testbed.scorer_run import ScorerRun

MakeScorer = Callable[..., ScorerRun]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with versions 1 and 2; 1 serves."""
    root = tmp_path_factory.mktemp("models")
    for version in (1, 2):
        write_bundle(root, version)
    serve(root, 1)
    return root


@pytest.fixture
def make_scorer(
    broker: KafkaAddress, models: Path, tmp_path: Path, unique_name: Callable[[str], str]
) -> Iterator[MakeScorer]:
    """Return a function that makes topics and folders of their own; services in them end with the test."""
    made: list[ScorerRun] = []

    def make(**options: object) -> ScorerRun:
        scorer = ScorerRun(broker.bootstrap_servers, unique_name("scorer"), tmp_path, models, **options)  # type: ignore[arg-type]
        made.append(scorer)
        return scorer

    yield make
    for scorer in made:
        scorer.close()
