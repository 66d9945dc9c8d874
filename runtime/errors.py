"""Errors of every program: one class for each reaction, one line of text that says what, where and how to mend it."""

# ruff: noqa: N818 - named for what happened, which is what decides the reaction


class ServiceError(Exception):
    """Stops the program; `code` is the process's exit code."""

    code = 1


class Unavailable(ServiceError):
    """Something outside is away for now: try the same again later."""


class Misconfigured(ServiceError):
    """A setting, topic, permission or file is wrong; trying again would not help."""

    code = 2


class TooManyDeadLetters(ServiceError):
    """Most of what arrives cannot be scored: more likely a bad deploy than bad data."""

    code = 3


class Fenced(ServiceError):
    """Another process runs under this instance's id."""

    code = 4


class Damaged(ServiceError):
    """What the broker keeps cannot be read: somebody must mend it or decide to go on behind it."""


class Unprocessable(ServiceError):
    """One record cannot be processed, by an error of the program."""


class Refused(Unavailable):
    """The broker answered, and would not take the messages: trying again seldom helps."""


class VersionConflict(ServiceError):
    """Somebody else wrote this version first: look at theirs, then decide."""


class OffsetsLost(ServiceError):
    """Records between the committed offset and the start of the log are gone: somebody must decide what to do."""
