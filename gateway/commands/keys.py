"""`python -m gateway keys`: API keys of shops."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gateway.keys import ApiKey, KeyFile, Scope, expired, new_key, rotated
from runtime.errors import Misconfigured

SCOPES = tuple(scope.value for scope in Scope)
USUAL = tuple(scope for scope in SCOPES if scope != Scope.ENTITIES)


@click.group("keys")
@click.option(
    "--file", "path", type=click.Path(path_type=Path), help="the file of keys; default: FRAUD_GATEWAY_KEYS_FILE"
)
@click.pass_context
def keys_command(context: click.Context, path: Path | None) -> None:
    """Add, rotate, revoke and list API keys; a running gateway follows within a second."""
    if path is None:
        from gateway.settings import Settings

        path = Settings.load().gateway_keys_file
    context.obj = KeyFile(path)


@keys_command.command("add")
@click.argument("shop")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="what it may be used for; default: all but entities, which tell of other shops' payments too",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="requests a second; default: the setting")
@click.pass_obj
def add_command(file: KeyFile, shop: str, scopes: tuple[str, ...], rate: float | None) -> None:
    """Make a key for a SHOP and print it, once."""
    text, key = new_key(shop, map(Scope, scopes or USUAL), now=_now(), rate=rate)
    file.save([*file.load(), key])
    click.echo(text)


@keys_command.command("rotate")
@click.argument("key_id")
@click.option("--grace", type=click.FloatRange(min=0), default=86_400, show_default=True, help="seconds")
@click.pass_obj
def rotate_command(file: KeyFile, key_id: str, grace: float) -> None:
    """Make a key that may do what KEY_ID may and print it; the old one is refused after the grace."""
    keys, key = _with(file, key_id)
    text, made, old = rotated(key, now=_now(), grace=timedelta(seconds=grace))
    file.save([*(old if one.id == key.id else one for one in keys), made])
    click.echo(text)


@keys_command.command("revoke")
@click.argument("key_id")
@click.pass_obj
def revoke_command(file: KeyFile, key_id: str) -> None:
    """Refuse KEY_ID from now on."""
    keys, key = _with(file, key_id)
    file.save([expired(one, _now()) if one.id == key.id else one for one in keys])


@keys_command.command("list")
@click.pass_obj
def list_command(file: KeyFile) -> None:
    """List the keys: id, shop, scopes, since when, until when, rate."""
    for key in file.load():
        until = key.expires_at or "-"
        rate = "-" if key.rate is None else f"{key.rate:g}/s"
        click.echo(f"{key.id}  {key.shop}  {','.join(key.scopes)}  {key.created_at}  {until}  {rate}")


def _with(file: KeyFile, key_id: str) -> tuple[list[ApiKey], ApiKey]:
    keys = file.load()
    for key in keys:
        if key.id == key_id:
            return keys, key
    raise Misconfigured(f"there is no key {key_id}; `gateway keys list` shows what there is")


def _now() -> datetime:
    return datetime.now(UTC)
