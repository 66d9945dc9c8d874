"""Stopping: signals only set a flag, and nothing outlasts the time that a stop leaves."""

import signal
import subprocess
import sys
import threading
from itertools import count

from runtime.shutdown import Shutdown

HANGING = """
import threading, time
from runtime.shutdown import Shutdown
stop = Shutdown(seconds=0.3, monotonic=time.monotonic)
with stop.on_signals(), stop.enforced(lambda: print("too late", flush=True)):
    print("working", flush=True)
    threading.Event().wait()
"""


def test_a_signal_sets_a_flag_and_the_former_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = Shutdown(seconds=5, monotonic=lambda: 0.0)
    with stop.on_signals():
        assert not stop.requested
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        assert not stop.overdue
    assert signal.getsignal(signal.SIGTERM) is before


def test_asking_again_does_not_extend_the_limit() -> None:
    clock = count()
    stop = Shutdown(seconds=2, monotonic=lambda: float(next(clock)))
    stop.request()
    stop.request()
    assert [stop.overdue for _ in range(3)] == [False, True, True]


def test_a_process_that_hangs_is_ended_with_1_once_the_limit_is_over() -> None:
    with subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
        assert process.stdout.read() == "too late\n"


def test_a_process_that_hangs_once_all_is_settled_is_ended_with_0() -> None:
    settled = HANGING.replace("threading.Event().wait()", "stop.settled(); threading.Event().wait()")
    with subprocess.Popen([sys.executable, "-c", settled], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_work_that_ends_in_time_is_left_alone() -> None:
    said = threading.Event()
    stop = Shutdown(seconds=0.0, monotonic=lambda: 0.0)
    with stop.enforced(said.set):
        stop.request()
    assert not said.wait(1.3)
