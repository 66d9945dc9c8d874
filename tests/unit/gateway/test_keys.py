"""API keys: shown once, kept as hashes, rotated with a grace, followed by a running gateway."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.commands.keys import keys_command
from gateway.keys import KeyFile, Scope, expired, new_key, rotated
from runtime.errors import Misconfigured
from tests.support.gateways import NOW


def test_the_file_holds_no_secret(tmp_path: Path) -> None:
    text, key = new_key("shop-1", [Scope.PAYMENTS], now=NOW)
    file = KeyFile(tmp_path / "keys.json")
    file.save([key])
    assert text.rsplit("_", 1)[-1] not in (tmp_path / "keys.json").read_text()
    assert file.refresh()
    assert file.find(text, NOW) == key
    assert not file.refresh(), "nothing has changed"


def test_a_rotated_key_is_good_for_its_grace_and_a_revoked_one_at_once_no_more(tmp_path: Path) -> None:
    text, key = new_key("shop-1", Scope, now=NOW)
    new_text, made, old = rotated(key, now=NOW, grace=timedelta(hours=1))
    file = KeyFile(tmp_path / "keys.json")
    file.save([old, made])
    file.refresh()
    assert file.find(text, NOW + timedelta(minutes=59)) == old
    assert file.find(text, NOW + timedelta(minutes=61)) is None
    assert file.find(new_text, NOW + timedelta(days=900)) == made
    file.save([expired(one, NOW) for one in (old, made)])
    file.refresh()
    assert file.find(new_text, NOW) is None


def test_a_longer_grace_never_revives_a_key() -> None:
    _, key = new_key("shop-1", Scope, now=NOW)
    gone = expired(key, NOW)
    assert expired(gone, NOW + timedelta(days=1)).expires_at == gone.expires_at


@pytest.mark.parametrize("text", ["", "fgw_", "fgw_" + "0" * 12 + "_" + "x" * 43, "x" * 10_000])
def test_what_is_no_key_is_none(tmp_path: Path, text: str) -> None:
    _, key = new_key("shop-1", Scope, now=NOW)
    file = KeyFile(tmp_path / "keys.json")
    file.save([key])
    file.refresh()
    assert file.find(text, NOW) is None


def test_a_broken_file_keeps_the_former_keys(tmp_path: Path) -> None:
    text, key = new_key("shop-1", Scope, now=NOW)
    file = KeyFile(tmp_path / "keys.json")
    file.save([key])
    file.refresh()
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(Misconfigured, match=r"keys\.json"):
        file.refresh()
    assert file.find(text, NOW) == key
    (tmp_path / "keys.json").unlink()
    file.refresh()
    assert file.find(text, NOW) is None


@pytest.mark.parametrize("shop", ["", "a b", "-x", "x" * 65, "é"])
def test_a_shops_name_is_a_plain_word(shop: str) -> None:
    with pytest.raises(Misconfigured):
        new_key(shop, Scope, now=NOW)


def test_the_commands_add_list_rotate_and_revoke(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(keys_command, ["--file", str(path), *arguments])
        assert done.exit_code == 0, done.output
        return done.output.strip()

    text = run("add", "shop-1", "--scope", "payments", "--rate", "5")
    (line,) = run("list").splitlines()
    assert line.split()[1:3] == ["shop-1", "payments"]
    key_id = line.split()[0]
    new = run("rotate", key_id, "--grace", "0")
    file = KeyFile(path)
    file.refresh()
    later = NOW + timedelta(days=10_000)
    assert file.find(text, later) is None
    found = file.find(new, later)
    assert found is not None
    assert (found.shop, found.scopes, found.rate) == ("shop-1", (Scope.PAYMENTS,), 5.0)
    run("revoke", found.id)
    file.refresh()
    assert file.find(new, later) is None
