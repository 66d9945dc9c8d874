"""The commands of `python -m console`."""
