"""A real Prometheus that scrapes the real programs: every panel's query and every rule gives data."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fraud.contracts.controls import Control
from fraud.decisions.policy import CostModel, Policy
from fraud.decisions.review_budget import Capacity
from fraud.timestamps import to_datetime
from local.broker.address import KafkaAddress
from local.ports import free_port
from local.programs import environment
from local.testbed.bundles import serve, write_bundle
from local.testbed.scorer_run import ScorerRun
from runtime.kafka.controls_log import ControlsWriter
from service.observability.metrics import STAGES
from simulator.__main__ import config_of
from simulator.output.malformed import malformed, partly_invalid
from simulator.output.publish import KafkaSink, Message, messages, publish
from simulator.simulation import simulate
from tools.dashboards.preview import Prometheus, page
from training.loop.state import LoopState, ServingPeriod, save_state

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
BOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
TESTS = sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yml"))
SHOP = {"transactions": 2_500, "days": 80, "seed": 5, "base_rate": 0.02}
LAST_HOURS, BROKEN = 300, 30
BATCHES = "rate(fraud_batch_size_count[1m]) > 0"
CHAMPION, SHADOW = 1, 2
NOT_RUN_HERE = re.compile("fraud_(gateway|console)_|fraud:gateway_|fraud-gateway")
"""Series of programs with tests of their own; `tests/unit/tools/test_metric_names.py` holds their panels to them."""

RULES_OF_THE_SHOP = {
    "large": ("live", "amount > 200", "review"),
    "any": ("shadow", "amount > 0", "block"),
    "never-computed": ("live", "score / (amount - amount) > 1", "block"),
}


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus)")
    return found


class Server:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the samples that an instant query gives now."""
        query = urllib.parse.urlencode({"query": expr})
        address = f"{self.url}/api/v1/query?{query}"
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - 127.0.0.1
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):  # noqa: S310 - 127.0.0.1
                return True
        except urllib.error.URLError:
            return False


def wait_for(what: str, condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.5)


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[None]:
    """A program for as long as the block lasts; it must still run at its end, and end well when asked to."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield
        assert process.poll() is None, log.read_text(errors="replace")[-2_000:]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def prometheus_of(folder: Path, binary: str, *, service: int, loop: int, port: int) -> list[str]:
    """The command of a Prometheus with the project's own configuration, but quick, and with this test's targets."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(file) for file in RULES]
    targets = {"fraud-service": service, "fraud-loop": loop, "prometheus": port}
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    paths = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    return [binary, *paths, f"--web.listen-address=127.0.0.1:{port}"]


def make_models(root: Path) -> None:
    """A champion that reviews as much as analysts can take, and a shadow."""
    rules = Policy.from_costs(CostModel(), base_currency="EUR", flag_from=0.1, review_capacity=Capacity(per_day=20))
    for version in (CHAMPION, SHADOW):
        write_bundle(root, version, half=500.0 * version, rules=rules)
    serve(root, CHAMPION, SHADOW)


def make_loops_past(folder: Path) -> None:
    """The loop has promoted the champion earlier, so that it made a promise."""
    serving = ServingPeriod(version=CHAMPION, since=0, promised={"precision": 0.2, "recall": 0.7})
    save_state(folder, LoopState(runs=1, serving=serving))


def put_controls(scorer: ScorerRun) -> None:
    """Rules that act, are counted, and cannot be computed; and a list."""
    said = {"version": 1, "author": "mira", "reason": "a test", "written_at": "2026-01-05T10:00:00Z"}
    bodies = {
        name: {"kind": "rule", "status": status, "rule": {"when": when, "effect": effect}}
        for name, (status, when, effect) in RULES_OF_THE_SHOP.items()
    }
    bodies["watched"] = {"kind": "list_entry", "status": "live", "list_entry": {"list": "watched", "values": ["x"]}}
    with closing(ControlsWriter(scorer.cluster, scorer.names["controls_topic"])) as writer:
        for name, body in bodies.items():
            writer.put(Control.model_validate({**said, "control_id": name, **body}))


class Shop:
    """Eighty simulated days with their labels; the last hours, with broken records among them, wait to be sent."""

    def __init__(self, servers: str, topics: dict[str, str]) -> None:
        self._servers, self._topics = servers, topics
        simulation = simulate(config_of("positive", "target", SHOP))
        self._stream = list(messages(simulation, labels=True))
        self._now_ms = self._stream[-1].timestamp_ms

    def send_past(self) -> None:
        self._send(self._stream[:-LAST_HOURS])

    def send_last_hours(self) -> None:
        broken = [Message(b"x", value, self._now_ms) for value in malformed(1, BROKEN)]
        now = to_datetime(self._now_ms * 1000).isoformat().encode()
        dated = [re.sub(rb'(?<="event_time":")[^"]+', now, value) for value, _ in partly_invalid(1, BROKEN)]
        partly = [Message(b"x", value, self._now_ms) for value in dated]
        self._send([*self._stream[-LAST_HOURS:], *broken, *partly])

    def _send(self, stream: list[Message]) -> None:
        sink = KafkaSink(self._servers, self._topics["transactions_topic"], self._topics["labels_topic"])
        publish(iter(stream), sink, rate=0)
        sink.close()


