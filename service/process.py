"""The set-up of this process: what it need not import, and how often Python interrupts it."""

import gc
import os
import sys
from typing import Final

SWITCH_SECONDS: Final = 0.0005
"""How long a thread keeps the interpreter when others wait. A batch passes between threads several times; while a model
is loaded in the background, each time would cost Python's default of 5 ms."""

COLLECT_AFTER: Final = 200_000
"""New objects after which Python looks for cycles among them: more than a batch of the usual size makes."""


def prepare_tensorflow() -> None:
    """Has TensorFlow, which this process must not have imported yet, leave out what scoring does not need.

    Its import takes most of a start, and half of that is Keras, which it loads only to be ready for models that are
    built here; ours are SavedModels. It is told so by the variable that selects another Keras, which then is not there.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # noqa: TID251 - TensorFlow has no other way to be told
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # noqa: TID251 - as above
    # A batch is too small to share: with more threads it took as long, and twice the processor time.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # noqa: TID251 - as above
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")  # noqa: TID251 - as above


def tune_for_scoring() -> None:
    """Has Python interrupt scoring seldom; called once everything is loaded.

    Its cycle collector would walk TensorFlow's objects, and each batch, while a batch is made. A batch is thousands of
    objects without cycles, gone when it is committed; by default they set off a collection of everything several times
    a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_SECONDS)
