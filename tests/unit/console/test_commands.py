"""The command line: users, and settings that will not do."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from console.__main__ import commands
from console.accounts.roles import Role
from console.accounts.store import Accounts, User
from console.settings import Settings
from runtime.errors import Misconfigured


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("FRAUD_CONSOLE_DATA_DIR", str(tmp_path))
    return CliRunner()


def test_users_are_added_listed_and_removed(run: CliRunner, tmp_path: Path) -> None:
    added = ["users", "add", "mira", "--role", "lead", "--password-stdin"]
    assert run.invoke(commands, added, input="a long password\n").exit_code == 0
    assert Accounts(tmp_path / "accounts.db").check("mira", "a long password") == User("mira", Role.lead)
    assert run.invoke(commands, ["users", "list"]).output == "mira\tlead\n"
    assert run.invoke(commands, ["users", "remove", "mira"]).exit_code == 0
    assert run.invoke(commands, ["users", "remove", "mira"]).exit_code == 2
    assert run.invoke(commands, ["users", "list"]).output == ""


def test_a_short_password_is_one_line_and_no_user(run: CliRunner) -> None:
    done = run.invoke(commands, ["users", "add", "mira", "--role", "lead", "--password-stdin"], input="short\n")
    assert done.exit_code == 2
    assert "at least 12 characters" in done.output
    assert run.invoke(commands, ["users", "list"]).output == ""


def test_a_typing_slip_in_a_setting_of_the_console_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_CONSOLE_PROT", "1")
    with pytest.raises(Misconfigured, match="did you mean FRAUD_CONSOLE_PORT"):
        Settings.load()


@pytest.mark.parametrize(
    "given",
    [
        {"pseudonyms": True},
        {"console_proxy_header": "X-User"},
        {"console_proxy_addresses": ("10.0.0.1",)},
        {"console_blind_share": 0.5},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        Settings.load(**given)


def test_a_console_listens_on_this_machine_unless_told_otherwise() -> None:
    assert (Settings.load().console_host, Settings.load().console_http_host) == ("127.0.0.1", "127.0.0.1")
