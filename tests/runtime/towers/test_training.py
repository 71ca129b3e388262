"""Training: it learns, ends early, is the same twice, goes on after a kill, and runs in several processes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, Trainer

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.checkpoints import SafetensorsIO, load_best, newest, read
from mlsd_framework.runtime.tabular.trainer import lean_trainer
from mlsd_framework.runtime.towers.module import TwoTower
from mlsd_framework.runtime.towers.negatives import Negatives
from mlsd_framework.runtime.towers.tower import Shape

ROOT = Path(__file__).resolve().parents[3]
ALL = Negatives(uniform=16, popular=16, mined=2, mined_pool=20, skipped=1)


class _Killed(Callback):
    def on_train_batch_start(self, trainer: Trainer, _: Any, __: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 2 and batch_idx == 3:
            raise ConnectionError("killed")


def _weights(module: TwoTower) -> dict[str, bytes]:
    return {name: tensor.detach().cpu().numpy().tobytes() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("shape", [Shape(8, (16,), temperature=0.2), Shape(8, (), "dot", hidden_ids=0.1)])
@pytest.mark.parametrize("negatives", [Negatives(), ALL])
def test_a_model_learns_what_users_take(made: Any, tmp_path: Path, shape: Shape, negatives: Negatives) -> None:
    """Recall at 10 of 60 items is far above chance: users take items of their group, 15 of them."""
    module, data = made(shape, negatives)
    trainer = lean_trainer(tmp_path, epochs=5, accelerator="cpu")
    trainer.fit(module, datamodule=data)
    assert float(trainer.callback_metrics["recall"]) > 0.5


def test_two_runs_with_a_seed_give_the_same_bytes(made: Any, tmp_path: Path) -> None:
    """All that is random comes from the seed, whatever ran before."""
    weights = []
    for run in ("a", "b"):
        torch.manual_seed(len(weights))
        module, data = made(Shape(8, (16,), hidden_ids=0.1), ALL)
        lean_trainer(tmp_path / run, epochs=2, accelerator="cpu").fit(module, datamodule=data)
        weights.append(_weights(module))
    assert weights[0] == weights[1]


def test_a_killed_training_goes_on_to_the_same_bytes(made: Any, tmp_path: Path) -> None:
    """What ends within its third epoch goes on from the second, and has the weights of a run without a break."""
    shape = Shape(8, (16,), hidden_ids=0.1)
    whole, data = made(shape, ALL)
    lean_trainer(tmp_path / "whole", epochs=4, accelerator="cpu").fit(whole, datamodule=data)

    killed, data = made(shape, ALL)
    folder = tmp_path / "killed"
    trainer = lean_trainer(folder, epochs=4, accelerator="cpu")
    trainer.callbacks.append(_Killed())
    with pytest.raises(ConnectionError):
        trainer.fit(killed, datamodule=data)

    resumed, data = made(shape, ALL)
    trainer = lean_trainer(folder, epochs=4, accelerator="cpu")
    trainer.fit(resumed, datamodule=data, ckpt_path=newest(folder))
    assert trainer.current_epoch == 4
    assert _weights(resumed) == _weights(whole)
    load_best(resumed, folder)
    load_best(whole, tmp_path / "whole")
    assert _weights(resumed) == _weights(whole)


def test_a_training_ends_where_recall_no_longer_rises(made: Any, tmp_path: Path) -> None:
    """Without learning it ends after its patience, and one that has ended does not go on when it is resumed."""
    for _ in range(2):
        module, data = made()
        module.configure_optimizers = lambda module=module: torch.optim.SGD(module.parameters(), 0.0)
        trainer = lean_trainer(tmp_path, epochs=20, patience=2, accelerator="cpu")
        trainer.fit(module, datamodule=data, ckpt_path=newest(tmp_path))
        assert trainer.current_epoch == 3


def test_a_checkpoint_holds_any_state_of_tensors_and_data(tmp_path: Path) -> None:
    """Nested state comes back as it was; a tensor at two places is kept once; what is no data is refused."""
    shared = torch.randn(100, 100)
    state = {"a": shared, "b": [shared, {0: torch.tensor(1.5), "x": (1, None, True)}], "c": torch.empty(0)}
    path = tmp_path / "state.safetensors"
    SafetensorsIO().save_checkpoint(state, path)
    found = read(path)
    assert path.stat().st_size < 60_000
    assert torch.equal(found["b"][0], shared)
    assert found["b"][1][0] == 1.5
    assert found["b"][1]["x"] == (1, None, True)
    with pytest.raises(TypeError, match="`/f` is of type function"):
        SafetensorsIO().save_checkpoint({"f": read}, path)


def test_a_damaged_checkpoint_is_named(made: Any, tmp_path: Path) -> None:
    """A file that is cut short, missing or of another model is an error of ours."""
    (tmp_path / "best.safetensors").write_bytes(b"\x10\x00")
    module, _ = made()
    with pytest.raises(RunError, match="E6336"):
        load_best(module, tmp_path)
    with pytest.raises(RunError, match="E6336"):
        load_best(module, tmp_path / "none")
    SafetensorsIO().save_checkpoint({"state_dict": {"x": torch.zeros(1)}}, tmp_path / "best.safetensors")
    with pytest.raises(RunError, match="another model"):
        load_best(module, tmp_path)


@pytest.mark.process
def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    """DDP on two processes over gloo: each holds its rows against the items of the whole batch."""
    script = ROOT / "tests" / "runtime" / "towers" / "train_in_processes.py"
    found = []
    for processes in (1, 2):
        command = [sys.executable, script, str(tmp_path / str(processes)), str(processes)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        found.append(read(tmp_path / str(processes) / "last.safetensors")["state_dict"])
    for name, tensor in found[0].items():
        assert torch.allclose(tensor, found[1][name], atol=1e-5), name
