"""`python -m console run`: the console itself."""

import click

from console.settings import load_settings
from runtime.logging import configure_logs


@click.command("run")
def run_command() -> None:
    """Serve the pages until told to stop (SIGTERM).

    Exit codes: 0 stopped in order, 1 an error, 2 wrong settings, 4 another console uses the folder.
    """
    from console.bootstrap import serve

    settings = load_settings()
    configure_logs(settings.log_level)
    serve(settings)
