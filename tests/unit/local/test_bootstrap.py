"""The first model of a new stack: made once, in the right order, from the versions that the commands name."""

from pathlib import Path

import pytest

from local.first_model import StepFailed, bootstrap, run_program


class Recorder:
    """Stands for the programs: remembers the commands, numbers the versions."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []

    def __call__(self, program: str, *arguments: str) -> dict[str, int]:
        self.commands.append((program, *arguments))
        return {"version": {"pretrain": 7, "adapt": 9}.get(arguments[0], 0)}


def test_a_new_stack_gets_a_model_adapted_from_its_own_base(tmp_path: Path) -> None:
    programs = Recorder()
    version = bootstrap(tmp_path / "models", tmp_path, transactions=10, days=20, labels=30, run=programs)
    assert version == 9
    assert [command[:2] for command in programs.commands] == [
        ("simulator", "--platform"),
        ("simulator", "--platform"),
        ("training", "pretrain"),
        ("training", "adapt"),
        ("training", "promote"),
    ]
    adapt, promote = programs.commands[3:]
    assert adapt[adapt.index("--from") + 1] == "7"
    assert promote[promote.index("--version") + 1] == "9"


def test_a_stack_that_has_a_model_is_left_alone(tmp_path: Path) -> None:
    programs = Recorder()
    (tmp_path / "serving.json").write_text("{}", encoding="utf-8")
    assert bootstrap(tmp_path, tmp_path, transactions=10, days=20, labels=30, run=programs) is None
    assert programs.commands == []


def test_a_failed_command_is_named() -> None:
    with pytest.raises(StepFailed, match="training nonsense ended with 2"):
        run_program("training", "nonsense")
