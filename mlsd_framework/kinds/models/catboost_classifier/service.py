"""How the service asks a CatBoost classifier: compiled trees, then the calibration."""

from mlsd_framework.codegen.python import identifier
from mlsd_framework.codegen.service_code import SERVING, ServiceCode
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage
from mlsd_framework.kinds.models.catboost_classifier.inputs import inputs


def write_score(model: Model, stage: Stage, code: ServiceCode) -> None:
    """Load the trees and the calibration, and score the row of the model's features."""
    name = identifier(model.name)
    code.imports.add(SERVING, "calibration")
    code.imports.add(f"{SERVING}.trees", "CompiledTrees")
    code.init[name] = f'self.{name} = CompiledTrees.load(bundle.file("models/{name}/trees.safetensors"))'
    code.init[f"{name}_calibration"] = (
        f'self.{name}_calibration = calibration.read(bundle.file("models/{name}/calibration.json"))'
    )
    row = [f"    {code.value(ref)}," for ref in inputs(model)]
    if stage.on_error != "fail":
        code.default(name)
    lines = [f"{name}_row = (", *row, ")", f"{name} = self.{name}_calibration(self.{name}.score({name}_row))"]
    code.run(stage, lines)
