"""Memory that processes hold, as Linux counts it."""

from pathlib import Path

_KB = 1e-6


def now_gb() -> float:
    """Resident memory of this process, in GB."""
    return _status("VmRSS")


def peak_gb() -> float:
    """The most since `reset_peak`, in GB."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Starts the peak anew."""
    Path("/proc/self/clear_refs").write_text("5")


def shared_gb() -> float:
    """This process and its children, what they share counted once, in GB."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [pid for task in tasks for pid in task.read_text().split()]
    return sum(_share(Path("/proc") / pid / "smaps_rollup") for pid in ("self", *children))


def _share(path: Path) -> float:
    try:
        lines = path.read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return next((int(line.split()[1]) * _KB for line in lines if line.startswith("Pss:")), 0.0)


def _status(name: str) -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name))
    return int(line.split()[1]) * _KB
