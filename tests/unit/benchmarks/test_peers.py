"""What the harness computes from what it sees; the broker itself is not needed."""

import struct
from pathlib import Path

import pytest

from benchmarks.peers.commits import Progress, parse
from benchmarks.peers.job import Job
from benchmarks.peers.registry import PASS_THROUGH, SERVICE, service_environment
from benchmarks.peers.run import Failed, rate
from benchmarks.peers.sizes import for_partitions
from benchmarks.peers.table import markdown
from benchmarks.peers.throughput import Throughput, ratio
from fraud.models.bundle import read_manifest
from local.testbed.bundles import write_bundle
from service.settings import load_settings
from service.topics import output_topics


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def offset_key(group: str, partition: int) -> bytes:
    return struct.pack(">h", 1) + text(group) + text("topic") + struct.pack(">i", partition)


def test_a_commit_is_read_from_the_offsets_topic() -> None:
    value = struct.pack(">hqi", 4, 12_345, 0) + b"\x01" + struct.pack(">q", 0) + b"\x00"
    assert parse(offset_key("group", 3), value) == ("group", 3, 12_345)


@pytest.mark.parametrize(
    ("key", "value"),
    [(struct.pack(">h", 2) + text("group"), b"\x00\x03members"), (offset_key("group", 0), None), (None, b"x")],
)
def test_members_and_deletions_are_no_commits(key: bytes | None, value: bytes | None) -> None:
    assert parse(key, value) is None


def test_the_rate_leaves_out_the_warm_up_and_the_last_commit() -> None:
    slow_start = [Progress(0, 100), Progress(10_000, 300)]
    steady = [Progress(10_000 + 1_000 * second, 300 + 500 * second) for second in range(1, 11)]
    late_end = [Progress(60_000, 6_000)]
    assert rate([*slow_start, *steady, *late_end], 6_000) == pytest.approx(500)


def test_a_system_that_commits_once_cannot_be_measured() -> None:
    with pytest.raises(Failed, match="too seldom"):
        rate([Progress(1_000, 500)], 500)


def test_ratios_are_taken_within_a_repeat() -> None:
    (figure,) = ratio("name", [10.0, 40.0, 90.0], [10.0, 20.0, 30.0])
    assert (figure.value, figure.low, figure.high) == (2.0, 1.5, 2.5)


def test_what_did_not_run_has_no_ratio() -> None:
    assert ratio("name", [1.0], []) == []


def test_the_page_shows_each_system_beside_the_limit() -> None:
    found = Throughput()
    for system, value in ((PASS_THROUGH, 60_000.0), (SERVICE, 30_000.0)):
        found.rates[system.name].append(value)
        found.cpu_us[system.name].append(10.0)
        found.memory_mb[system.name].append(100.0)

    page = markdown(
        found, found.figures(), (PASS_THROUGH, SERVICE), broker="4.4.0", command="make bench", date="2026-01-01"
    )

    assert "| 30,000 | 50.00% |" in page
    assert "| `limit_ratio` | 0.5 | x |" in page


def test_a_job_survives_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    job = Job(
        bootstrap_servers="host:1", source="in", sink="out", group="g",
        models_dir=tmp_path, scratch=tmp_path, delivery="exactly_once",
    )  # fmt: skip
    monkeypatch.setattr("sys.argv", ["system", job.to_argument()])
    assert Job.from_argument() == job


def test_a_services_first_job_makes_its_own_folder(tmp_path: Path) -> None:
    job = Job(
        bootstrap_servers="b:9092",
        source="in",
        sink="out",
        group="g",
        models_dir=tmp_path,
        scratch=tmp_path / "run" / "service-1",
        partitions=3,
    )
    environment = service_environment(job, 0)
    assert Path(environment["FRAUD_PLATFORM_FILE"]).read_text() == "partitions = 3\n"


def test_a_model_directory_for_other_partitions_is_sound(tmp_path: Path) -> None:
    write_bundle(tmp_path / "models", 1)
    copy = for_partitions(tmp_path / "models", tmp_path / "copy", 2)
    manifest = read_manifest(copy / "1")
    assert (manifest.partitions, manifest.platform.partitions) == (2, 2)


def test_every_topic_that_the_service_reads_at_its_start_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = Job(bootstrap_servers="b:9092", source="in", sink="out", group="g", models_dir=tmp_path, scratch=tmp_path)
    for name, value in service_environment(job).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    made = {job.source, *SERVICE.topics(job), *SERVICE.single_topics(job)}
    assert {settings.transactions_topic, settings.controls_topic, *output_topics(settings).values()} == made
