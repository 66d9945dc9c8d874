"""Metrics of controls. A rule's label is its id; past `MOST` of them all others count as one."""

from typing import Final

import numpy as np

from fraud.controls.effects import Bools
from fraud.controls.rulebook import Rulebook
from fraud.controls.state import Applied, Refusal, Refused
from fraud.decisions.policy import REVIEW
from fraud.money import MICRO
from service.batch import PartitionBatch
from service.observability.declared import Declared
from service.scored_batch import ScoredBatch

MOST: Final = 200
OTHER: Final = "other"
KINDS: Final = ("rule", "condition", "policy", "list_entry")


class ControlMetrics:
    """What rules did, and how the controls stand."""

    def __init__(self, declared: Declared) -> None:
        counter, gauge = declared.labelled_counter, declared.gauge
        self._hits = counter("rule_hits_total", "Payments that a rule or condition fired on", "rule", "mode")
        self._money = counter("rule_amount_total", "Money in those payments, base currency units", "rule", "mode")
        self._uncomputed = counter(
            "rule_uncomputed_total", "Payments that a rule, condition or lever could not be computed for", "rule"
        )
        self._changed = declared.counter("rule_changed_total", "Payments whose action rules changed from the policy's")
        self._sampled = declared.counter("sampled_total", "Allowed payments sent to review by lot, as a lever says")
        self._refused = declared.counter(
            "controls_refused_total", "Records of the controls log that do not count, by reason", "reason", Refusal
        )
        self._active = gauge("controls_active", "Controls that act or are counted; of lists their values", "kind")
        self._list = gauge("control_list_values", "Values in a list", "list")
        self._room = gauge("control_lists_room_ratio", "Share of the values that all lists may hold that is still free")
        self._offset = gauge("controls_offset", "Position in the controls log")
        self._broken = gauge("controls_broken", "Controls that cannot act: written for another program or platform")
        self.age = gauge("controls_age_seconds", "Time since the controls log was known to be read to its end")
        self._known: set[str] = set()
        self._lists: frozenset[str] = frozenset()
        for kind in KINDS:
            self._active.labels(kind)

    def observe(self, part: PartitionBatch, scored: ScoredBatch) -> None:
        """Takes in a committed part."""
        for name, count in scored.uncomputed_levers.items():
            self._uncomputed.labels(self._label(name)).inc(count)
        if scored.explore_share is not None:
            drawn = (scored.propensity < 1) & ~scored.explored & (scored.action == REVIEW)
            self._sampled.inc(int(np.count_nonzero(drawn)))
        ruled = scored.ruled
        if ruled is None:
            return
        self._changed.inc(int(np.count_nonzero(ruled.action != scored.model_action)))
        for name, count in ruled.uncomputed.items():
            self._uncomputed.labels(self._label(name)).inc(count)
        for mode, fired in (("live", ruled.fired), ("shadow", ruled.shadow)):
            for name, hit in fired.items():
                self._fired(name, mode, hit, part)

    def taken(self, outcome: Applied | Refused) -> None:
        """Takes in what became of a record of the log."""
        if isinstance(outcome, Refused):
            self._refused.labels(outcome.reason).inc()

    def standing(self, rulebook: Rulebook) -> None:
        """Notes how the controls stand."""
        for kind, count in rulebook.sizes().items():
            self._active.labels(kind).set(count)
        lists = rulebook.lists.sizes()
        shown = dict(sorted(lists.items(), key=lambda item: -item[1])[:MOST])
        for gone in self._lists - shown.keys():
            self._list.remove(gone)
        for name, count in shown.items():
            self._list.labels(name).set(count)
        self._lists = frozenset(shown)
        self._room.set(1 - sum(lists.values()) / rulebook.lists.capacity)
        self._offset.set(rulebook.offset)
        self._broken.set(len(rulebook.broken))

    def _fired(self, name: str, mode: str, hit: Bools, part: PartitionBatch) -> None:
        label = self._label(name)
        self._hits.labels(label, mode).inc(int(np.count_nonzero(hit)))
        self._money.labels(label, mode).inc(float(part.batch.amount[hit].sum()) / MICRO)

    def _label(self, name: str) -> str:
        """The id without its version, or the common one when there are too many."""
        control_id = name.rpartition("@")[0]
        if control_id not in self._known and len(self._known) < MOST:
            self._known.add(control_id)
        return control_id if control_id in self._known else OTHER
