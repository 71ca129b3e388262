"""Serving (64xx): bundles, requests, limits."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6451",
        "trees-file-unreadable",
        "The file of compiled trees is cut short, damaged, of another format or lacks an array.",
        "Train the model again, or copy the bundle again: `trees.safetensors` is written with it and never edited.",
    ),
    Code(
        "E6452",
        "trees-file-inconsistent",
        "The arrays of a file of compiled trees contradict each other, so that scoring would read outside them.",
        "Train the model again, or copy the bundle again.",
    ),
    Code(
        "E6453",
        "row-does-not-fit-model",
        "A row to score has more or fewer values than the model has features, or a value that is no number.",
        "Pass the values in the order of the model's features; None stands for a missing value.",
        wrong="FRAUD.score((12.5,))",
        right="FRAUD.score((12.5, None, True))",
    ),
    Code(
        "E6454",
        "explanations-not-included",
        "An explanation is asked of a model whose file holds no SHAP values.",
        "Export the model with `shap=True`, and keep its trees at a depth of at most 10.",
    ),
    Code(
        "E6455",
        "onnx-file-unreadable",
        "ONNX Runtime cannot load the model file, or the model is not one table of numbers in and one score a row out.",
        "Train the model again, or copy the bundle again.",
    ),
)
