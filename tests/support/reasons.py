"""What a reason's sentence names."""

import numpy as np
import numpy.typing as npt

from fraud.explanations.reasons import ReasonBuilder, Row


def named_columns(
    builder: ReasonBuilder, features: npt.NDArray[np.float32], contributions: npt.NDArray[np.floating], code: str
) -> list[int]:
    """The columns that the text of a reason names, strongest first."""
    return builder._chosen(Row(features.tolist(), contributions.tolist(), {}, ""), code)
