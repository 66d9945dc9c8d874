"""`python -m training forget`: erases a customer from the ledger; data sets are built anew from what is left."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from fraud.privacy.forgetting import names
from runtime.errors import Misconfigured
from training.settings import load_settings

if TYPE_CHECKING:
    from training.labels.store import LedgerStore  # loads Arrow


class _Payment(msgspec.Struct):
    transaction_id: str


@click.command("forget")
@click.argument("customer_id")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Instead of FRAUD_LOOP_DATA_DIR.")
@click.option(
    "--cache", "caches", multiple=True, type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder that --cache of other commands filled: its data sets are removed. May be repeated.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Really erase; without it, only say what would be.")
def forget_command(*, customer_id: str, data: Path | None, caches: tuple[Path, ...], yes: bool) -> None:
    """Erase a customer's events, decisions and labels from the ledger; the loop must be stopped."""
    try:
        settings = load_settings(**({"loop_data_dir": data} if data else {}))
    except Misconfigured as error:
        raise click.UsageError(str(error)) from None
    kept = sorted(
        path for folder in caches for path in folder.glob("*dataset-*.npz*")
    )  # unfinished ones begin with a dot
    if caches:
        click.echo(f"{len(kept)} kept data sets {'removed' if yes else 'would be removed'}")
    for path in kept if yes else ():
        path.unlink(missing_ok=True)
    from training.labels.store import DamagedLedger, LedgerStore  # loads Arrow

    root = settings.ledger_dir
    if not root.is_dir():
        click.echo(f"0 ledger rows: there is no {root}")
        return
    store = LedgerStore(root)
    try:
        transactions = frozenset(transactions_of(store, customer_id))
        rows = erase(store, customer_id, transactions, really=yes)
    except DamagedLedger as error:
        raise click.ClickException(f"{error}: let the loop fetch them, then forget again") from None
    click.echo(f"{rows} ledger rows {'erased' if yes else 'would be erased'}, of {len(transactions)} transactions")


def transactions_of(store: "LedgerStore", customer_id: str) -> Iterator[str]:
    """Ids of the customer's transactions, from events and decisions; a message without one names none."""
    for kind in ("events", "decisions"):
        table = store.read(kind)
        for key, value in zip(table["key"].to_pylist(), table["value"].to_pylist(), strict=True):
            if names(customer_id, (key or "").encode(), value):
                payment = _transaction_of(value)
                if payment is not None:
                    yield payment


def erase(store: "LedgerStore", customer_id: str, transactions: frozenset[str], *, really: bool) -> int:
    """Erases, or counts, what names the customer or one of the transactions, by key or value; rows."""

    def theirs(key: str, value: bytes) -> bool:
        return names(customer_id, key.encode(), value) or _transaction_of(value) in transactions

    def about(key: str, value: bytes) -> bool:
        return key in transactions or _transaction_of(value) in transactions

    forget = partial(store.forget, really=really)
    return forget("events", theirs) + forget("decisions", theirs) + forget("labels", about)


def _transaction_of(value: bytes) -> str | None:
    try:
        return msgspec.json.decode(value, type=_Payment).transaction_id
    except msgspec.MsgspecError:
        return None
