"""The environment of a process that trains; OpenMP and TensorFlow have no other way to be told."""

import os


def prepare_libraries() -> None:
    """Sets what libraries read once, when they are loaded: called before LightGBM and TensorFlow are imported.

    What the environment says already stays.
    """
    # LightGBM's threads wait for each other at every split. By default they wait by spinning, which on a machine with
    # other work takes eight times the processor and the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # noqa: TID251 - OpenMP has no other way to be told
    # TensorFlow's warnings about the processor say nothing to who trains a model.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # noqa: TID251 - nor has TensorFlow
    # Its oneDNN kernels give other last bits on other processors, say so twice on stderr, and save 5 % of the time
    # here.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # noqa: TID251 - as above
