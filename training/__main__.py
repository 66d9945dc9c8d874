"""`python -m training COMMAND`: each command lives in its own module and is imported only when it is called."""

from typing import Final

import click

from runtime.command_line import LazyGroup
from training.process import prepare_libraries

COMMANDS: Final = {
    "try": "training.commands.try_file:try_command",
    "draft": "training.commands.draft:draft_command",
    "import": "training.commands.import_events:import_command",
    "pretrain": "training.commands.pretrain:pretrain_command",
    "adapt": "training.commands.adapt:adapt_command",
    "evaluate": "training.commands.evaluate:evaluate_command",
    "promote": "training.commands.promote:promote_command",
    "list": "training.commands.promote:list_command",
    "rollback": "training.commands.promote:rollback_command",
    "prune": "training.commands.promote:prune_command",
    "forecast": "training.commands.forecast:forecast_command",
    "label-queue": "training.commands.label_queue:label_queue_command",
    "loop": "training.commands.loop:loop_command",
    "forget": "training.commands.forget:forget_command",
}


@click.group(cls=LazyGroup, places=COMMANDS)
def main() -> None:
    """Try a file, draft, import, pre-train, adapt, evaluate, promote, and the loop that keeps doing it."""
    prepare_libraries()


if __name__ == "__main__":
    main(prog_name="python -m training")
