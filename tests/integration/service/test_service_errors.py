"""Bad input around the events: one clear line, the right exit code, never a bare traceback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraud.models.serving import SERVING
from local.broker.address import KafkaAddress


def environment(folder: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAUD_")}  # noqa: TID251 - passed on
    values = {
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "models_dir": str(folder / "models"),
        "snapshots_dir": str(folder / "snapshots"),
        "http_port": "0",
        **settings,
    }
    return {**inherited, **{f"FRAUD_{name.upper()}": value for name, value in values.items()}}


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "service", *(arguments or ("run",))],
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"http_prot": "1"}, "unknown setting FRAUD_HTTP_PROT; did you mean FRAUD_HTTP_PORT?"),
        ({"http_port": "many"}, "FRAUD_HTTP_PORT: Input should be a valid integer"),
        ({"delivery": "maybe_once"}, "FRAUD_DELIVERY: Input should be 'exactly_once' or 'at_least_once'"),
        ({"secret_file": "/nowhere"}, "FRAUD_SECRET_FILE: cannot read /nowhere"),
        ({"platform_file": "/nowhere"}, "FRAUD_PLATFORM_FILE: cannot read /nowhere"),
        ({"kafka_security_protocol": "SASL_SSL"}, "SASL needs"),
        ({"pseudonyms": "true"}, "pseudonyms and explore_share need secret"),
        ({"snapshots_dir": "/proc/no"}, "set FRAUD_SNAPSHOTS_DIR"),
    ],
)
def test_wrong_settings_are_named_and_exit_with_2(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    done = run(tmp_path, **settings)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_port_in_use_is_named(tmp_path: Path, taken_port: int) -> None:
    done = run(tmp_path, http_port=str(taken_port))
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{taken_port}" in done.stderr


def test_an_empty_model_directory_is_named(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'models' / SERVING} is missing: no model was promoted yet" in done.stderr


def test_a_broken_serving_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / SERVING).write_text("{")
    done = run(tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / "models" / SERVING) in done.stderr


def test_check_names_everything_that_is_wrong_and_exits_with_2(tmp_path: Path) -> None:
    done = run(tmp_path, "check")
    assert done.returncode == 2
    errors = [line for line in done.stdout.splitlines() if line.startswith("error")]
    assert len(errors) == 2
    assert "127.0.0.1:1" in errors[0]
    assert "no model was promoted yet" in errors[1]


@pytest.mark.kafka
def test_a_missing_topic_is_named(tmp_path: Path, broker: KafkaAddress, models: Path) -> None:
    done = run(
        tmp_path,
        kafka_bootstrap_servers=broker.bootstrap_servers,
        models_dir=str(models),
        transactions_topic="no-such-topic",
    )
    assert done.returncode == 2
    assert f"topic no-such-topic does not exist at {broker.bootstrap_servers}" in done.stderr


@pytest.mark.kafka
def test_a_broker_that_is_away_is_waited_for_with_one_line_an_attempt(tmp_path: Path, models: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "service", "run"],
        env=environment(tmp_path, models_dir=str(models)),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stderr is not None
    lines: list[str] = []
    for line in started.stderr:
        if "waiting for the broker" in line:
            lines.append(line)
        if len(lines) == 2:
            break
    time.sleep(0.1)
    started.send_signal(signal.SIGTERM)
    rest = started.stderr.read()
    assert started.wait(30) == 0
    started.stderr.close()
    assert all("127.0.0.1:1" in line for line in lines)
    assert "Traceback" not in rest
