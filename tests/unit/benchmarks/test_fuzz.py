"""The fuzzer: what it makes is repeatable and leaves valid payments alone, and its books see what is wrong."""

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.fuzz.accounting import Account, Seen, Undisturbed
from benchmarks.fuzz.damage import BYTES
from benchmarks.fuzz.failures import Failure, last_words
from benchmarks.fuzz.files import TARGETS, case, loader_of
from benchmarks.fuzz.messages import PARTS, broken
from benchmarks.fuzz.payments import payment
from benchmarks.fuzz.records import KINDS, MAX_AHEAD, record
from fraud.decoding.decoder import Decoder
from fraud.money import Rates
from local.service_process import ServiceProcess
from service.settings import Settings

START_MS = 1_780_000_000_000
HOUR_US = 3_600_000_000


def seen(number: int, offset: int, crc: int = 7) -> Seen:
    said = {"transaction_id": f"valid-t{number}", "source": {"offset": offset}, "features_crc": crc}
    return msgspec.convert({**said, "score": 0.5, "action": "allow", "late": False}, Seen)


def test_a_case_depends_on_its_seed_and_index_alone() -> None:
    some = [record(3, index, start_ms=START_MS) for index in range(300)]
    assert some[200] == record(3, 200, start_ms=START_MS)
    assert some != [record(4, index, start_ms=START_MS) for index in range(300)]
    for part in PARTS:
        once, twice = (broken(part, 3, 9, start_ms=START_MS, without=frozenset()) for _ in range(2))
        assert once == twice


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made_and_be_left_out(kind: str) -> None:
    made = [KINDS[kind][1](random.Random(seed), seed, START_MS) for seed in range(40)]  # noqa: S311 - seeded
    assert {one.kind for one in made} == {kind}
    without = frozenset(KINDS) - {kind}
    kept = {one.kind for index in range(2_000) if (one := record(1, index, start_ms=START_MS, without=without))}
    assert kept <= {kind}


def test_no_record_names_an_entity_of_valid_payments_or_moves_the_newest_time() -> None:
    made = [one for index in range(6_000) if (one := record(1, index, start_ms=START_MS)) and one.value is not None]
    assert not any(b"valid-" in one.value for one in made if one.value)
    small = [one for one in made if one.value and len(one.value) < 200_000 and one.kind not in {"timestamp", "mixed"}]
    decoder = Decoder(Rates.default("EUR"), max_ahead_us=int(float(MAX_AHEAD) * 1e6))
    times = decoder.decode([one.value for one in small], [one.timestamp * 1000 for one in small]).batch.time
    assert len(times) > 1_500
    assert times.max() < START_MS * 1000
    assert np.median(times) > START_MS * 1000 - HOUR_US // 2


def test_valid_payments_are_valid_and_in_the_order_of_time() -> None:
    made = [payment(1, number, start_ms=START_MS) for number in range(500)]
    decoded = Decoder(Rates.default("EUR")).decode([v for _, v, _ in made], [at * 1000 for *_, at in made])
    assert not decoded.rejects
    assert np.count_nonzero(decoded.batch.kind) == 50
    assert made == [payment(1, number, start_ms=START_MS) for number in range(500)]


def test_an_undisturbed_run_does_not_depend_on_where_it_is_cut() -> None:
    settings = Settings(secret="a secret of the tests")  # noqa: S106 - no secret
    whole, parts = (Undisturbed(settings, seed=2, start_ms=START_MS) for _ in range(2))
    assert {n: s.features_crc for n, s in whole.upto(300).items()} == {
        n: s.features_crc for end in (1, 2, 150, 300) for n, s in parts.upto(end).items()
    }


def test_the_books_see_what_is_missing_doubled_strange_and_changed() -> None:
    books = Account(wanted={f"valid-t{n}": seen(n, n) for n in range(3)})
    books.decided(msgspec.json.encode(seen(0, 10)))
    books.decided(msgspec.json.encode(seen(1, 11, crc=8)))
    books.dead({"source_offset": b"12"})
    offsets = {10: -1, 11: -2, 12: 5, 13: 6}
    assert books.changed == 1
    assert set(books.wanted) == {"valid-t2"}
    assert books.unaccounted(offsets, silent=1) == 0
    assert books.unaccounted(offsets, silent=0) == 1
    books.dead({"source_offset": b"12"})
    assert books.unaccounted(offsets, silent=1) == 1
    books.dead({"source_offset": b"99"})
    assert books.unaccounted(offsets, silent=1) == 2


def test_a_damaged_file_is_the_same_each_time_and_every_file_is_damaged(tmp_path: Path) -> None:
    content = msgspec.json.encode({"files": {"policy.json": "x"}, "a": [1, {"b": 2}]})
    raw = random.Random(1).randbytes(3_000)  # noqa: S311 - seeded
    found: dict[str, list[str]] = {}
    for attempt in ("one", "two"):
        for index in range(60):
            folder = tmp_path / attempt / str(index)
            for loader, name, _ in TARGETS:
                if loader == loader_of(5, index) and not name.endswith(".npz"):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content if name.endswith(("json", "jsonl")) else raw)
            if loader_of(5, index) in {"state", "record", "labels", "rates"}:
                found.setdefault(attempt, []).append(str(case(5, index, folder)))
    assert found["one"] == found["two"]
    assert len(found["one"]) > 10


@pytest.mark.parametrize("damage", BYTES)
def test_bytes_can_be_damaged_whatever_they_are(damage: object) -> None:
    assert callable(damage)
    for seed in range(50):
        draw = random.Random(seed)  # noqa: S311 - seeded
        assert isinstance(damage(draw.randbytes(draw.randrange(4)), draw), bytes)


def test_a_failure_ends_with_the_last_words_of_the_program_and_how_to_see_it_again(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    process = ServiceProcess({}, port=1, log=log)
    log.write_text(
        '{"event": "a"}\n{"event": "stopped", "exception": "Traceback\\n  File\\nOverflowError: too large"}\n'
    )
    assert last_words(process) == "stopped: OverflowError: too large"
    log.write_text("Traceback\nOverflowError: no JSON\n")
    assert last_words(process) == "OverflowError: no JSON"
    said = str(Failure(3, 7, "label", "bytes", last_words(process)))
    assert said.splitlines()[1].strip() == "again: python -m benchmarks.fuzz --replay 3:7 --part label"
