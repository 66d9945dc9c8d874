from pathlib import Path

import pytest

from console.accounts.limits import TRIES, WINDOW, Tries
from console.accounts.passwords import hashed, matches
from console.accounts.roles import Role
from console.accounts.store import IDLE_US, Accounts, User
from runtime.errors import Misconfigured

PASSWORD = "a long password"  # noqa: S105 - of nobody
MIRA = User("mira", Role.analyst)
HOUR_US = 3_600_000_000


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    made = Accounts(tmp_path / "accounts.db", cost=2)
    made.put_user("mira", Role.analyst, PASSWORD)
    return made


def test_a_password_is_kept_as_a_salted_hash() -> None:
    kept = hashed(PASSWORD, cost=2)
    assert PASSWORD not in kept
    assert kept != hashed(PASSWORD, cost=2)
    assert matches(PASSWORD, kept)
    assert not matches(PASSWORD + " ", kept)


def test_the_file_is_for_its_owner_only_and_holds_no_token(accounts: Accounts, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    assert path.stat().st_mode & 0o077 == 0
    token = accounts.open_session(MIRA, now_us=0, seconds=60)
    held = b"".join(file.read_bytes() for file in tmp_path.glob("accounts.db*"))
    assert b"mira" in held
    assert token.encode() not in held


def test_a_session_ends_by_time_by_idleness_and_by_logging_out(accounts: Accounts) -> None:
    token = accounts.open_session(MIRA, now_us=0, seconds=7200)
    assert accounts.session(token, now_us=IDLE_US - 1) is not None
    assert accounts.session(token, now_us=IDLE_US + HOUR_US // 4) is not None, "it was used in between"
    assert accounts.session(token, now_us=3 * HOUR_US) is None
    other = accounts.open_session(MIRA, now_us=0, seconds=7200)
    assert accounts.session(other, now_us=IDLE_US) is None
    third = accounts.open_session(MIRA, now_us=0, seconds=7200)
    accounts.close_session(third)
    assert accounts.session(third, now_us=1) is None
    assert accounts.session("made up", now_us=1) is None


def test_a_changed_password_and_a_removed_user_end_their_sessions(accounts: Accounts) -> None:
    token = accounts.open_session(MIRA, now_us=0, seconds=60)
    accounts.put_user("mira", Role.lead, PASSWORD + "!")
    assert accounts.session(token, now_us=1) is None
    assert accounts.check("mira", PASSWORD) is None
    assert accounts.check("mira", PASSWORD + "!") == User("mira", Role.lead)
    assert accounts.remove_user("mira")
    assert accounts.check("mira", PASSWORD + "!") is None
    assert not accounts.remove_user("mira")


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("Mira!", PASSWORD), ("x" * 65, PASSWORD), ("tom", "short")]
)
def test_names_and_passwords_that_will_not_do_are_refused(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(Misconfigured):
        accounts.put_user(name, Role.viewer, password)


def test_wrong_passwords_shut_a_name_out_for_a_while_and_others_go_on() -> None:
    tries = Tries()
    for _ in range(TRIES):
        assert tries.allowed("mira", "192.0.2.1", 0.0)
        tries.failed("mira", "192.0.2.1", 0.0)
    assert not tries.allowed("mira", "192.0.2.2", 1.0)
    assert tries.allowed("tom", "192.0.2.1", 1.0)
    assert tries.allowed("mira", "192.0.2.2", WINDOW)


def test_one_address_that_tries_many_names_is_shut_out() -> None:
    tries = Tries()
    for number in range(TRIES * 4):
        tries.failed(f"user{number}", "192.0.2.1", 0.0)
    assert not tries.allowed("somebody", "192.0.2.1", 1.0)
    assert tries.allowed("somebody", "192.0.2.2", 1.0)


def test_views_belong_to_a_user_and_the_audit_tells_the_newest_first(accounts: Accounts) -> None:
    accounts.save_view("mira", "big ones", "least=500")
    assert accounts.views("mira") == [("big ones", "least=500")]
    assert accounts.views("tom") == []
    for number in range(3):
        accounts.note("mira", "claim", f"case {number}", "done", now_us=number)
    assert [row["subject"] for row in accounts.audit(limit=2)] == ["case 2", "case 1"]
