"""The steps that bring a system to what its spec says, in order; explainer and evaluator visit the same ones."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

Effect = Literal["nothing", "reload", "re-threshold", "re-index", "re-materialise", "retrain", "breaking"]
EFFECTS: tuple[Effect, ...] = ("nothing", "reload", "re-threshold", "re-index", "re-materialise", "retrain", "breaking")
"""From the lightest to the heaviest."""

Parts = tuple[tuple[str, str], ...]
"""What a stage depends on: the place in the spec, and its value or its fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """`parts` are pieces of the spec, `after` the stages whose fingerprints count for this one too.

    `data` names the sources whose local files count. `outputs` are files and folders below the project that nobody
    else writes; `present` are those that others write too, and that only have to be there.
    """

    parts: Parts
    after: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch(_Step):
    """Bring a published file to the workspace."""

    kind: ClassVar[str] = "fetch"
    effect: ClassVar[Effect] = "re-materialise"
    source: str
    uri: str
    sha256: str | None
    licence: str | None
    folder: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return f"fetch {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulate(_Step):
    """Let a seeded process make its tables."""

    kind: ClassVar[str] = "simulate"
    effect: ClassVar[Effect] = "re-materialise"
    process: str
    function: str
    settings: tuple[tuple[str, str | int | float | bool | None], ...]
    folder: str

    @property
    def name(self) -> str:
        """Return the stage's name; two processes with different settings are two stages."""
        return f"simulate {self.folder.rsplit('/', 1)[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build(_Step):
    """Write the generated files that differ; `files` are their SHA-256, `parts` the same without pointers."""

    kind: ClassVar[str] = "build"
    effect: ClassVar[Effect] = "nothing"
    folder: str
    files: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue(_Step):
    """Put the items that can be recommended in the order that the models share."""

    kind: ClassVar[str] = "catalogue"
    effect: ClassVar[Effect] = "re-index"
    script: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(_Step):
    """Make the training set."""

    kind: ClassVar[str] = "dataset"
    effect: ClassVar[Effect] = "re-materialise"
    script: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(_Step):
    """Fit one model."""

    kind: ClassVar[str] = "train"
    effect: ClassVar[Effect] = "retrain"
    model: str
    script: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return f"train {self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildIndex(_Step):
    """Build an index over a model's vectors."""

    kind: ClassVar[str] = "index"
    effect: ClassVar[Effect] = "re-index"
    index: str
    script: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return f"index {self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate(_Step):
    """Find thresholds, measure, hold the gates, and make the bundle."""

    kind: ClassVar[str] = "evaluate"
    effect: ClassVar[Effect] = "re-threshold"
    script: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialise(_Step):
    """Compute the stored feature groups and publish them to the online store."""

    kind: ClassVar[str] = "materialise"
    effect: ClassVar[Effect] = "re-materialise"
    script: str
    groups: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "materialise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(_Step):
    """Prove that features have one value everywhere and that nothing leaks.

    `until` is the last day (ISO) on which the system is deployed though the proof fails, for `reason`.
    """

    kind: ClassVar[str] = "verify"
    effect: ClassVar[Effect] = "nothing"
    script: str
    until: str | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve(_Step):
    """Start the service, or replace what runs without a failed request."""

    kind: ClassVar[str] = "serve"
    effect: ClassVar[Effect] = "reload"
    folder: str

    @property
    def name(self) -> str:
        """Return the stage's name."""
        return "serve"


Stage = Fetch | Simulate | Build | Catalogue | Dataset | Train | BuildIndex | Evaluate | Materialise | Verify | Serve
KINDS: dict[str, type[Stage]] = {
    one.kind: one
    for one in (Fetch, Simulate, Build, Catalogue, Dataset, Train, BuildIndex, Evaluate, Materialise, Verify, Serve)
}
ORDER = tuple(KINDS)


def to_data(stage: Stage) -> dict[str, object]:
    """Return a stage as values that JSON has."""
    return {"kind": stage.kind, **asdict(stage)}


def from_data(data: dict[str, Any]) -> Stage:
    """Return the stage that `to_data` gave; raise `KeyError` or `TypeError` where it is none."""
    fields = {key: _frozen(value) for key, value in data.items() if key != "kind"}
    return KINDS[data["kind"]](**fields)


def _frozen(value: Any) -> Any:  # noqa: ANN401 - JSON
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value
