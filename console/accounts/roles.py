"""What each role may do; each may do what the one before it may."""

from enum import IntEnum


class Role(IntEnum):
    """Roles, least first."""

    viewer = 0
    """Reads; ids of people, cards and devices are shown as pseudonyms."""
    analyst = 1
    """Sees ids, works cases, drafts rules, puts entries on lists."""
    lead = 2
    """Hands cases over, approves rules, sets levers, reads the audit."""
    admin = 3
    """Rolls the model back."""
