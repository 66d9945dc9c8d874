"""The trainer: simulator, data sets, transfer learning, evaluation, the gate, and the loop that keeps doing it."""

import os

# LightGBM's threads wait for each other at every split. By default they wait by spinning, which on a machine with
# other work takes eight times the processor and the time; OpenMP reads this once, when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # noqa: TID251 - OpenMP has no other way to be told
