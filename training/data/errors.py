"""Errors of data; a module of its own, so that command lines can catch it without loading numpy."""


class InvalidDataset(Exception):  # noqa: N818 - named for what it says, as in the design
    """Data that nothing can be learnt from or measured on; one line: what, where, and how to mend it."""
