"""Settings are read once, checked whole, and say what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.errors import Misconfigured
from runtime.settings import settings_table
from service.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of the caller's own."""
    import os

    for name in list(os.environ):  # noqa: TID251 - the environment is what is tested
        if name.startswith("FRAUD_"):
            monkeypatch.delenv(name)


def test_variables_are_read_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shop = tmp_path / "platform.toml"
    shop.write_text('partitions = 3\nfields.basket_weight.kind = "number"')
    monkeypatch.setenv("FRAUD_PLATFORM_FILE", str(shop))
    monkeypatch.setenv("FRAUD_MAX_AHEAD", "90")
    monkeypatch.setenv("FRAUD_SHUTDOWN", "PT5S")
    monkeypatch.setenv("FRAUD_LOOP_DATA_DIR", "the training loop's, in the same environment")
    settings = load_settings()
    assert settings.platform.partitions == 3
    assert settings.max_ahead == timedelta(seconds=90)
    assert settings.shutdown == timedelta(seconds=5)
    assert settings.platform.named() == ("basket_weight",)


@pytest.mark.parametrize(("text", "meant"), [("on", True), ("off", False), ("true", True), ("false", False)])
def test_switches_are_true_or_false_and_on_or_off(monkeypatch: pytest.MonkeyPatch, text: str, meant: bool) -> None:
    monkeypatch.setenv("FRAUD_SET_ASIDE", text)
    monkeypatch.setenv("FRAUD_DEADLETTER_CAP", text)
    settings = load_settings()
    assert (settings.set_aside, settings.deadletter_cap) == (meant, meant)


def test_a_secret_may_stand_in_a_file_and_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" hush, hush, hush, hush\n")
    monkeypatch.setenv("FRAUD_SECRET_FILE", str(tmp_path / "secret"))
    settings = load_settings()
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == "hush, hush, hush, hush"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"FRAUD_TOPIC": "x"}, "unknown setting FRAUD_TOPIC"),
        ({"FRAUD_BATCH_RECORD": "7"}, "unknown setting FRAUD_BATCH_RECORD; did you mean FRAUD_BATCH_RECORDS"),
        ({"FRAUD_SECRET": "a", "FRAUD_SECRET_FILE": "b"}, "not both"),
        ({"FRAUD_SECRET_FILE": "/nowhere"}, "cannot read /nowhere"),
        ({"FRAUD_SECRET": ""}, "FRAUD_SECRET: .*at least 16 characters; `openssl rand -hex 32` makes one"),
        ({"FRAUD_SECRET": " fifteen letters \n"}, "FRAUD_SECRET: .*at least 16 characters"),
        ({"FRAUD_SECRET_FILE": "/dev/null"}, "FRAUD_SECRET: .*at least 16 characters"),
        ({"FRAUD_BATCH_RECORDS": "0", "FRAUD_HTTP_PORT": "-1"}, "FRAUD_BATCH_RECORDS.*FRAUD_HTTP_PORT"),
        ({"FRAUD_LIVENESS": "-3"}, "FRAUD_LIVENESS"),
        ({"FRAUD_ALERTS_TOPIC": "a b"}, "FRAUD_ALERTS_TOPIC"),
        ({"FRAUD_ALERTS_TOPIC": "payments.transactions.v1"}, "same name"),
        ({"FRAUD_PLATFORM_FILE": "/nowhere"}, "FRAUD_PLATFORM_FILE: cannot read /nowhere"),
        ({"FRAUD_PLATFORM_FILE": "/dev/null/shop"}, "FRAUD_PLATFORM_FILE: cannot read /dev/null/shop"),
        ({"FRAUD_ATTRIBUTES": "[]"}, r"FRAUD_ATTRIBUTES is gone: write \[fields.NAME\] into a platform.toml and set"),
        ({"FRAUD_BASE_CURRENCY": "USD"}, "FRAUD_BASE_CURRENCY is gone: write base_currency into a platform.toml"),
        ({"FRAUD_RATES_FILE": "x"}, "FRAUD_RATES_FILE is gone: write rates into a platform.toml"),
        ({"FRAUD_STAGE": "x"}, "FRAUD_STAGE is gone: write stage into a platform.toml"),
        ({"FRAUD_PARTITIONS": "3"}, "FRAUD_PARTITIONS is gone: write partitions into a platform.toml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=text) as error:
        load_settings()
    assert "\n" not in str(error.value)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().replication = 2  # type: ignore[misc]


def test_every_setting_has_a_line_for_the_table() -> None:
    rows = settings_table(Settings)
    assert len(rows) == len(Settings.model_fields)
    assert all(name.startswith("FRAUD_") and meaning for name, _, meaning in rows)
    assert ("FRAUD_MAX_AHEAD", "3600") in {row[:2] for row in rows}
