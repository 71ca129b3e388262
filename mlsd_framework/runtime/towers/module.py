"""The two-tower model as a LightningModule, short enough to read before it is trained."""

from dataclasses import dataclass, field

import pytorch_lightning
import torch
from torch import Tensor

from mlsd_framework.runtime.tabular.layers import tables
from mlsd_framework.runtime.tabular.rows import Rows
from mlsd_framework.runtime.towers.batches import Batch, Pairs
from mlsd_framework.runtime.towers.learning import Encoding
from mlsd_framework.runtime.towers.negatives import Negatives, sampled_softmax
from mlsd_framework.runtime.towers.tower import Shape, Tower

_SLICE = 8_192  # rows whose vectors are computed at a time


@dataclass(frozen=True, slots=True)
class Settings:
    """How the model is built and trained; `recall_at` is the k of the recall that stops the training."""

    shape: Shape = field(default_factory=Shape)
    negatives: Negatives = field(default_factory=Negatives)
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    recall_at: int = 50
    seed: int = 0


class TwoTower(pytorch_lightning.LightningModule):
    """A tower of users and a tower of items; the score of a pair is the product of their vectors.

    Training is an in-batch sampled softmax (Yi et al., RecSys 2019). `recall` is the share of validation pairs whose
    item is among the `recall_at` best of the whole catalogue; an item that ties with others counts as the last of them.
    """

    def __init__(self, encoding: Encoding, catalogue: Rows, settings: Settings) -> None:
        """Take the encoding, the encoded rows of all items, and the settings; the seed decides the first weights."""
        super().__init__()
        self.encoding, self.catalogue, self.settings = encoding, catalogue, settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            shared = tables(encoding.user.vocabularies)
            self.user = Tower(encoding.user, shared, settings.shape)
            self.item = Tower(encoding.item, shared, settings.shape)
        cosine = settings.shape.similarity == "cosine"
        self.temperature = settings.shape.temperature if cosine else 1.0
        self.vectors = torch.empty(0)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of a batch."""
        scores = self._scores(self.user(*batch.users), batch)
        return sampled_softmax(scores / self.temperature, batch.target, batch.log_q)

    def _scores(self, users: Tensor, batch: Batch) -> Tensor:
        """Return the products of users with the pool, and with their own hard items beside it: [rows, pool + hard]."""
        if not batch.hard.shape[1]:
            products: Tensor = users @ self.item(*self.catalogue.take(batch.pool)).T
            return products
        hard, place = torch.unique(batch.hard.clamp(min=0), return_inverse=True)
        items = self.item(*self.catalogue.take(torch.cat([batch.pool, hard])))
        pool, own = items[: len(batch.pool)], items[len(batch.pool) :][place]
        return torch.cat([users @ pool.T, torch.einsum("rd,rhd->rh", users, own)], dim=1)

    def validation_step(self, batch: Pairs, _: int) -> None:
        """Log the recall of a slice of pairs."""
        scores = self.user(*batch.users) @ self.vectors.T
        own = scores.gather(1, batch.items[:, None])
        found = (scores >= own).sum(1) <= self.settings.recall_at
        self.log("recall", found.float().mean(), on_epoch=True, batch_size=len(found), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW, fused."""
        settings = self.settings
        return torch.optim.AdamW(
            self.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    def on_fit_start(self) -> None:
        """Bring the catalogue to where the model is."""
        self.catalogue = self.catalogue.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Let what is random in an epoch depend on its number and the seed, so that a resumed run is the same."""
        torch.manual_seed(self.settings.seed * 1_000_003 + self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Compute the vectors of all items."""
        self.vectors = self.item_vectors()

    def item_vectors(self) -> Tensor:
        """Return the vectors of the catalogue as it is: [items, dimension], float32."""
        return self._vectors(self.item, self.catalogue)

    def user_vectors(self, users: Rows) -> Tensor:
        """Return the vectors of rows of users: [rows, dimension], float32."""
        return self._vectors(self.user, users)

    @torch.no_grad()
    def _vectors(self, tower: Tower, rows: Rows) -> Tensor:
        """Return the vectors of rows, with nothing hidden from the tower, while it trains too."""
        training = tower.training
        tower.eval()
        slices = [
            tower(*rows.take(slice(start, start + _SLICE)).to(self.device)).float()
            for start in range(0, len(rows.codes), _SLICE)
        ]
        tower.train(training)
        return torch.cat(slices)
