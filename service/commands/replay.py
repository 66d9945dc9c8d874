"""`python -m service replay`: models, drafts of controls or past decisions, over past events."""

from pathlib import Path

import click
import msgspec

from service.commands.console import ready


@click.command("replay")
@click.option("--from", "source", required=True, help="A .jsonl or .parquet file of events in log order, or a topic.")
@click.option("--model", "versions", type=int, multiple=True, required=True, help="Version; may be repeated.")
@click.option(
    "--controls", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file of controls, judged as if they were live and approved.",
)  # fmt: skip
@click.option("--labels", help="With --controls: a .jsonl file or a topic of labels.")
@click.option(
    "--decided", is_flag=True, help="Compare with the decisions that were made, each under the controls of its time."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def replay_command(
    *,
    source: str,
    versions: tuple[int, ...],
    controls: Path | None,
    labels: str | None,
    decided: bool,
    as_json: bool,
) -> None:
    """Show what models or controls would have done, by the service's own pipeline over past events."""
    if labels and controls is None:
        raise click.UsageError("--labels judges --controls")
    if (controls is not None or decided) and len(versions) != 1:
        raise click.UsageError("--controls and --decided take one --model")
    if controls is not None and decided:
        raise click.UsageError("--controls asks what would be, --decided what was: give one")
    if controls is not None:
        _drafts(source, versions[0], controls, labels, as_json=as_json)
    elif decided:
        _decided(source, versions[0], as_json=as_json)
    else:
        _models(source, versions, as_json=as_json)


def _models(source: str, versions: tuple[int, ...], *, as_json: bool) -> None:
    from service.operations.replay import replay, to_json

    found = replay(ready(), source, versions)
    if as_json:
        click.echo(to_json(found))
        return
    rate = found.records / max(found.seconds, 1e-9)
    click.echo(f"{found.records} records, {found.dead_letters} dead letters, {rate:.0f} a second")
    for tally in found.tallies:
        actions = ", ".join(f"{count} {action}" for action, count in tally.actions.items())
        click.echo(
            f"model {tally.version}: {tally.transactions} transactions, {actions}; flagged money "
            f"{tally.flagged_amount:.2f} of {tally.amount:.2f}; {tally.only_here} flagged beyond the first model, "
            f"{tally.missed} fewer"
        )


def _drafts(source: str, version: int, controls: Path, labels: str | None, *, as_json: bool) -> None:
    from service.operations.controls.replay import judge_drafts

    found = judge_drafts(ready(), source, version, controls, labels)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    click.echo(f"{found.transactions} transactions, {found.frauds} of them known as fraud")
    for tally in found.drafts:
        click.echo(
            f"{tally.name}: {tally.hits} hits, money {tally.amount:.2f}; {tally.frauds} frauds, money "
            f"{tally.fraud_amount:.2f}, {tally.only_here} that nothing else flagged; {tally.good} good payments of "
            f"{tally.good_customers} customers; {tally.with_model} flagged by the model too, {tally.with_others} hit "
            f"by other controls too; {tally.uncomputed} could not be computed"
        )
    for flip, count in found.flips.most_common():
        click.echo(f"{count:8} {flip}")
    click.echo(f"money in payments whose action flips: {found.flipped_amount:.2f}")
    for example in found.examples:
        known = f", {example.verdict}" if example.verdict else ""
        click.echo(
            f"  {example.transaction_id} {example.event_time} amount {example.amount:.2f} score {example.score:.3f}: "
            f"{example.before} -> {example.after}{known}"
        )


def _decided(source: str, version: int, *, as_json: bool) -> None:
    from service.operations.controls.replay import decide_past

    found = decide_past(ready(), source, version)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    click.echo(
        f"{found.decisions} decisions compared, {found.changed} changed, {found.paced} by the review capacity; left "
        f"out: {found.by_lot} by lot, {found.other_model} by another model, {found.unknown} without a position in the "
        "controls log"
    )
    for transaction, then, now in found.examples:
        click.echo(f"  {transaction}: {then} then, {now} now")
