"""A ranker as a LightningModule: any of the networks, either loss, stopped by the order of validation requests."""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pytorch_lightning
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlsd_framework.runtime.rankers.batches import Requests
from mlsd_framework.runtime.rankers.deepfm import DeepFM
from mlsd_framework.runtime.rankers.dlrm import Dlrm
from mlsd_framework.runtime.rankers.fields import Shape
from mlsd_framework.runtime.rankers.losses import listwise, pointwise
from mlsd_framework.runtime.rankers.sequence import Sequence
from mlsd_framework.runtime.rankers.wide_deep import WideDeep
from mlsd_framework.runtime.ranking_metrics.accuracy import ndcg
from mlsd_framework.runtime.ranking_metrics.relevance import Relevant, judge
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.tabular.encoding import RowEncoding

Network = Literal["wide_deep", "deepfm", "dlrm", "sequence"]
Loss = Literal["pointwise", "listwise"]
NETWORKS: Final = {"wide_deep": WideDeep, "deepfm": DeepFM, "dlrm": Dlrm, "sequence": Sequence}
LOSSES: Final = {"pointwise": pointwise, "listwise": listwise}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a ranker is built and trained; `top` is the k of the NDCG that stops the training."""

    network: Network
    loss: Loss = "listwise"
    shape: Shape = field(default_factory=Shape)
    learning_rate: float = 1e-3
    top: int = 10
    seed: int = 0


class Ranker(pytorch_lightning.LightningModule):
    """A network that scores candidates; `ndcg` is over validation requests that have a relevant candidate."""

    def __init__(self, encoding: RowEncoding, settings: Settings) -> None:
        """Take how rows are encoded, and the settings; the seed decides the first weights."""
        super().__init__()
        self.encoding, self.settings = encoding, settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network: torch.nn.Module = NETWORKS[settings.network](encoding, settings.shape)
        self._judged: list[NDArray[np.float64]] = []

    def forward(self, codes: Tensor, values: Tensor) -> Tensor:
        """Return scores [rows] of codes [rows, codes] and values [rows, values]."""
        scores: Tensor = self.network(codes, values)
        return scores

    def training_step(self, batch: Requests, _: int) -> Tensor:
        """Return the loss of a batch."""
        return LOSSES[self.settings.loss](self(*batch.rows), batch)

    def on_validation_epoch_start(self) -> None:
        """Begin to collect."""
        self._judged = []

    def validation_step(self, batch: Requests, _: int) -> None:
        """Judge the order of some requests."""
        scores = self(*batch.rows).float().cpu().numpy()
        self._judged.append(ordered_ndcg(scores, batch.labels.cpu().numpy(), batch.offsets.cpu().numpy(), self.top))

    def on_validation_epoch_end(self) -> None:
        """Log the mean over all requests."""
        self.log("ndcg", float(np.nanmean(np.concatenate(self._judged))))

    @property
    def top(self) -> int:
        """The k of the NDCG."""
        return self.settings.top

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW, fused."""
        return torch.optim.AdamW(self.parameters(), self.settings.learning_rate, weight_decay=0.0, fused=True)

    def on_train_epoch_start(self) -> None:
        """Let what is random in an epoch depend on its number and the seed, so that a resumed run is the same."""
        torch.manual_seed(self.settings.seed * 1_000_003 + self.current_epoch)


def ordered_ndcg(
    scores: NDArray[np.floating], labels: NDArray[np.floating], offsets: NDArray[np.int64], top: int
) -> NDArray[np.float64]:
    """Return the NDCG of each request [requests] by scores and labels [rows]; NaN without a relevant candidate.

    A relevant candidate that ties with others counts as the last of them, so that one score for all is no good order.
    """
    lengths = np.diff(offsets)
    request_of = np.repeat(np.arange(len(lengths)), lengths)
    items = (np.arange(len(scores)) - offsets[request_of]).astype(np.int32)
    order = np.lexsort((labels, -scores, request_of))
    relevant = labels > 0
    wanted = Relevant.of_pairs(request_of[relevant], items[relevant], len(lengths))
    return ndcg(judge(Candidates(offsets, items[order]), wanted), top)
