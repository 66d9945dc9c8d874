"""`python -m training loop`: adapts the model again and again, until it is told to stop."""

from pathlib import Path

import click

from runtime.logging import configure_logs
from training.commands.console import one_line_errors
from training.settings import load_settings


@click.command("loop")
@click.option("--models", type=click.Path(path_type=Path, file_okay=False), help="Instead of FRAUD_MODELS_DIR.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Instead of FRAUD_LOOP_DATA_DIR.")
@click.option("--once", is_flag=True, help="One turn, then stop.")
@click.option("--trust-labels", is_flag=True, help="Take what the last run refused as poisoned for sound.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line for every turn that did something.")
def loop_command(*, models: Path | None, data: Path | None, once: bool, trust_labels: bool, as_json: bool) -> None:
    """Adapt the model again and again as labels arrive; settings come from FRAUD_… variables."""
    given = {name: value for name, value in (("models_dir", models), ("loop_data_dir", data)) if value}
    with one_line_errors():
        settings = load_settings(**given)
        configure_logs(settings.log_level)
        from training.loop import program  # loads TensorFlow
        from training.loop.state import InvalidState

        try:
            program.run(settings, once=once, trust_labels=trust_labels, tell=click.echo if as_json else None)
        except InvalidState as error:
            raise click.ClickException(str(error)) from None
