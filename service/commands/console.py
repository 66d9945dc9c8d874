"""The beginning of the service's commands: settings, and logs as they say."""

from runtime.logging import configure_logs
from service.settings import Settings, load_settings


def ready() -> Settings:
    """This process's settings; what is logged from now on is as they say."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return settings
