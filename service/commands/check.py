"""`python -m service check`: what could keep the service from working."""

import sys

import click

from runtime.logging import configure_logs
from service.settings import load_settings


@click.command("check")
def check_command() -> None:
    """Look at settings, broker, topics, permissions and model, one line a finding; exit code 2 on an error."""
    from runtime.kafka.private_parts import check_private_parts

    settings = load_settings()
    configure_logs("ERROR")
    check_private_parts()  # before the adapters are imported, which name modules of the library
    from service.operations.checks import findings

    worst = 0
    for finding in findings(settings):
        click.echo(f"{finding.level:8} {finding.subject:12} {finding.text}")
        worst = max(worst, 2 if finding.level == "error" else 0)
    sys.exit(worst)
