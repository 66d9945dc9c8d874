"""The launcher on machines that lack something: one line that says what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.broker import jars
from local.broker.configuration import Ports, server_properties, write_properties
from local.broker.jars import BrokerUnavailable, java, kafka_jars

ROOT = Path(__file__).parents[3]


def fake_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def assert_one_helpful_line(message: str) -> None:
    assert "\n" not in message
    assert "Docker" in message
    assert "FRAUD_KAFKA_BOOTSTRAP_SERVERS" in message


def test_a_missing_java_is_named_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrokerUnavailable, match="install a JDK 17") as caught:
        java()
    assert_one_helpful_line(str(caught.value))


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_a_java_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    fake_program(tmp_path, "java", f"echo 'openjdk version \"{version}\"' >&2")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match=rf"is Java {version.removeprefix('1.').split('.')[0]}:") as caught:
        java()
    assert_one_helpful_line(str(caught.value))


def test_a_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrokerUnavailable, match="install Apache Maven") as caught:
        kafka_jars(tmp_path)
    assert_one_helpful_line(str(caught.value))


def test_a_failed_download_shows_mavens_first_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_program(tmp_path, "mvn", "echo '[ERROR] no network'; echo '[ERROR] more'; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match="could not fetch Kafka: no network; ") as caught:
        kafka_jars(tmp_path / "build")
    assert_one_helpful_line(str(caught.value))
    assert list((tmp_path / "build" / "kafka").iterdir()) == [], "no half-fetched folder is left"


def test_maven_is_not_called_again_for_the_same_pom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    make = 'for a; do case $a in -DoutputDirectory=*) /bin/mkdir -p "${a#*=}";; esac; done'
    fake_program(tmp_path, "mvn", f"echo call >> {calls}; {make}")
    monkeypatch.setenv("PATH", str(tmp_path))
    first = kafka_jars(tmp_path / "build")
    assert kafka_jars(tmp_path / "build") == first
    changed = tmp_path / "pom.xml"
    changed.write_text(jars.POM.read_text(encoding="utf-8") + "<!-- newer -->", encoding="utf-8")
    monkeypatch.setattr(jars, "POM", changed)
    assert kafka_jars(tmp_path / "build") != first
    assert calls.read_text(encoding="utf-8") == "call\ncall\n"


def test_the_program_ends_with_one_line_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.broker", "--port", "0"],
        cwd=ROOT,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("kafka: java is not on PATH")
    assert done.stderr.count("\n") == 1


def test_given_properties_win_over_the_defaults(tmp_path: Path) -> None:
    ports = Ports(client=1, internal=2, controller=3)
    properties = server_properties(
        ports,
        data=tmp_path,
        security="plaintext",
        users={},
        stores=None,
        extra={"auto.create.topics.enable": "true"},
    )
    write_properties(tmp_path / "server.properties", properties)
    lines = (tmp_path / "server.properties").read_text(encoding="utf-8").splitlines()
    assert "auto.create.topics.enable=true" in lines
    assert "auto.create.topics.enable=false" not in lines
    assert "advertised.listeners=CLIENT://127.0.0.1:1,INTERNAL://127.0.0.1:2" in lines
