"""How the service asks an isolation forest: ONNX, then its rank among the training rows."""

from mlsd_framework.codegen.python import identifier
from mlsd_framework.codegen.service_code import SERVING, ServiceCode
from mlsd_framework.ir.models import Model
from mlsd_framework.ir.serving import Stage


def write_score(model: Model, stage: Stage, code: ServiceCode) -> None:
    """Load the forest and the ranks, and score the row of the model's features."""
    name = identifier(model.name)
    code.imports.add(SERVING, "calibration")
    code.imports.add(f"{SERVING}.onnx", "OnnxModel")
    code.init[name] = f'self.{name} = OnnxModel.load(bundle.file("models/{name}/model.onnx"))'
    code.init[f"{name}_rank"] = f'self.{name}_rank = calibration.read(bundle.file("models/{name}/calibration.json"))'
    row = [f"    {code.value(ref)}," for ref in model.features]
    if stage.on_error != "fail":
        code.default(name)
    lines = [f"{name}_row = (", *row, ")", f"{name} = self.{name}_rank(self.{name}.score({name}_row))"]
    code.run(stage, lines)
