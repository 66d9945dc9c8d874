"""Pseudonyms of ids."""

from fraud.privacy.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(b"secret")


def test_equal_ids_have_equal_pseudonyms_and_only_under_one_secret() -> None:
    assert PSEUDONYMS.of("cu-1") == Pseudonyms(b"secret").of("cu-1")
    assert len({PSEUDONYMS.of("cu-1"), PSEUDONYMS.of("cu-2"), Pseudonyms(b"other").of("cu-1")}) == 3
