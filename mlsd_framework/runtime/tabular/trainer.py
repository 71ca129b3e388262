"""A Lightning trainer without what costs time and is not asked for."""

from pathlib import Path
from typing import Any

import pytorch_lightning
import torch
from pytorch_lightning.callbacks import EarlyStopping

from mlsd_framework.runtime.tabular.checkpoints import KeptWeights, SafetensorsIO


class Patience(EarlyStopping):
    """Ends the training after so many epochs without a better metric, also one that is resumed after its end."""

    def __init__(self, epochs: int, monitor: str) -> None:
        """Take the number of epochs, and the name of the metric, of which more is better."""
        super().__init__(monitor, mode="max", patience=epochs, check_on_train_epoch_end=True)

    def on_train_start(self, trainer: pytorch_lightning.Trainer, _: pytorch_lightning.LightningModule) -> None:
        """Stop at once what had stopped."""
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def lean_trainer(
    folder: Path,
    *,
    epochs: int,
    patience: int = 3,
    monitor: str = "recall",
    **settings: Any,  # noqa: ANN401 - Lightning's settings
) -> pytorch_lightning.Trainer:
    """Return a trainer that keeps the best weights and its state in `folder` and stops early.

    `monitor` is the metric that says which weights are best; more of it is better. On a GPU it computes in
    bfloat16 where that is safe. `settings` are the Trainer's own and go before: a `strategy`, `devices`, `precision`, a
    `logger`.
    """
    on_gpu = torch.cuda.is_available() and settings.get("accelerator", "auto") in {"auto", "gpu", "cuda"}
    lean: dict[str, Any] = {
        "max_epochs": epochs,
        "callbacks": [Patience(patience, monitor), KeptWeights(folder, monitor)],
        "plugins": [SafetensorsIO()],
        "precision": "bf16-mixed" if on_gpu else "32-true",
        "deterministic": on_gpu,  # the CPU's kernels are
        "reload_dataloaders_every_n_epochs": 1,  # an epoch's batches depend on its number
        "use_distributed_sampler": False,  # the batches know their process
        "num_sanity_val_steps": 0,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }
    return pytorch_lightning.Trainer(**{**lean, **settings})
