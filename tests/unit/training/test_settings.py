"""The loop's settings are read by the service's rules, beside the service's variables."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.errors import Misconfigured
from training.loop.config import HOUR_US, LoopConfig
from training.settings import load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of the caller's own."""
    for name in list(os.environ):  # noqa: TID251 - the environment is what is tested
        if name.startswith("FRAUD_"):
            monkeypatch.delenv(name)


def test_the_services_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_BATCH_RECORDS", "the service's, in the same environment")
    monkeypatch.setenv("FRAUD_LOOP_INTERVAL", "PT12H")
    assert load_settings().loop_interval == timedelta(hours=12)


def test_a_former_name_is_accepted_with_its_unit_and_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAUD_LOOP_WINDOW_DAYS", "30")
    monkeypatch.setenv("FRAUD_LOOP_COOLDOWN_HOURS", "0")
    settings = load_settings()
    assert (settings.loop_window, settings.loop_cooldown) == (timedelta(days=30), timedelta(0))
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(" is ")[0] for line in told] == [
        "warning: FRAUD_LOOP_COOLDOWN_HOURS",
        "warning: FRAUD_LOOP_WINDOW_DAYS",
    ]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FRAUD_LOOP_MARGN": "0.1"}, "unknown setting FRAUD_LOOP_MARGN; did you mean FRAUD_LOOP_MARGIN?"),
        ({"FRAUD_SECRET": "s" * 16, "FRAUD_SECRET_FILE": "b"}, "set FRAUD_SECRET_FILE or FRAUD_SECRET, not both"),
        ({"FRAUD_LOOP_WINDOW": "9", "FRAUD_LOOP_WINDOW_DAYS": "9"}, "set FRAUD_LOOP_WINDOW or FRAUD_LOOP_WINDOW_DAYS"),
        ({"FRAUD_LOOP_WATCH_HOURS": "long"}, "FRAUD_LOOP_WATCH_HOURS: must be a number"),
        ({"FRAUD_LOOP_POLL": "0"}, "FRAUD_LOOP_POLL: "),
        ({"FRAUD_BUNDLE_KEY_FILE": "/nowhere"}, "FRAUD_BUNDLE_KEY_FILE: cannot read /nowhere"),
    ],
)
def test_what_is_wrong_is_told_as_by_the_service(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as error:
        load_settings()
    assert said in str(error.value)


def test_a_password_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("short\n")
    monkeypatch.setenv("FRAUD_KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "password"))
    password = load_settings().kafka_sasl_password
    assert password is not None
    assert password.get_secret_value() == "short"


def test_a_loop_without_settings_has_their_defaults() -> None:
    assert LoopConfig.of(load_settings()) == LoopConfig()
    assert LoopConfig().interval == 24 * HOUR_US
