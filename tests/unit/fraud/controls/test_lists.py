import numpy as np
import pytest

from fraud.controls import lists as module
from fraud.controls.language.columns import Texts
from fraud.controls.lists import Lists
from fraud.decoding.hashing import hash_all


def held(lists: Lists, name: str, *values: str | None, at: int = 0) -> list[bool]:
    found: list[bool] = lists.members(name, Texts(values), np.full(len(values), at, np.int64)).tolist()
    return found


def test_a_list_holds_the_values_of_its_entries_and_no_other_list_does() -> None:
    lists = Lists()
    lists.put("one", "stolen", ["a", "b"])
    lists.put("two", "good", ["c"])
    assert held(lists, "stolen", "a", "b", "c", None) == [True, True, False, False]
    assert held(lists, "good", "a", "c") == [False, True]
    assert held(lists, "unheard", "a") == [False]
    assert len(lists) == 3


def test_a_value_leaves_only_with_the_last_entry_that_holds_it() -> None:
    lists = Lists()
    lists.put("one", "stolen", ["a"])
    lists.put("two", "stolen", ["a"])
    assert held(lists, "stolen", "a") == [True]
    lists.remove("one")
    assert held(lists, "stolen", "a") == [True]
    lists.remove("two")
    assert held(lists, "stolen", "a") == [False]


def test_an_entry_put_anew_replaces_what_it_held() -> None:
    lists = Lists()
    lists.put("one", "stolen", ["a"])
    assert held(lists, "stolen", "a") == [True]
    lists.put("one", "stolen", ["b"])
    lists.put("one", "stolen", ["c"])
    assert held(lists, "stolen", "a", "b", "c") == [False, False, True]


def test_an_entry_holds_from_its_start_until_before_its_end() -> None:
    lists = Lists()
    lists.put("one", "stolen", ["a"], start=10, end=20)
    assert [held(lists, "stolen", "a", at=at)[0] for at in (9, 10, 19, 20)] == [False, True, True, False]


def test_networks_hold_their_addresses_of_both_families() -> None:
    lists = Lists()
    lists.put("one", "hosts", ["10.0.0.0/8", "2001:db8::/32", "::/1", "192.168.7.7", "shop/7"])
    addresses = ("10.9.9.9", "11.0.0.1", "2001:db8:1::5", "2002::1", "8000::1", "192.168.7.7", "shop/7", "no address")
    assert held(lists, "hosts", *addresses) == [True, False, True, True, False, True, True, False]


def test_a_broken_network_is_refused() -> None:
    with pytest.raises(ValueError, match="is no network"):
        Lists().put("one", "hosts", ["10.0.0.0/99"])


def test_lists_beyond_their_room_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUES", 3)
    lists = Lists()
    lists.put("one", "stolen", ["a", "b"])
    with pytest.raises(ValueError, match="let some expire"):
        lists.put("two", "stolen", ["c", "d"])


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_changes_leaves_what_a_dictionary_would_hold(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECENT_MAX", 40)
    monkeypatch.setattr(module, "_WAITING_MAX", 15)
    rng = np.random.default_rng(seed)
    lists, plain = Lists(), dict[str, tuple[set[str], int]]()
    for _ in range(300):
        entry = f"entry {rng.integers(40)}"
        if rng.random() < 0.3:
            lists.remove(entry)
            plain.pop(entry, None)
        else:
            values, end = {f"v{value}" for value in rng.integers(0, 60, 5)}, int(rng.integers(1, 100))
            lists.put(entry, "stolen", values, end=end)
            plain[entry] = (values, end)
        if rng.random() < 0.3:
            asked = [f"v{value}" for value in range(60)]
            expected = [any(value in held and end > 50 for held, end in plain.values()) for value in asked]
            assert held(lists, "stolen", *asked, at=50) == expected
    assert len(lists) == sum(len(values) for values, _ in plain.values())


def test_ids_whose_hashes_are_at_hand_are_looked_up_without_their_texts() -> None:
    def refuse() -> list[str | None]:
        raise AssertionError("the events were made for their texts")

    lists = Lists()
    lists.put("entry", "watched", ["ann"])
    ids = Texts(refuse, hash_all(["ann", "bob", None]))
    assert lists.members("watched", ids, np.zeros(3, np.int64)).tolist() == [True, False, False]
    assert not ids.complete
