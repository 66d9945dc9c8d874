"""The lists of the controls log: entries become values with a span of event time, and are counted by list."""

from collections import Counter
from collections.abc import Mapping

from fraud.contracts.controls import Control
from fraud.controls.effects import span_of
from fraud.controls.lists import MAX_VALUES, Lists


class ValueLists:
    """The lists that rules read, filled by entries."""

    capacity = MAX_VALUES
    """Values that all of them may hold together."""

    def __init__(self) -> None:
        self.lists = Lists()
        self._counts: dict[str, tuple[str, int]] = {}

    def put(self, entry: Control) -> None:
        """Takes an entry in, in place of the one under its id.

        Raises:
            ValueError: it is no entry, a value is no network though it looks like one, or the lists are full.
        """
        held = entry.list_entry
        if held is None:
            raise ValueError(f"{entry.control_id} is no list entry")
        start, end = span_of(entry)
        self.lists.put(entry.control_id, held.list, held.values, start=start, end=end)
        self._counts[entry.control_id] = (held.list, len(held.values))

    def remove(self, control_id: str) -> None:
        """Forgets an entry, if it is there."""
        if self._counts.pop(control_id, None) is not None:
            self.lists.remove(control_id)

    def sizes(self) -> Mapping[str, int]:
        """Values in each list, expired ones among them."""
        sizes: Counter[str] = Counter()
        for name, count in self._counts.values():
            sizes[name] += count
        return sizes
