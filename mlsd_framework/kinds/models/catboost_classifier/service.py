"""How the service asks a CatBoost classifier: compiled trees, then the calibration."""

from mlsd_framework.codegen.python import identifier
from mlsd_framework.codegen.service_code import SERVING, ServiceCode
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage
from mlsd_framework.kinds.models.catboost_classifier.inputs import inputs


def write_score(model: Model, stage: Stage, code: ServiceCode) -> None:
    """Load the trees and the calibration, and score the row of the model's features."""
    name, row = identifier(model.name), code.name(f"row of the model {model.name}", f"{model.name}_row")
    score = code.name(f"score of the model {model.name}", name)
    trees, calibrated = (
        code.attribute(f"trees of {name}", name),
        code.attribute(f"calibration of {name}", f"{name}_calibration"),
    )
    code.imports.add(SERVING, "calibration")
    code.imports.add(f"{SERVING}.trees", "CompiledTrees")
    code.init[trees] = f'{trees} = CompiledTrees.load(bundle.file("models/{name}/trees.safetensors"))'
    code.init[calibrated] = f'{calibrated} = calibration.read(bundle.file("models/{name}/calibration.json"))'
    code.default(stage, **{score: "None"})
    values = [code.value(ref) for ref in inputs(model)]
    lines = (
        [f"{row} = (", *(f"    {value}," for value in values), ")"] if len(values) > 1 else [f"{row} = ({values[0]},)"]
    )
    code.run(stage, [*lines, f"{score} = {calibrated}({trees}.score({row}))"])
    code.values[name] = score
