"""Scoring (635x, 645x): exporting and asking compiled models."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6351",
        "category-statistics-not-compilable",
        "CatBoost replaced a category feature by statistics of the label, which only CatBoost itself can compute when scoring.",
        "Set `one_hot_max_size` to at least the number of categories of the feature, group rare categories, or serve with CatBoost itself.",
        wrong="CatBoostClassifier(one_hot_max_size=2)",
        right="CatBoostClassifier(one_hot_max_size=64)",
    ),
    Code(
        "E6352",
        "model-not-compilable",
        "The model is no forest of oblivious trees on numbers and categories.",
        "Leave `grow_policy` at `SymmetricTree`, and leave text and embedding features out.",
        wrong="CatBoostClassifier(grow_policy='Lossguide')",
        right="CatBoostClassifier()",
    ),
    Code(
        "E6353",
        "categories-not-listed",
        "The trees ask about a category that is not in the list given to the export, which knows categories by their text only.",
        "Pass every category of the training part, and the text that stands for null.",
    ),
    Code(
        "E6354",
        "compiled-trees-differ",
        "The compiled trees and CatBoost give different scores for the probing rows, so the file is not written.",
        "Serve the model with CatBoost itself and report it: the two packages disagree about a model.",
    ),
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
        "A row to score has another number of values than the model has features, or a value that is no number where one is asked for.",
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
