"""Two towers for the compiler."""

from typing import Any

from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import DataType
from mlsd_framework.kinds.retrievers.two_tower.spec import TwoTowerSpec

SETTINGS = (
    "history", "pooling", "dim", "item_embedding", "category_embedding", "least", "similarity", "temperature",
    "hidden_ids", "events", "epochs", "patience", "batch", "learning_rate", "recall_at", "strategy", "devices", "seed",
)  # fmt: skip
MINING = ("pool", "skip", "engine")


class TwoTower:
    """A tower of users and a tower of items."""

    name = "two_tower"
    spec = TwoTowerSpec
    file = "item_vectors.safetensors"
    embeds = True
    embeds_new = True
    has_vectors = True
    reads_windows = True

    def source(self, retriever: Retriever) -> str:  # noqa: ARG002 - the kind's protocol
        """Return its class."""
        return "mlsd_framework.runtime.retrieval.two_tower:TwoTower"

    def accepts(self, type_: DataType) -> bool:
        """Take numbers, booleans and categories, null or not."""
        return type_.numeric or type_.name in ("bool", "category", "string")

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the hyperparameters."""
        own, negatives = tuple((name, getattr(spec, name)) for name in SETTINGS), spec.negatives
        against = (
            ("negatives_uniform", negatives.uniform),
            ("negatives_popular", negatives.popular),
            ("negatives_hard", negatives.hard.n),
            ("negatives_corrected", negatives.corrected),
        )
        mining = tuple((f"negatives_hard_{name}", getattr(negatives.hard, name)) for name in MINING)
        return (*own, ("layers", tuple(spec.layers)), *against, *(mining if negatives.hard.n else ()))

    def training(self, retriever: Retriever, system: System) -> str:
        """Return the text of `training/<model>.py`."""
        from mlsd_framework.kinds.retrievers.two_tower.training import script  # noqa: PLC0415 - only `build` writes it

        return script(retriever, system)
