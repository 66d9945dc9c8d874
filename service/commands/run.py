"""`python -m service run`: the service itself."""

import sys

import click
import structlog

from runtime.errors import ServiceError
from service.commands.console import ready

_log = structlog.get_logger("service")


@click.command("run")
def run_command() -> None:
    """Score transactions until told to stop (SIGTERM).

    Exit codes: 0 stopped in order, 1 past the deadline or an error, uncommitted, 2 wrong settings, 3 too many dead
    letters, 4 another process has this instance's id.
    """
    from runtime.kafka.private_parts import check_private_parts

    settings = ready()
    try:
        check_private_parts()  # before the adapters are imported, which name modules of the library
        from service.bootstrap import serve

        serve(settings)
    except ServiceError as error:
        _log.error("stopped", error=str(error), code=error.code)
        sys.exit(error.code)
    except Exception:  # noqa: BLE001 - the last resort: a line in the log instead of a bare traceback
        _log.exception("stopped by an error of the program; nothing of the batch in hand is committed")
        sys.exit(ServiceError.code)
