"""Structured logs: one JSON object a line, on stderr."""

import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """Sends our log lines, and those of libraries that are severe enough, to stderr as JSON.

    kafka-python reports every lost connection several times, some with a traceback; what matters of it reaches our own
    lines as an error's text. DEBUG opens it up, but for the connection, which logs each request as it is sent: the
    password of SASL PLAIN, and payments.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(sort_keys=True)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)
    logging.getLogger("kafka.net.connection").setLevel(logging.INFO if level == "DEBUG" else logging.NOTSET)
    logging.getLogger("kafka").setLevel(logging.DEBUG if level == "DEBUG" else logging.CRITICAL + 1)
