import json
import os
import subprocess
import sys

import pytest

from deploy.kafka.address import KafkaAddress


@pytest.mark.kafka
@pytest.mark.timeout(900)  # simulates, pre-trains, adapts and streams; minutes on a machine that does other things too
def test_the_quick_demo_ends_with_one_json_line_that_accounts_for_every_transaction(broker: KafkaAddress) -> None:
    environment = {**os.environ, "FRAUD_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}  # noqa: TID251 - passed on
    done = subprocess.run(
        [sys.executable, "-m", "deploy.demo", "--quick"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["scored"] + said["dead_letters"] == said["transactions"]
    assert said["alerts"] > 0
    assert 0.2 * said["bayes_average_precision"] < said["average_precision"] <= 1
    assert 0 < said["latency_p50_ms"] <= said["latency_p99_ms"]
