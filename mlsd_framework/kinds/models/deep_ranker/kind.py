"""Deep rankers for the compiler."""

from typing import Any

from mlsd_framework.codegen.python import Call, Item, Raw, assigned
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import ServiceCode
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import InternalError
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Model, Output
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import FLOAT64, DataType
from mlsd_framework.kinds.models.deep_ranker.inputs import inputs, reads_history
from mlsd_framework.kinds.models.deep_ranker.spec import DeepRankerSpec

SETTINGS = (
    "network", "loss", "embedding", "least", "history", "dropout", "epochs", "patience", "batch", "learning_rate",
    "top",
)  # fmt: skip


class DeepRanker:
    """A neural network that orders candidates."""

    name = "deep.ranker"
    spec = DeepRankerSpec
    supervised = True
    explains = False
    ranks = True

    def accepts(self, type_: DataType) -> bool:
        """Take numbers, booleans and categories, null or not."""
        return type_.numeric or type_.name in ("bool", "category", "string", "duration")

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:  # noqa: ARG002 - the kind's protocol
        """Return the score, called as the model is; it means something among the candidates of one request."""
        return (Output(name, FLOAT64, "score"),)

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the hyperparameters."""
        return (*((name, getattr(spec, name)) for name in SETTINGS), ("layers", tuple(spec.layers)))

    def training(self, model: Model, system: System) -> str:
        """Return the text of `training/<model>.py`."""
        from mlsd_framework.kinds.models.deep_ranker.training import script  # noqa: PLC0415 - only `build` writes it

        return script(model, system)

    def score(self, model: Model, stage: Stage, code: ServiceCode) -> None:  # noqa: ARG002 - the kind's protocol
        """Refuse: a ranker scores candidates, as `score` knows."""
        raise InternalError(Diagnostic(code="E9001", what=f"the ranker `{model.name}` is asked about a request"))

    def rank(self, model: Model, code: RowCode) -> list[str]:
        """Return the lines that score every candidate and order them, the highest first."""
        code.imports.add("mlsd_framework.runtime.rankers.onnx_ranker", "OnnxRanker")
        path = f"models/{model.name}/ranker.onnx"
        ranker = code.loaded(f"network of {model.name}", model.name, "OnnxRanker.load", path)
        columns: tuple[Item, ...] = tuple(Raw(code.value(ref)) for ref in inputs(model))
        if reads_history(model):
            last = f"history.last({model.setting('history')})[candidates.request_of]"
            columns += (Raw("candidates.items"), Raw(last))
        scores = code.name(f"scores of the model {model.name}", f"{model.name}_scores")
        lines = assigned(scores, Call(f"{ranker}.score", (columns, Raw("len(candidates.items)"))), 3)
        scored = Call("candidates.with_columns", (), ((model.name, Raw(scores)),))
        return [*lines, *assigned("candidates", scored, 3), f'candidates = candidates.ordered("{model.name}")']