@pytest.fixture(scope="module")
def prometheus(broker: KafkaAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Prometheus beside a service that has scored a simulated shop and a loop that has looked at it."""
    binary = program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    make_models(folder / "models")
    make_loops_past(folder / "loop")
    scorer = ScorerRun(broker.bootstrap_servers, folder.name, folder, folder / "models")
    service = scorer.service()
    ports = {"service": int(service.url.rpartition(":")[2]), "loop": free_port(), "port": free_port()}
    settings = {
        **scorer.names,
        "kafka_bootstrap_servers": broker.bootstrap_servers,
        "models_dir": str(folder / "models"),
        "loop_data_dir": str(folder / "loop"),
        "loop_http_port": str(ports["loop"]),
        "loop_clock": "stream",
        "loop_poll": "1",
    }
    loop_settings = {f"FRAUD_{name.upper()}": value for name, value in settings.items() if name != "group_id"}
    server = Server(ports["port"])
    with ExitStack() as stack:
        stack.callback(scorer.close)
        put_controls(scorer)
        service.start()
        stack.enter_context(running(prometheus_of(folder, binary, **ports), folder / "prometheus.log"))
        service.ready()
        wait_for("a scrape of the service", lambda: server.ready() and server.query("fraud_records_total"))
        shop = Shop(broker.bootstrap_servers, scorer.names)
        shop.send_past()
        scorer.until_caught_up()
        loop = [sys.executable, "-m", "training", "loop"]
        stack.enter_context(running(loop, folder / "loop.log", environment(loop_settings)))
        wait_for("a look of the loop, its last figure", lambda: server.query("fraud_business_net_money_total > -Inf"))
        # Now, so that the rates of the last minute are not those of an idle service, however long that took.
        shop.send_last_hours()
        scorer.until_caught_up()
        scored = f"sum(fraud_transactions_total) == {SHOP['transactions'] + BROKEN}"
        wait_for("a scrape of the last hours", lambda: server.query(scored) and server.query(BATCHES))
        wait_for("a recorded rate", lambda: server.query("fraud:end_to_end_seconds:p99_5m >= 0"))
        yield server


def dashboard(file: Path) -> dict[str, Any]:
    """A dashboard with the panels that what runs here fills."""
    board: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    shown = [panel for panel in board["panels"] if not NOT_RUN_HERE.search(json.dumps(panel.get("targets", [])))]
    return {**board, "panels": shown}


def panels() -> list[tuple[str, str]]:
    """Return (dashboard and panel, expression) of every panel."""
    found = []
    for file in BOARDS:
        for panel in dashboard(file)["panels"]:
            found += [(f"{file.stem}: {panel['title']}", query["expr"]) for query in panel.get("targets", [])]
    return found


def test_every_stage_of_a_batch_has_been_counted_from_zero(prometheus: Server) -> None:
    counted = prometheus.query("fraud_batch_seconds_count > 0")
    assert {sample["metric"]["stage"] for sample in counted} == set(STAGES)
    first = prometheus.query("min_over_time(fraud_batch_seconds_count[10m])")
    assert {sample["value"][1] for sample in first} == {"0"}


def rules() -> list[dict[str, str]]:
    loaded = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in RULES]
    return [rule for one in loaded for group in one["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(("panel", "expr"), panels())
def test_a_panels_query_returns_numbers(prometheus: Server, panel: str, expr: str) -> None:
    samples = prometheus.query(expr)
    assert samples, f"{panel} shows nothing for {expr}"
    assert not any(sample["value"][1] == "NaN" for sample in samples), f"{panel} shows NaN for {expr}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_drawn_without_an_empty_panel(prometheus: Server, board: Path) -> None:
    now = time.time()  # noqa: TID251 - what Prometheus goes by
    shown = dashboard(board)
    text = page(shown, Prometheus(prometheus.url, since=now - 120, until=now), since=now - 120, until=now)
    assert text.count("<svg") == sum(panel["type"] == "timeseries" for panel in shown["panels"])
    assert "No data" not in text


@pytest.mark.parametrize(
    "record", [rule["record"] for rule in rules() if "record" in rule and not NOT_RUN_HERE.search(rule["record"])]
)
def test_a_recording_rule_records(prometheus: Server, record: str) -> None:
    assert prometheus.query(record)


def test_no_rule_fails(prometheus: Server) -> None:
    failures = prometheus.query("prometheus_rule_evaluation_failures_total > 0")
    assert not failures


def test_the_service_counts_as_up_and_its_ratios_are_shares(prometheus: Server) -> None:
    assert not prometheus.query('ALERTS{alertname="FraudServiceDown"}')
    for ratio in ("fraud:flagged:ratio5m", "fraud:dead_letters:ratio5m"):
        (sample,) = prometheus.query(ratio)
        assert 0 < float(sample["value"][1]) <= 1


def test_what_was_sent_is_what_was_counted(prometheus: Server) -> None:
    (scored,) = prometheus.query("sum(fraud_transactions_total)")
    (dead,) = prometheus.query("sum(fraud_dead_letters_total)")
    assert int(scored["value"][1]) == SHOP["transactions"] + BROKEN
    assert 0 < int(dead["value"][1]) <= BROKEN


def test_every_alert_fires_when_it_should_and_keeps_quiet_otherwise() -> None:
    done = subprocess.run(
        [program("promtool"), "test", "rules", *TESTS], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_valid() -> None:
    config = ROOT / "deploy" / "prometheus" / "prometheus.yml"
    done = subprocess.run([program("promtool"), "check", "config", config], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
