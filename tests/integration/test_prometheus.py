"""A real Prometheus over the programs' own metric classes: every panel's query and every rule gives data."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.sample_exporter import serving

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
TESTS = sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yml"))


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return found


class Server:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the samples that an instant query gives now."""
        query = urllib.parse.urlencode({"query": expr})
        address = f"{self._url}/api/v1/query?{query}"
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - 127.0.0.1
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=2):  # noqa: S310 - 127.0.0.1
                return True
        except urllib.error.URLError:
            return False


def wait_for(what: str, condition: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Prometheus with the project's own configuration, but quick, and with the targets of this test."""
    binary = program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving() as exporter:
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(file) for file in RULES]
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": [f"127.0.0.1:{exporter}"]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [binary, *arguments, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
            )
        try:
            server = Server(port)
            wait_for("Prometheus ready", server.ready)
            wait_for("a recorded rate", lambda: server.query("fraud:end_to_end_seconds:p99_5m"))
            yield server
        finally:
            process.terminate()
            process.wait(20)


def panels() -> list[tuple[str, str]]:
    """Return (dashboard and panel, expression) of every panel."""
    found = []
    for file in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            found += [(f"{file.stem}: {panel['title']}", query["expr"]) for query in panel.get("targets", [])]
    return found


@pytest.mark.parametrize(("panel", "expr"), panels())
def test_a_panels_query_returns_data(prometheus: Server, panel: str, expr: str) -> None:
    assert prometheus.query(expr), f"{panel} shows nothing for {expr}"


def test_no_rule_fails(prometheus: Server) -> None:
    failures = prometheus.query("prometheus_rule_evaluation_failures_total > 0")
    assert not failures


def test_the_service_counts_as_up_and_its_ratios_are_shares(prometheus: Server) -> None:
    assert not prometheus.query('ALERTS{alertname="FraudServiceDown"}')
    for ratio in ("fraud:flagged:ratio5m", "fraud:dead_letters:ratio5m"):
        (sample,) = prometheus.query(ratio)
        assert 0 < float(sample["value"][1]) <= 1


def test_every_alert_fires_when_it_should_and_keeps_quiet_otherwise() -> None:
    done = subprocess.run(
        [program("promtool"), "test", "rules", *TESTS], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_valid() -> None:
    config = ROOT / "deploy" / "prometheus" / "prometheus.yml"
    done = subprocess.run([program("promtool"), "check", "config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
