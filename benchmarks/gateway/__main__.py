"""`make bench-gateway`: latency, exactness, kills, overload and outage of the gateway. Options give a short version."""

from collections.abc import Callable

import click

from benchmarks.gateway import rounds
from benchmarks.gateway.stack import Stack, stack
from benchmarks.report import Figure, keep, print_figures

RATES = (100.0, 200.0, 300.0, 400.0, 500.0, 650.0, 800.0, 1000.0, 1250.0, 1500.0)
PARTS = ("latency", "rate", "exactness", "kills", "overload", "away", "bare")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="some parts; default: all")
@click.option("--seconds", default=30.0, show_default=True, help="of each measurement of latency")
@click.option("--answers", default=100_000, show_default=True, help="compared with the topic")
@click.option("--kills", "kill_rounds", default=30, show_default=True, help="of gateway, scorer and broker in turn")
@click.option("--capacity", type=float, help="requests a second, for the overload; default: the highest rate found")
def main(only: tuple[str, ...], seconds: float, answers: int, kill_rounds: int, capacity: float | None) -> None:
    """Measure the gateway with a scorer and a broker of its own, all on 127.0.0.1."""
    figures: list[Figure] = []
    with stack() as s:
        rounds.latency(s, rate=50, seconds=4, name="warm-up")

        def rate() -> list[Figure]:
            nonlocal capacity
            found = rounds.highest_rate(s, rates=RATES, seconds=seconds / 3)
            capacity = capacity or found.value
            return [found]

        parts: dict[str, Callable[[], list[Figure]]] = {
            "latency": lambda: [f for at in (100.0, 500.0) for f in rounds.latency(s, rate=at, seconds=seconds)],
            "rate": rate,
            "exactness": lambda: rounds.exactness(s, count=answers, rate=min(400.0, capacity or 200.0)),
            "kills": lambda: rounds.kills(s, rounds=kill_rounds, rate=100.0, seconds=6.0),
            "overload": lambda: rounds.overload(s, capacity=capacity or 300.0, seconds=10.0),
            "away": lambda: rounds.broker_away(s, rate=100.0),
            "bare": lambda: bare(s, seconds),
        }
        for part in (name for name in PARTS if name in (only or PARTS)):
            found = parts[part]()
            print_figures(found, title=part)
            figures += found
            keep("gateway", figures)


def bare(s: Stack, seconds: float) -> list[Figure]:
    """The limit, measured on the same machine with the scorer idle beside it."""
    from local.testbed.gateway_run import GatewayRun

    run = GatewayRun(s.scorer, s.run.folder / "bare", {"gateway_keys_file": str(s.run.folder / "keys.json")})
    process = run.process(program=("benchmarks.gateway.bare",))
    try:
        process.start()
        process.ready()
        found = [
            figure
            for rate in (100.0, 500.0)
            for figure in rounds.latency(s, rate=rate, seconds=seconds, port=run.port, name="bare")
        ]
        return [*found, rounds.highest_rate(s, rates=RATES, seconds=seconds / 3, port=run.port, name="bare ")]
    finally:
        run.close()


if __name__ == "__main__":
    main()
