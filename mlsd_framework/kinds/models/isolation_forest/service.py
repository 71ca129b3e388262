"""How the service asks an isolation forest: ONNX, then its rank among the training rows."""

from mlsd_framework.codegen.python import identifier
from mlsd_framework.codegen.service_code import SERVING, ServiceCode
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage


def write_score(model: Model, stage: Stage, code: ServiceCode) -> None:
    """Load the forest and the ranks, and score the row of the model's features."""
    name, row = identifier(model.name), code.name(f"row of the model {model.name}", f"{model.name}_row")
    score = code.name(f"score of the model {model.name}", name)
    forest, rank = code.attribute(f"forest of {name}", name), code.attribute(f"rank of {name}", f"{name}_rank")
    code.imports.add(SERVING, "calibration")
    code.imports.add(f"{SERVING}.onnx", "OnnxModel")
    code.init[forest] = f'{forest} = OnnxModel.load(bundle.file("models/{name}/model.onnx"))'
    code.init[rank] = f'{rank} = calibration.read(bundle.file("models/{name}/calibration.json"))'
    code.default(stage, **{score: "None"})
    values = [code.value(ref) for ref in model.features]
    lines = (
        [f"{row} = (", *(f"    {value}," for value in values), ")"] if len(values) > 1 else [f"{row} = ({values[0]},)"]
    )
    code.run(stage, [*lines, f"{score} = {rank}({forest}.score({row}))"])
    code.values[name] = score
