"""Histories as files that all instances share.

`directory` keeps them, `file` is one of them, `forked` lets scoring go on while one is written.
"""

from service.adapters.snapshots.directory import SnapshotDirectory

__all__ = ["SnapshotDirectory"]
