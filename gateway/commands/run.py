"""`python -m gateway run`: the gateway itself."""

import sys

import click
import structlog

from runtime.errors import ServiceError
from runtime.logging import configure_logs

_log = structlog.get_logger("gateway")


@click.command("run")
def run_command() -> None:
    """Answer payments until told to stop (SIGTERM).

    Exit codes: 0 stopped in order, 1 an error, 2 wrong settings.
    """
    from gateway.settings import Settings
    from runtime.kafka.private_parts import check_private_parts

    settings = Settings.load()
    configure_logs(settings.log_level)
    try:
        check_private_parts()
        from gateway.bootstrap import run

        run(settings)
    except ServiceError as error:
        _log.error("stopped", error=str(error), code=error.code)
        sys.exit(error.code)
    except Exception:  # noqa: BLE001 - the last resort: a line in the log instead of a bare traceback
        _log.exception("stopped by an error of the program; what was accepted is in the journal")
        sys.exit(ServiceError.code)
