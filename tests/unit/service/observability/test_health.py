"""The service's signs of life."""

from service.observability.health import Health


def test_the_longest_turn_so_far_is_kept() -> None:
    times = iter([5.0, 5.5, 9.0, 9.1])
    health = Health(lambda: next(times), limit=60.0)
    longest = []
    for _ in range(4):
        health.beat()
        longest.append(health.longest)
    assert longest == [0.0, 0.5, 3.5, 3.5]
