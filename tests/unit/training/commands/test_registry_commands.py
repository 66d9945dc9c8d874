"""The model directory from the command line: what it prints, and what it refuses in one line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.training.registry.test_registry import FEATURES, publish
from training.commands.promote import list_command, promote_command, prune_command, rollback_command
from training.registry import versions as registry

COMMANDS = {"list": list_command, "promote": promote_command, "rollback": rollback_command, "prune": prune_command}


def run(name: str, root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(COMMANDS[name], ["--models", str(root), *arguments])


def test_the_first_version_is_promoted_without_a_gate_and_listed_as_champion(tmp_path: Path) -> None:
    version = publish(tmp_path)
    result = run("promote", tmp_path, "--version", str(version), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["role"] == "champion"
    [row] = json.loads(run("list", tmp_path, "--json").output)
    assert (row["version"], row["role"], row["area"]) == (version, "champion", "live")
    assert "champion" in run("list", tmp_path).output


def test_a_champion_is_not_replaced_unmeasured_without_force_and_a_reason(tmp_path: Path) -> None:
    first, second = publish(tmp_path), publish(tmp_path)
    run("promote", tmp_path, "--version", str(first))
    refused = run("promote", tmp_path, "--version", str(second))
    assert refused.exit_code == 1
    assert refused.output.count("\n") == 1
    assert registry.champion(tmp_path, FEATURES) == first
    assert run("promote", tmp_path, "--version", str(second), "--force").exit_code == 2
    forced = run("promote", tmp_path, "--version", str(second), "--force", "--reason", "the old one is broken")
    assert forced.exit_code == 0
    assert registry.champion(tmp_path, FEATURES) == second


def test_rollback_and_prune_say_what_they_did(tmp_path: Path) -> None:
    for _ in range(2):
        run("promote", tmp_path, "--version", str(publish(tmp_path)), "--force", "--reason", "test")
    spare = publish(tmp_path)
    assert json.loads(run("rollback", tmp_path, "--json").output) == {
        "failed": 2,
        "champion": 1,
        "reason": "by hand",
    }
    assert json.loads(run("prune", tmp_path, "--keep", "0", "--json").output) == {"removed": [2, spare]}


def test_a_version_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    result = run("promote", tmp_path, "--version", "9")
    assert result.exit_code == 1
    assert result.output.startswith("Error: version 9 does not exist")
    assert result.output.count("\n") == 1


def test_the_commands_ask_for_the_signature_where_the_platform_has_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("a key of some length\n")
    monkeypatch.setenv("FRAUD_BUNDLE_KEY_FILE", str(tmp_path / "key"))
    refused = run("promote", tmp_path, "--version", str(publish(tmp_path)))
    assert refused.exit_code == 1
    assert "manifest.hmac is missing" in refused.output
    assert refused.output.count("\n") == 1
    signed = publish(tmp_path, key="a key of some length")
    assert run("promote", tmp_path, "--version", str(signed)).exit_code == 0
