"""The stream and the model of a run, made once by the project's own programs and kept under build/bench."""

import hashlib
from pathlib import Path

from fraud.features.encoder import SPEC, features_fingerprint
from fraud.history.history import HistoryConfig
from fraud.models.bundle import InvalidBundle
from fraud.models.serving import SERVING, read_serving
from local.programs import run_program

FOLDER = Path("build/bench/peers")
SOURCE_TRANSACTIONS = 60_000
LABELS = 500
SEED = 11


def stream(transactions: int) -> Path:
    """A JSONL file of the target platform's events: so many transactions, and the outcomes between them."""
    out = FOLDER / f"stream-{transactions}-{_code_version()}"
    path = out / "events.jsonl"
    if not path.exists():
        wanted = ["--platform", "target", "--transactions", str(transactions), "--seed", str(SEED)]
        run_program(
            "simulator", *wanted, "--no-own-fields", "--out", str(out), "--format", "jsonl", log=FOLDER / "prepare.log"
        )
    return path


def models() -> Path:
    """A model directory whose champion fits the present feature code: trained small, of the shape that is served."""
    fingerprint = features_fingerprint(SPEC, HistoryConfig())
    root = FOLDER / f"models-{fingerprint}"
    if _serves(root, fingerprint):
        return root
    log = FOLDER / "prepare.log"
    for platform in ("source", "target"):
        size = ["--platform", platform, "--transactions", str(SOURCE_TRANSACTIONS), "--days", "240"]
        run_program(
            "simulator", *size, "--no-own-fields", "--seed", str(SEED), "--out", str(FOLDER / platform), log=log
        )
    limit = ["--models", str(root), "--seed", str(SEED), "--teachers", "1"]
    base = run_program("training", "pretrain", "--source", str(FOLDER / "source" / "events.parquet"), *limit, log=log)
    wanted = ["--labels", str(LABELS), "--from", str(base["version"])]
    made = run_program(
        "training", "adapt", "--target", str(FOLDER / "target" / "events.parquet"), *wanted, *limit, log=log
    )
    run_program("training", "promote", "--version", str(made["version"]), "--models", str(root), log=log)
    return root


def _serves(root: Path, fingerprint: str) -> bool:
    if not (root / SERVING).exists():
        return False
    try:
        read_serving(root).slot(fingerprint)
    except InvalidBundle:
        return False
    return True


def _code_version() -> str:
    """Of the simulator: another version may write other events."""
    from simulator.config import VERSION

    return hashlib.sha256(VERSION.encode()).hexdigest()[:6]
