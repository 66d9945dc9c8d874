import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.broker.address import KafkaAddress


@pytest.mark.kafka
@pytest.mark.timeout(900)  # simulates, pre-trains, adapts and streams; minutes on a machine that does other things too
def test_the_quick_demo_ends_with_one_json_line_that_accounts_for_every_transaction(broker: KafkaAddress) -> None:
    environment = {**os.environ, "FRAUD_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}  # noqa: TID251 - passed on
    done = subprocess.run(
        [sys.executable, "-m", "local.demo", "--quick"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["scored"] + said["dead_letters"] == said["transactions"]
    assert said["alerts"] > 0
    assert 0.2 * said["bayes_average_precision"] < said["average_precision"] <= 1
    assert 0 < said["latency_p50_ms"] <= said["latency_p99_ms"]


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(3_600)
def test_the_whole_demo_ends_with_recall_back_after_an_unattended_readaptation(broker: KafkaAddress) -> None:
    environment = {**os.environ, "FRAUD_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}  # noqa: TID251 - passed on
    done = subprocess.run(
        [sys.executable, "-m", "local.demo"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["lost"] == said["doubled"] == 0
    assert said["recall_during"] < said["recall_after"]
    assert said["recall_unadapted"] < said["recall_after"]
    assert Path("build/demo/readaptation.png").read_bytes().startswith(b"\x89PNG")
