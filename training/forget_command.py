"""`python -m training forget`: erases a customer from the ledger; data sets are built anew from what is left."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pyarrow.compute as pc

from training.ledger_store import DamagedLedger, Kind, LedgerStore
from training.loop.cli import LEDGER
from training.settings import InvalidSettings, load_settings


class _Named(msgspec.Struct):
    transaction_id: str


@click.command("forget")
@click.argument("customer_id")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Instead of FRAUD_LOOP_DATA_DIR.")
@click.option("--yes", is_flag=True, help="Really erase; without it, only say what would be.")
def forget_command(*, customer_id: str, data: Path | None, yes: bool) -> None:
    """Erase a customer's events, decisions and labels from the ledger; the loop must be stopped."""
    try:
        settings = load_settings(**({"loop_data_dir": data} if data else {}))
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None
    root = settings.loop_data_dir / LEDGER
    if not root.is_dir():
        click.echo(f"0 ledger rows: there is no {root}")
        return
    store = LedgerStore(root)
    try:
        transactions = sorted(set(transactions_of(store, customer_id)))
        rows = store.forget(customer_id, transactions) if yes else count(store, customer_id, transactions)
    except DamagedLedger as error:
        raise click.ClickException(f"{error}: let the loop fetch them, then forget again") from None
    click.echo(f"{rows} ledger rows {'erased' if yes else 'would be erased'}, of {len(transactions)} transactions")


def transactions_of(store: LedgerStore, customer_id: str) -> Iterator[str]:
    """Ids of the customer's transactions, from events and decisions; a message without one names none."""
    for kind in ("events", "decisions"):
        table = store.read(kind)
        for value in table.filter(pc.equal(table["key"], customer_id))["value"].to_pylist():
            try:
                yield msgspec.json.decode(value, type=_Named).transaction_id
            except msgspec.MsgspecError:
                continue


def count(store: LedgerStore, customer_id: str, transactions: list[str]) -> int:
    """Rows that `LedgerStore.forget` would remove."""
    wanted: dict[Kind, set[str]] = {
        "events": {customer_id},
        "decisions": {customer_id},
        "labels": set(transactions),
    }
    return sum(key in keys for kind, keys in wanted.items() for key in store.read(kind)["key"].to_pylist())
