"""The compose file against the files that it must agree with."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.settings import Settings as ConsoleSettings
from fraud.history.history import HistoryConfig
from gateway.settings import Settings as GatewaySettings
from service.operations.memory_bound import most_memory
from service.settings import Settings
from training.settings import Settings as LoopSettings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

ONCE = {"topics", "console-topics", "bootstrap", "simulator"}

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


@every_service
def test_it_is_bounded_watched_and_cannot_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "pids_limit"} <= service.keys()
    assert {"cpus", "cpu_shares"} & service.keys()
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert "healthcheck" in service or name == "trainer", "the trainer's image brings its own"
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert service.get("init", False) == (name in ONCE), "a one-shot program does not ask for SIGTERM itself"


@every_service
def test_its_root_cannot_be_written_but_for_kafkas_as_the_docs_say(name: str) -> None:
    assert SERVICES[name].get("read_only", False) == (name != "kafka")
    text = (ROOT / "docs" / "how-to" / "operations.md").read_text(encoding="utf-8")
    assert "The exception is\n`kafka`" in text


def test_the_scorers_memory_holds_its_histories_twice() -> None:
    """Once for itself, once for the copy that a snapshot is written from."""
    gib = {"compose": SERVICES["service"]["mem_limit"].removesuffix("g")}
    manifests = yaml.safe_load_all((ROOT / "deploy" / "k8s" / "service.yaml").read_text(encoding="utf-8"))
    (workload,) = (m for m in manifests if m["kind"] == "StatefulSet" and m["metadata"]["name"] == "fraud-service")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    gib["kubernetes"] = container["resources"]["limits"]["memory"].removesuffix("Gi")
    partitions = Settings().platform.partitions
    most = most_memory(HistoryConfig(), partitions)
    assert all(float(limit) * 2**30 >= most for limit in gib.values())


def test_a_second_start_sends_nothing_twice() -> None:
    assert "--resume" in SERVICES["simulator"]["command"]


@every_service
def test_its_ports_are_published_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@every_service
def test_its_volumes_exist_and_its_folders_too(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"]


def test_the_image_runs_the_kafka_version_that_the_tests_run() -> None:
    pom = (ROOT / "local" / "broker" / "pom.xml").read_text(encoding="utf-8")
    version = re.findall(r"<kafka.version>(.+)</kafka.version>", pom)
    assert [SERVICES["kafka"]["image"]] == [f"${{KAFKA_IMAGE:-apache/kafka:{one}}}" for one in version]


def test_prometheus_scrapes_what_the_stack_publishes() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {t for job in config["scrape_configs"] for static in job["static_configs"] for t in static["targets"]}
    for target in targets - {"localhost:9090"}:
        name, port = target.split(":")
        assert f"127.0.0.1:{port}:{port}" in SERVICES[name]["ports"]


@pytest.mark.parametrize("program", ["service", "trainer", "console", "gateway"])
def test_an_image_is_locked_non_root_and_has_no_shell_in_its_command(program: str) -> None:
    text = (ROOT / "deploy" / f"Dockerfile.{program}").read_text(encoding="utf-8")
    assert "--require-hashes" in text
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    variables = re.findall(r"^(?:ENV| {4})\s*([A-Z_]+)=", text, re.MULTILINE)
    assert len(variables) == len(set(variables)), "a variable is set twice"
    for instruction in ("ENTRYPOINT", "CMD"):
        assert re.search(rf"^ *{instruction} \[", text, re.MULTILINE)
        assert not re.search(rf"^ *{instruction} [^\[]", text, re.MULTILINE)


@every_service
def test_its_program_knows_every_setting_that_it_is_given(name: str) -> None:
    known = {f"FRAUD_{field.upper()}" for one in (Settings, LoopSettings) for field in one.model_fields}
    if name in {"service", "topics"}:
        known = {f"FRAUD_{field.upper()}" for field in Settings.model_fields}
    if name == "gateway":
        known = {f"FRAUD_{field.upper()}" for field in GatewaySettings.model_fields}
    if name in {"console", "console-topics"}:
        known = {f"FRAUD_{field.upper()}" for field in ConsoleSettings.model_fields}
    given = {variable for variable in SERVICES[name].get("environment", {}) if variable.startswith("FRAUD_")}
    assert given <= known


def test_the_loop_is_told_everything_that_it_learns_from() -> None:
    """The simulated shop sends labels to the topic that the loop reads."""
    assert SERVICES["trainer"]["command"] == ["loop"]
    topic = LoopSettings.model_fields["labels_topic"].default
    assert f"--labels-topic={topic}" in SERVICES["simulator"]["command"]


@pytest.mark.parametrize("file", sorted((ROOT / "deploy").glob("Dockerfile.*")), ids=lambda file: file.suffix[1:])
def test_an_image_copies_what_its_build_is_given(file: Path) -> None:
    given = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source
        for line in file.read_text().splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(source == one or source.startswith(one) for one in given), source
