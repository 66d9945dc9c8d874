"""The base: what pre-training leaves for adaptation, in memory and on disk.

A base directory holds `manifest.json`, `base.npz` (encoding, teachers' weights, the source's rows as far as
`training.modelling.pretrain.KEPT_CELLS` goes, 120 MB; a held-out source sample) and `booster.txt` (LightGBM's text
format). It is never served, so it holds no SavedModel.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import numpy.typing as npt

from training.data.errors import InvalidDataset
from training.data.sample import Floats, Sample
from training.modelling.encoder import Encoding
from training.modelling.network import FraudNet, NetOptions, build_net, set_weights
from training.modelling.trees.boosting import BoostOptions

Weights = dict[str, npt.NDArray[Any]]

ARRAYS: Final = "base.npz"
BOOSTER: Final = "booster.txt"


def taken(rows: Floats, columns: npt.NDArray[np.intp]) -> Floats:
    """Chosen columns, float32 [n, len(columns)]; those of -1 are missing."""
    taken = np.full((len(rows), len(columns)), np.nan, np.float32)
    taken[:, columns >= 0] = rows[:, columns[columns >= 0]]
    return taken


@dataclass(frozen=True, slots=True)
class MappedTrees:
    """Trees that read other columns than they are given.

    Attributes:
        booster: the trees.
        columns: of each column of theirs the given one, -1 where there is none: it is missing.
    """

    booster: lightgbm.Booster
    columns: npt.NDArray[np.intp]

    def predict(self, features: Floats, **options: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 - LightGBM's own
        """As `lightgbm.Booster.predict`."""
        predicted: npt.NDArray[np.float64] = self.booster.predict(taken(features, self.columns), **options)
        return predicted


@dataclass(frozen=True, slots=True)
class Base:
    """A pre-trained model.

    Attributes:
        names: of the features, [d].
        kinds: "number", "flag" or "category", [d].
        encoding: fitted on source and unlabelled target rows.
        net_options: of the teachers.
        teachers: weights by path, one dict per teacher net.
        booster: LightGBM trained on the source; mapped, of a base in the columns of another platform; None of a
            platform that has no source.
        boost: options of trees that the source's later rows spoke for.
        net_share: of nets beside trees in what ranks the source's held-out rows best; what `auto` expects of a target.
        source: source sample to train on jointly: every fraud, as many genuine rows as are kept.
        held_out: source rows that neither nets nor trees saw; calibration slopes come from them.
        source_prior: fraud rate of the source as it is.
        fraud_share: of training batches; logits stand at this rate until calibrated.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    encoding: Encoding
    net_options: NetOptions
    teachers: tuple[Weights, ...]
    booster: lightgbm.Booster | MappedTrees | None
    boost: BoostOptions
    net_share: float
    source: Sample
    held_out: Sample
    source_prior: float
    fraud_share: float

    @property
    def trees(self) -> lightgbm.Booster | MappedTrees:
        """LightGBM trained on the source.

        Raises:
            InvalidDataset: there is no source.
        """
        if self.booster is None:
            raise InvalidDataset("there is no source to adapt from: adapt with auto or target_only")
        return self.booster

    def teacher(self, number: int, *, seed: int, bottleneck: int = 0) -> FraudNet:
        """A fresh copy of a pre-trained net (counted round when there are fewer), with new adapters when asked.

        Without a source nothing was pre-trained: the net is new.
        """
        net = build_net(
            self.encoding, features=len(self.names), seed=seed, options=self.net_options, bottleneck=bottleneck
        )
        if not self.teachers:
            return net
        set_weights(net, self.teachers[number % len(self.teachers)], strict=not bottleneck)
        return net


def save_base(base: Base, path: Path) -> None:
    """Writes `base.npz` and `booster.txt` into the existing directory `path`."""
    options = base.net_options
    meta = {
        "names": base.names, "kinds": base.kinds, "teachers": len(base.teachers), "source_prior": base.source_prior,
        "fraud_share": base.fraud_share, "boost": asdict(base.boost), "net_share": base.net_share,
        "net": [options.width, options.blocks, options.dropout, options.embedding_dropout, options.normalise],
    }  # fmt: skip
    arrays: Weights = {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    arrays |= {f"encoding/{k}": v for k, v in base.encoding.to_arrays().items()}
    for i, weights in enumerate(base.teachers):
        arrays |= {f"teacher/{i}/{k}": v for k, v in weights.items()}
    for name, sample in (("source", base.source), ("held_out", base.held_out)):
        arrays |= {f"{name}/{k}": getattr(sample, k) for k in ("features", "label", "time")}
    np.savez(path / ARRAYS, allow_pickle=False, **arrays)
    trees = base.trees
    if isinstance(trees, MappedTrees):
        raise TypeError("a base is saved in the columns that it was pre-trained in")
    (path / BOOSTER).write_text(trees.model_to_string())


def load_base(path: Path) -> Base:
    """Reads a base directory whose files were verified.

    Raises:
        OSError, ValueError, KeyError: it is not one.
    """
    with np.load(path / ARRAYS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays["meta"].tobytes())
    width, blocks, dropout, embedding_dropout, normalise = meta["net"]
    return Base(
        names=tuple(meta["names"]),
        kinds=tuple(meta["kinds"]),
        encoding=Encoding.from_arrays(_below(arrays, "encoding")),
        net_options=NetOptions(width, blocks, dropout, embedding_dropout, normalise),
        teachers=tuple(_below(arrays, f"teacher/{i}") for i in range(meta["teachers"])),
        booster=lightgbm.Booster(model_str=(path / BOOSTER).read_text()),
        boost=BoostOptions(**meta["boost"]),
        net_share=meta["net_share"],
        source=Sample(**_below(arrays, "source")),
        held_out=Sample(**_below(arrays, "held_out")),
        source_prior=meta["source_prior"],
        fraud_share=meta["fraud_share"],
    )


def _below(arrays: Weights, prefix: str) -> Weights:
    return {name.removeprefix(f"{prefix}/"): value for name, value in arrays.items() if name.startswith(f"{prefix}/")}
