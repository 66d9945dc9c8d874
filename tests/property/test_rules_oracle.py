import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud.controls.language.rule import InvalidRule, compile_rule
from fraud.controls.names import vocabulary_of
from fraud.features.platform import STANDARD
from tests.support.rule_facts import PlainFacts
from tests.support.rule_texts import HOSTILE, LISTS, RuleWriter, oracle, random_columns

VOCABULARY = vocabulary_of(STANDARD)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_a_rule_means_what_cel_says(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    ours, theirs = RuleWriter(random).condition()
    columns = random_columns(random, 6)
    hit, computed = compile_rule(ours, VOCABULARY).evaluate(PlainFacts(columns, LISTS))
    for row in range(6):
        expected = oracle(theirs, columns, row)
        assert (bool(hit[row]), bool(computed[row])) == (expected is True, expected is not None), (ours, theirs, row)


def refusal(text: str) -> str:
    """What is said of a text that is no rule; "" of a rule."""
    try:
        compile_rule(text, VOCABULARY)
    except InvalidRule as refused:
        return str(refused)
    return ""


@pytest.fixture(scope="module")
def audited() -> list[str]:
    """Harmful events of this process since then; a hook cannot be taken out again."""
    events: list[str] = []
    harm = {"exec", "open", "import", "os.system", "subprocess.Popen", "socket.connect"}
    sys.addaudithook(lambda event, _: events.append(event) if event in harm else None)
    return events


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:40]))
def test_a_hostile_text_is_refused_in_one_line_and_runs_nothing(text: str, audited: list[str]) -> None:
    refusal("score >")  # whatever Python imports for its first error
    audited.clear()
    said = refusal(text)
    assert not audited
    assert said
    assert len(said.splitlines()) == 1
    assert len(said) < 300


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text("()[]'\"., <>=!+-*/notandrislchemy0123456789_", max_size=120))
def test_any_text_is_a_rule_or_is_refused_in_one_line(text: str) -> None:
    assert len(refusal(text).splitlines()) <= 1
