"""Searching parameters with Optuna: seeded, in a SQLite file, and going on where it was cut off."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlsd_framework.diagnostics.errors import RunError

if TYPE_CHECKING:
    import optuna

Setting = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Float:
    """A number from `low` to `high`, evenly or evenly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: "optuna.Trial", name: str) -> float:
        """Return a value for this trial."""
        return float(trial.suggest_float(name, self.low, self.high, log=self.log))


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False

    def suggest(self, trial: "optuna.Trial", name: str) -> int:
        """Return a value for this trial."""
        return int(trial.suggest_int(name, self.low, self.high, log=self.log))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values."""

    options: tuple[Setting, ...]

    def suggest(self, trial: "optuna.Trial", name: str) -> Setting:
        """Return a value for this trial."""
        chosen: Setting = trial.suggest_categorical(name, list(self.options))
        return chosen


Space = Mapping[str, Float | Int | Choice]


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: after so many finished trials in all, or so many minutes of this run, whichever comes first."""

    trials: int | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A finished trial: its number from 1, the trials to do (None: until time is up), its value, the best so far."""

    trial: int
    trials: int | None
    value: float
    best: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best parameters found, their value, and how many trials that took."""

    parameters: Mapping[str, Setting]
    value: float
    trials: int


def tune(
    objective: Callable[[Mapping[str, Setting]], float],
    space: Space,
    *,
    storage: Path,
    study: str,
    budget: Budget,
    maximise: bool = True,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tuned:
    """Return the best of `space` for `objective`, keeping every trial in the SQLite file `storage`.

    Each trial draws with a seed made of `seed` and the number of trials before it, so that a search that was killed and
    started again finds what one that ran through finds. Another space is another study. Raises E6337 without a budget
    or a finished trial.
    """
    import optuna  # noqa: PLC0415 - heavy

    _check(budget)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage.parent.mkdir(parents=True, exist_ok=True)
    search = optuna.create_study(
        storage=f"sqlite:///{storage}",
        study_name=f"{study}-{_fingerprint(space, seed)}",
        direction="maximize" if maximise else "minimize",
        load_if_exists=True,
    )
    ends = time.monotonic() + 60 * (math.inf if budget.minutes is None else budget.minutes)
    finished = _finished(search)
    while finished < (math.inf if budget.trials is None else budget.trials) and time.monotonic() < ends:
        search.sampler = optuna.samplers.TPESampler(seed=seed * 100_003 + finished)
        trial = search.ask()
        value = objective({name: one.suggest(trial, name) for name, one in space.items()})
        if math.isnan(value):
            search.tell(trial, state=optuna.trial.TrialState.FAIL)
            finished += 1
            continue
        search.tell(trial, value)
        finished += 1
        progress(Progress(finished, budget.trials, value, search.best_value))
    done = search.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        raise RunError.of("E6337", "the tuning finished no trial", help="give it more `minutes` or state `trials`")
    return Tuned(dict(search.best_params), search.best_value, len(done))


def _finished(search: "optuna.Study") -> int:
    """Return how many trials ended, well or not; one that a kill cut off does not count."""
    import optuna  # noqa: PLC0415 - heavy

    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL)
    return len(search.get_trials(deepcopy=False, states=ended))


def _fingerprint(space: Space, seed: int) -> str:
    return hashlib.sha256(repr((sorted(space.items()), seed)).encode()).hexdigest()[:8]


def _check(budget: Budget) -> None:
    if (budget.trials or 0) < 1 and (budget.minutes or 0) <= 0:
        raise RunError.of("E6337", "the tuning has no budget", expected="`trials` of 1 or more, or `minutes` above 0")
