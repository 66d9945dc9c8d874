"""`python -m training promote | list | rollback | prune`: the model directory from the command line."""

import json
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from fraud.models.bundle import read_manifest
from runtime import model_registry
from runtime.model_registry import RegistryError
from training.commands.console import (
    FILE,
    TIME,
    bundle_key,
    json_option,
    models_option,
    now,
    one_line_errors,
    seed_option,
)
from training.registry import versions as registry
from training.registry.versions import Version


def _now() -> str:
    return now().isoformat(timespec="seconds")


def _say(as_json: bool, document: dict[str, object], text: str) -> None:
    click.echo(json.dumps(document) if as_json else text)


@click.command("list")
@models_option
@json_option
def list_command(root: Path, as_json: bool) -> None:
    """List the versions, what they are and which of them serves."""
    with one_line_errors():
        found = registry.versions(root)
    if as_json:
        click.echo(json.dumps([version.as_json() for version in found]))
    else:
        Console().print(_table(found))


def _table(found: list[Version]) -> Table:
    table = Table("version", "area", "role", "strategy", "rows", "frauds", "created", "note")
    for v in found:
        trained = v.manifest.trained_on
        rows = (str(v.version), v.area, v.role, v.manifest.strategy, f"{trained.rows:,}", f"{trained.frauds:,}")
        table.add_row(*rows, v.manifest.created_at, v.note)
    return table


@click.command("promote")
@click.option("--version", type=int, required=True, help="The version to promote.")
@models_option
@click.option("--data", "events", type=FILE, help="Let the gate compare it with the champion on these payments.")
@click.option("--label-file", type=FILE, help="Label file, when it is not beside the events.")
@click.option("--since", type=TIME, help="First event time of the comparison (UTC).")
@click.option("--until", type=TIME, help="End of the comparison (UTC).")
@click.option("--as-of", type=TIME, help="Use labels received by then (UTC); now by default.")
@click.option("--shadow", is_flag=True, help="Serve beside the champion, without effect on alerts.")
@click.option("--force", is_flag=True, help="Promote over a champion without the gate's consent; needs --reason.")
@click.option("--reason", default="", help="Why; kept beside the model.")
@seed_option
@json_option
def promote_command(
    *,
    version: int,
    root: Path,
    events: Path | None,
    label_file: Path | None,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
    shadow: bool,
    force: bool,
    reason: str,
    seed: int,
    as_json: bool,
) -> None:
    """Bless a version and let it serve. The first version of its features needs no gate, later ones do.

    Payments that either version learnt from are left out of the comparison.
    """
    if force and not reason:
        raise click.UsageError("--force needs --reason: it is kept beside the model")
    with one_line_errors():
        manifest = read_manifest(registry.find(root, version)[1], bundle_key())
        champion = registry.champion(root, manifest.features_fingerprint)
        why = reason or ("probation" if shadow else "the first version of its features")
        unseen: tuple[str, ...] = ()
        rival = None if champion == version else champion
        if rival is not None and events is None and not force and not shadow:
            raise RegistryError(f"version {rival} serves already: give --data for the gate, or --force with --reason")
        if events is not None and not force and not shadow and champion != version:
            from training.commands.promotion_gate import ask_gate  # loads TensorFlow

            period = (since, until, as_of)
            ruling = ask_gate(root, version, rival, events, labels=label_file, period=period, seed=seed, at=_now())
            why, unseen = ruling.judgement.reason, ruling.unseen
        registry.promote(root, version, reason=why, at=_now(), shadow=shadow, key=bundle_key())
    role = "shadow" if shadow else "champion"
    document = {"version": version, "role": role, "former": champion, "reason": why, "unseen": unseen}
    notes = "".join(f"\n  the gate could not look at everything: {line}" for line in unseen)
    _say(as_json, document, f"version {version} is {role} in {root}: {why}{notes}")


@click.command("rollback")
@models_option
@click.option("--features", default=None, help="Features fingerprint; may be left out where there is only one.")
@click.option("--reason", default="by hand", help="Why; kept beside the version that failed.")
@json_option
def rollback_command(*, root: Path, features: str | None, reason: str, as_json: bool) -> None:
    """Put the former champion back."""
    with one_line_errors():
        fingerprints = sorted(model_registry.read_slots(root).root)
        if features is None and len(fingerprints) != 1:
            known = ", ".join(fingerprints) or "none"
            raise RegistryError(f"--features is needed: {root} serves features {known}")
        failed, back = model_registry.rollback(root, features or fingerprints[0], reason=reason, at=_now())
    document: dict[str, object] = {"failed": failed, "champion": back, "reason": reason}
    _say(as_json, document, f"version {back} is champion again in {root}, version {failed} is not")


@click.command("prune")
@models_option
@click.option("--keep", type=click.IntRange(min=0), default=5, show_default=True, help="Newest versions kept per area.")
@json_option
def prune_command(*, root: Path, keep: int, as_json: bool) -> None:
    """Remove old versions; what serves, or may be rolled back to, stays."""
    with one_line_errors():
        removed = registry.prune(root, keep=keep)
    names = ", ".join(map(str, removed)) or "none"
    _say(as_json, {"removed": removed}, f"removed versions: {names}")
