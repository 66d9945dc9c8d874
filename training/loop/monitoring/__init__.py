"""Watching what serves: drift of the payments, reasons to roll a champion back, and the business figures."""
