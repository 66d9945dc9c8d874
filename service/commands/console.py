"""The beginning of the service's commands: settings, logs, and what TensorFlow shall leave out."""

from runtime.logging import configure_logs
from service.process import skip_keras_import
from service.settings import Settings, load_settings


def ready() -> Settings:
    """This process's settings; what is logged and loaded from now on is as they and scoring need it."""
    settings = load_settings()
    configure_logs(settings.log_level)
    skip_keras_import()
    return settings
