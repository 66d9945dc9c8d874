"""Models that many tests look at are trained once."""

import pytest

from tests.support import toy_models as toy
from training.modelling.base import Base
from training.modelling.pretrain import pretrain


@pytest.fixture(scope="session")
def base() -> Base:
    """Two small nets and trees, pre-trained on the toy source with unlabelled rows of the toy target."""
    unlabelled = toy.rows(1_500, seed=2, shifted=True).features
    return pretrain(toy.rows(4_000, seed=1), unlabelled, names=toy.NAMES, kinds=toy.KINDS, seed=1, options=toy.SIZES)
