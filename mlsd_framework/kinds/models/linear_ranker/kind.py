"""Linear rankers for the compiler."""

from typing import Any

from mlsd_framework.codegen.python import Call, Raw, assigned
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.errors import InternalError
from mlsd_framework.ir.label import Label
from mlsd_framework.ir.models import Model, Output
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.settings import SettingValue
from mlsd_framework.ir.system import System
from mlsd_framework.ir.types import FLOAT64, DataType
from mlsd_framework.kinds.models.linear_ranker.spec import LinearRankerSpec


class LinearRanker:
    """Weights of numbers that order candidates."""

    name = "linear.ranker"
    spec = LinearRankerSpec
    supervised = True
    explains = False
    ranks = True

    def accepts(self, type_: DataType) -> bool:
        """Take numbers and booleans, null or not."""
        return type_.numeric or type_.name == "bool"

    def outputs(self, name: str, label: Label | None) -> tuple[Output, ...]:  # noqa: ARG002 - the kind's protocol
        """Return the score, called as the model is; it means something among the candidates of one request."""
        return (Output(name, FLOAT64, "score"),)

    def settings(self, spec: Any) -> tuple[tuple[str, SettingValue], ...]:
        """Return the hyperparameters."""
        return (("l2", tuple(spec.l2)), ("by", tuple(spec.by)), ("top", spec.top))

    def training(self, model: Model, system: System) -> str:
        """Return the text of `training/<model>.py`."""
        from mlsd_framework.kinds.models.linear_ranker.training import script  # noqa: PLC0415 - only `build` writes it

        return script(model, system)

    def score(self, model: Model, stage: Stage, code: ServiceCode) -> None:  # noqa: ARG002 - the kind's protocol
        """Refuse: a ranker scores candidates, as `score` knows."""
        raise InternalError(Diagnostic(code="E9001", what=f"the ranker `{model.name}` is asked about a request"))

    def rank(self, model: Model, code: RowCode) -> list[str]:
        """Return the lines that score every candidate and order them, the highest first."""
        code.imports.add(f"{RUNTIME}.rankers.linear", "LinearRanker")
        path = f"models/{model.name}/weights.safetensors"
        weights = code.loaded(f"weights of {model.name}", model.name, "LinearRanker.load", path)
        values = tuple(Raw(code.value(ref)) for ref in model.features)
        said = code.name(f"scores of the model {model.name}", f"{model.name}_scores")
        lines = assigned(said, Call(f"{weights}.score", (values, Raw("len(candidates.items)"))), code.depth)
        scored = Call("candidates.with_columns", (), ((model.name, Raw(said)),))
        return [*lines, *assigned("candidates", scored, code.depth), f'candidates = candidates.ordered("{model.name}")']
