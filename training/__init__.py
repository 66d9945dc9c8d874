"""The trainer: data sets, transfer learning, evaluation, the gate, and the loop that keeps doing it."""
