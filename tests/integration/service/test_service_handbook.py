"""The handbook's transactions through the running service: every row accounted for, with training's own features."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from pyarrow import parquet

from fraud.features.encoder import features_crc
from fraud.features.risk_tables import RiskTables
from local.testbed.scorer_run import ScorerRun
from runtime.kafka.batch_writer import append
from service.adapters.kafka.group import Reader
from training.data.files.json_lines import to_wire
from training.data.importing.importer import import_file
from training.data.importing.mapping import load_mapping
from training.data.replayed_stream import build

pytestmark = pytest.mark.kafka

ROWS = 200_000
SHARE = 1_000
DATA = Path(os.getenv("FRAUD_DATA_DIR", "../shared/data")) / "fdh_simulated.parquet"


@pytest.mark.timeout(900)  # minutes on a machine that does other things too
@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here: set FRAUD_DATA_DIR to where it is")
def test_two_hundred_thousand_rows_are_scored_with_the_features_that_training_sees(
    make_scorer: Callable[..., ScorerRun], tmp_path: Path
) -> None:
    events = tmp_path / "events.parquet"
    imported = import_file(DATA, load_mapping("fdh"), events, limit=ROWS)
    assert imported.rejects == 0
    values = to_wire(parquet.read_table(events))
    scorer = make_scorer()
    send(scorer, values)
    service = scorer.service()
    service.start()
    scorer.until_caught_up(seconds=600)
    assert service.stop() == 0, service.last_line()
    dataset = build(events, risk=RiskTables())
    wanted = dict(zip(dataset.transaction_ids.tolist(), map(features_crc, dataset.features), strict=True))
    found = {}
    with closing(Reader(scorer.cluster, scorer.names["decisions_topic"])) as reader:
        for records in reader.replay(0, *reader.bounds(0)):
            for value in records.values:
                decision = msgspec.json.decode(value or b"")
                found[decision["transaction_id"]] = decision["features_crc"]
    assert imported.transactions == ROWS == len(wanted)
    assert found == wanted


def send(scorer: ScorerRun, values: list[bytes]) -> None:
    topic = scorer.names["transactions_topic"]
    producer = KafkaProducer(bootstrap_servers=scorer.servers, batch_size=1_000_000, linger_ms=1_000)
    assert producer.partitions_for(topic) == {0}
    for first in range(0, len(values), SHARE):
        share = values[first : first + SHARE]
        append(producer, TopicPartition(topic, 0), [b"k"] * len(share), share)
    producer.flush(60)
    producer.close()
