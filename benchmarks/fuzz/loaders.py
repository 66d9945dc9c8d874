"""The production reader of each kind of file, and what must stay the same where a damaged one is taken."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fuzz.failures import WATCHER_ENDED
from benchmarks.fuzz.payments import payment
from fraud.decisions.policy import Policy
from fraud.decoding.batch import hash_id
from fraud.decoding.decoder import Decoder
from fraud.features.encoder import SPEC, Encoder
from fraud.features.risk_tables import RISK_WINDOWS_DAYS, RiskTable, RiskTables
from fraud.history.history import History, HistoryConfig
from fraud.models.bundle import MANIFEST, checksum
from fraud.models.serving import SERVING
from fraud.money import Rates
from local.testbed.bundles import AMOUNT, fingerprint, serve, write_bundle
from runtime import model_registry
from service.adapters.model_directory import ModelDirectory
from service.adapters.snapshots import SnapshotDirectory
from service.bootstrap import decoder, domain, expected
from service.ports import Snapshot
from service.settings import Settings
from training.data import importing
from training.data.feature_context import FeatureContext
from training.data.files.events import labels_table, read_events, read_labels
from training.data.files.schema import EVENTS
from training.data.importing import mapping
from training.evaluation.evaluate import Model
from training.labels.store import KINDS, LedgerStore, Record
from training.loop.decision import Decision
from training.loop.record import RunRecord, all_records, find_record, write_record
from training.loop.state import BegunRun, LoopState, load_state, save_state
from training.registry import versions as registry

Loader: TypeAlias = Callable[[Path], object]

DAY: Final = 86_400_000_000
NEW_YEAR: Final = 1_767_225_600_000_000
"""2026-01-01, µs."""

SMALL: Final = HistoryConfig(
    max_entities=1 << 10, max_entries=1 << 12, max_bucketed=1 << 6, recent_capacity=1 << 10, tidy_every=64
)
_NEVER: Final = 86_400.0
_HOME: Final = 1
_GUEST: Final = 2
_ABSENT: Final = 3


class Changed(Exception):  # noqa: N818 - named for what happened
    """A damaged file was taken, and its content is another."""


class Died(Exception):  # noqa: N818 - named for what happened
    """What reads it does not answer any more."""


def write_originals(root: Path) -> None:
    """A sound file of every kind, in a folder for each loader."""
    _bundle(root / "bundle")
    _serving(root / "serving")
    _snapshot(root / "snapshot")
    _ledger(root / "ledger")
    _loop(root)
    _event_files(root)
    for name in ("rates", "mapping", "policy"):
        (root / name).mkdir()
    rates = {"2025-01-01": {"EUR": 1, "USD": 0.9, "GBP": 1.2}, "2026-01-01": {"USD": 0.95}}
    (root / "rates" / "rates.json").write_bytes(msgspec.json.encode(rates))
    mappings = Path(importing.__file__).parent / "mappings"
    shutil.copy(mappings / "ieee-cis.toml", root / "mapping" / "mapping.toml")
    (root / "policy" / "policy.json").write_text(Policy.default("EUR").model_dump_json())


def _bundle(folder: Path) -> None:
    write_bundle(folder.parent / "made", _GUEST).rename(folder)
    keys = np.sort(np.array([hash_id(f"valid-m{i}") for i in range(20)], np.uint64))
    windows = len(RISK_WINDOWS_DAYS)
    risk = np.linspace(1, 9, len(keys) * windows, dtype=np.float32).reshape(len(keys), windows)
    tables = RiskTables([RiskTable("merchant", NEW_YEAR + i * DAY, keys, risk) for i in range(2)])
    tables.to_file(folder / "risk")
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes())
    manifest["files"]["risk/merchant.npz"] = checksum(folder / "risk" / "merchant.npz")
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def _serving(folder: Path) -> None:
    folder.mkdir()
    slot: dict[str, object] = {"champion": _HOME, "shadow": None, "previous": []}
    (folder / SERVING).write_bytes(msgspec.json.encode({fingerprint(): slot, "0123456789abcdef": slot}))


def _snapshot(folder: Path) -> None:
    directory = _snapshots(folder)
    assert directory.save(Snapshot(0, 100, _history()))
    directory.wait()
    (found,) = folder.rglob("*.npz")
    found.rename(folder / "snapshot.npz")


def _history() -> History:
    history = History(SMALL)
    values, stamps = zip(*(payment(1, n, start_ms=NEW_YEAR // 1000)[1:] for n in range(100)), strict=True)
    batch = Decoder(Rates.default("EUR")).decode(values, [ms * 1000 for ms in stamps]).batch
    Encoder(SPEC, history).encode(batch)
    return history


def _snapshots(folder: Path) -> SnapshotDirectory:
    made = SnapshotDirectory(
        folder, topic="in", config=SMALL, settings="fuzz", wrote=lambda _: None, failed=lambda: None
    )
    made.open("cluster")
    return made


def _ledger(folder: Path) -> None:
    store = LedgerStore(folder)
    for kind in KINDS:
        for day in range(2):
            first = day * 3
            store.append(
                kind,
                [
                    Record(0, first + i, NEW_YEAR + day * DAY + i, f"valid-c{i}", payment(1, first + i, start_ms=0)[1])
                    for i in range(3)
                ],
            )


def _loop(root: Path) -> None:
    (root / "state").mkdir()
    save_state(root / "state", LoopState(runs=3, last_run=NEW_YEAR, unfinished=BegunRun(number=4, at=1, why="due")))
    empty: dict[str, float] = {}
    write_record(
        root / "record",
        RunRecord(
            run=1, at="2026-01-01T00:00:00+00:00", at_us=NEW_YEAR, why="due", decision=Decision.KEEP,
            reason="no better", candidate=2, champion=1, strategy="l2sp", counts={"rows": 5},
            promised=empty, drift=empty,
            findings=[{"check": "better", "verdict": "unsure", "text": "no difference"}],
        ),
    )  # fmt: skip


def _event_files(root: Path) -> None:
    (root / "labels").mkdir()
    (root / "events").mkdir()
    lines = [label(n) for n in range(20)]
    (root / "labels" / "labels.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    pq.write_table(labels_table(lines, "made"), root / "labels" / "labels.parquet")
    events = [payment(1, n, start_ms=NEW_YEAR // 1000)[1] for n in range(20)]
    path = root / "events" / "events.jsonl"
    path.write_bytes(b"\n".join(events) + b"\n")
    table: pa.Table = read_events(path, FeatureContext()).table
    pq.write_table(table.select(EVENTS.names), root / "events" / "events.parquet")


def label(number: int, prefix: str = "valid-") -> bytes:
    """A valid label."""
    return msgspec.json.encode(
        {
            "schema_version": "1.0",
            "label_id": f"{prefix}l{number}",
            "transaction_id": f"{prefix}t{number}",
            "verdict": ("unauthorised", "genuine", "service", "first_party")[number % 4],
            "source": ("chargeback", "analyst")[number % 2],
            "occurred_at": "2026-01-01T00:00:00Z",
            "received_at": "2026-01-02T00:00:00Z",
        }
    )


@dataclass
class Models:
    """A model directory into which damaged versions are put; it looks when it is told to, not by its own thread."""

    root: Path

    def __post_init__(self) -> None:
        self._told: list[str] = []
        write_bundle(self.root, _HOME)
        serve(self.root, _HOME)
        settings = Settings()
        self._directory = ModelDirectory(
            self.root, expected(settings, domain(settings)), batch_records=16, poll_seconds=_NEVER,
            swapped=self._told.append,
        )  # fmt: skip
        self._directory.open()

    def bundle(self, folder: Path) -> object:
        """Promotes the version in `folder`; what it says of some rows, None where it was refused."""
        place = self.root / str(_GUEST)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)
        self._look(lambda: serve(self.root, _GUEST))
        said = self._said() if self._told == ["swapped"] else None
        self._back()
        registry.versions(self.root)
        read = Model.read(place)
        return said and (*said, read.policy.version, len(read.risk.tables))

    def serving(self, folder: Path) -> object:
        """Takes the file for `serving.json`."""
        new = self.root / f"{SERVING}.new"
        shutil.rmtree(new, ignore_errors=True)
        source = folder / SERVING
        if source.is_file():
            shutil.copy(source, new)
            self._look(lambda: new.replace(self.root / SERVING))
            self._back()
        slots = model_registry.read_slots(folder).root
        return {name: slot.champion for name, slot in slots.items()}

    def _back(self) -> None:
        """Has the sound version serve, which must be taken whatever came before, and the guest forgotten."""
        self._look(lambda: serve(self.root, _HOME))
        self._look(lambda: serve(self.root, _ABSENT))  # the attempt drops what served before from memory
        self._look(lambda: serve(self.root, _HOME))
        if self._directory.current().champion.version != _HOME:
            raise Died("the sound version is not taken any more")

    def _look(self, move: Callable[[], object]) -> None:
        self._told.clear()
        move()
        try:
            self._directory.look()
        except Exception as error:
            raise Died(f"{WATCHER_ENDED}: {type(error).__name__}: {error}") from error

    def _said(self) -> tuple[object, ...]:
        model = self._directory.current().champion
        rows = np.zeros((3, SPEC.width), np.float32)
        rows[:, AMOUNT] = (1, 400, 3e38)
        score, _ = model.score(rows)
        if not (np.isfinite(score).all() and (score >= 0).all() and (score <= 1).all()):
            raise Changed(f"a model that scores {score.tolist()} was taken")
        risk = model.risk.lookup("merchant", np.array([hash_id("valid-m3")], np.uint64), np.array([NEW_YEAR + 9 * DAY]))
        return model.version, model.policy_version, np.round(score, 3).tolist(), risk.tolist()


def _read_snapshot(folder: Path) -> object:
    name = folder / next(path.name for path in folder.iterdir() if path.is_dir() and path.name.startswith("cluster"))
    source = folder / "snapshot.npz"
    if source.exists():
        source.rename(name / "0-100.npz")
    found = _snapshots(folder).newest(0, 1000)
    return None if found is None else {k: v.tobytes() for k, v in found.history.arrays().items()}


def _read_ledger(folder: Path) -> object:
    """Everything that the loop does to a ledger between two turns."""
    store = LedgerStore(folder)
    rows = {kind: [tuple(row.values()) for row in store.read(kind).to_pylist()] for kind in KINDS}
    for kind in KINDS:
        store.progress(kind)
        store.newest(kind)
    store.append("labels", [Record(0, 6, NEW_YEAR + DAY, "c", label(7))])
    store.compact(NEW_YEAR + 9 * DAY)
    store.retain(NEW_YEAR - DAY)
    store.read("events")
    return rows


def _read_records(folder: Path) -> object:
    return find_record(folder, 1), all_records(folder)


def _read_label_files(folder: Path) -> object:
    return [read_labels(folder / name)[0] is not None for name in ("labels.jsonl", "labels.parquet")]


def _read_event_files(folder: Path) -> object:
    return [len(read_events(folder / name, FeatureContext()).batch) for name in ("events.jsonl", "events.parquet")]


def _read_rates(folder: Path) -> object:
    path = folder / "platform.toml"
    path.write_text('rates = "rates.json"\n')
    settings = Settings.load(platform_file=path)
    return decoder(settings, domain(settings))


def loaders(scratch: Path) -> Mapping[str, Loader]:
    """Every loader by its name; `scratch` is an empty folder."""
    models = Models(scratch / "models")
    return {
        "bundle": models.bundle,
        "serving": models.serving,
        "snapshot": _read_snapshot,
        "ledger": _read_ledger,
        "state": load_state,
        "record": _read_records,
        "labels": _read_label_files,
        "events": _read_event_files,
        "rates": _read_rates,
        "mapping": lambda folder: mapping.load_mapping(str(folder / "mapping.toml")),
        "policy": lambda folder: Policy.parse((folder / "policy.json").read_bytes()),
    }


def compare(loader: str, how: str, *, sealed: bool, sound: object, found: object) -> None:
    """Where checksums promise that nothing else is taken, or a row is as it was written: Changed if it is not."""
    if found is None or sealed or how == "structure":
        return
    if loader in {"bundle", "snapshot"} and found != sound:
        raise Changed(f"taken, and it says {str(found)[:200]}")
    if loader == "ledger":
        assert isinstance(sound, dict)
        assert isinstance(found, dict)
        strange = [row for kind in KINDS for row in found[kind] if row not in sound[kind]]
        if strange:
            raise Changed(f"{len(strange)} rows are not as they were written")
