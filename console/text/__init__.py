"""The words of the pages, by language; every language is one TOML file in this folder."""

import tomllib
from importlib.resources import files
from types import SimpleNamespace


class Section(SimpleNamespace):
    """Texts as attributes, and by keys that are known only at run time."""

    def __getitem__(self, name: str) -> object:
        """One text; AttributeError where it is missing."""
        return getattr(self, name)


def texts(language: str = "en") -> SimpleNamespace:
    """Sections as attributes, their texts as attributes of those; a text that is missing is an error."""
    tables = tomllib.loads((files(__name__) / f"{language}.toml").read_text(encoding="utf-8"))
    return SimpleNamespace(**{name: Section(**table) for name, table in tables.items()})
