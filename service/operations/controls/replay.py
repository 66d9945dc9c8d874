"""Controls over past events: drafts judged before they act, and decisions made again under controls of their time."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fraud.contracts.inbound import Verdict
from fraud.controls.backtest import Backtest
from fraud.history.history import History
from runtime.errors import Misconfigured
from runtime.kafka.client import Cluster
from runtime.kafka.controls_log import ControlsReader
from service.adapters.kafka.group import Reader
from service.bootstrap import build_pipeline, domain
from service.operations.controls.backtest import backtest
from service.operations.controls.decided_again import DecidedAgain, decide_again, decisions_made
from service.operations.controls.files import controls_of
from service.operations.controls.label_verdicts import verdicts
from service.operations.replay import FILES, past_records, versions_model
from service.pipeline import Pipeline
from service.settings import Settings


def judge_drafts(settings: Settings, source: str, version: int, drafts: Path, labels: str | None) -> Backtest:
    """Backtests the controls of a TOML file, beside those that act now where the source is a topic.

    Args:
        settings: of the service.
        source: a `.jsonl` or `.parquet` file, or a topic.
        version: of the model that scores.
        drafts: the file.
        labels: a `.jsonl` file or a topic of labels; None for none.

    Raises:
        Misconfigured: model, source or a draft cannot be used.
    """
    chosen = controls_of(drafts, by="backtest", now=datetime.now(UTC))
    pipelines = _pipeline(settings, source), _pipeline(settings, source)
    for offset, value in () if _is_file(source) else _controls(settings):
        for pipeline in pipelines:
            pipeline.rulebook.take(value, offset)
    said: dict[str, Verdict] = {} if labels is None else verdicts(_values(settings, labels))
    return backtest(past_records(settings, source), pipelines, chosen, versions_model(settings, version), said)


def decide_past(settings: Settings, source: str, version: int) -> DecidedAgain:
    """Decides the payments of a topic again, each under the controls that its decision names.

    Raises:
        Misconfigured: the source is no topic, or model or a topic cannot be used.
    """
    if _is_file(source):
        raise Misconfigured(f"{source}: decisions name places in a topic; give the topic that they were made from")
    made = decisions_made(_values(settings, settings.decisions_topic))
    return decide_again(
        past_records(settings, source),
        lambda: _pipeline(settings, source),
        versions_model(settings, version),
        list(_controls(settings)),
        made,
    )


def _pipeline(settings: Settings, source: str) -> Pipeline:
    """At the beginning of the log, without lots of its own and without messages."""
    code = domain(settings)
    quiet = settings.model_copy(update={"decisions": "off", "explore_share": 0.0})
    pipeline = build_pipeline(quiet, code, time.monotonic)
    for partition in range(1 if _is_file(source) else settings.platform.partitions):
        pipeline.adopt(partition, History(code.config), None)
    return pipeline


def _controls(settings: Settings) -> Iterator[tuple[int, bytes]]:
    with closing(ControlsReader(Cluster.of(settings), settings.controls_topic)) as reader:
        yield from ((record.offset, record.value) for record in reader.to_end())


def _values(settings: Settings, source: str) -> Iterator[bytes | None]:
    """The lines of a file, or all values of a topic."""
    if _is_file(source):
        with Path(source).open("rb") as file:
            yield from file
        return
    with closing(Reader(Cluster.of(settings), source)) as reader:
        for partition in reader.partitions():
            for records in reader.replay(partition, *reader.bounds(partition)):
                yield from records.values


def _is_file(source: str) -> bool:
    return Path(source).suffix in FILES
