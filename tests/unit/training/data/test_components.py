"""Payments that belong together stay together; what strangers share ties nobody."""

import numpy as np

from training.data.components import components


def linked(customer: list[int], device: list[int], *, max_customers: int = 20) -> list[int]:
    ids = {"customer": np.array(customer, np.uint64), "device": np.array(device, np.uint64)}
    return [int(number) for number in components(ids, max_customers=max_customers)]


def test_payments_are_linked_through_customers_and_devices_in_turn() -> None:
    assert linked([1, 2, 2, 3, 4], [7, 7, 8, 8, 9]) == [0, 0, 0, 0, 1]


def test_an_absent_device_links_nobody() -> None:
    assert linked([1, 2, 3], [0, 0, 0]) == [0, 1, 2]


def test_a_device_of_more_customers_than_a_ring_has_is_passed_over() -> None:
    assert linked([1, 2, 3, 3], [7, 7, 7, 0], max_customers=2) == [0, 1, 2, 2]
    assert linked([1, 2, 3, 3], [7, 7, 7, 0], max_customers=3) == [0, 0, 0, 0]


def test_no_payments_have_no_components() -> None:
    assert linked([], []) == []
