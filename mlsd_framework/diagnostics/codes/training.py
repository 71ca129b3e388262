"""Training (63xx): splits, models, metrics, gates, reports."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6351",
        "category-statistics-not-compilable",
        "CatBoost replaced a category feature by statistics of the label, which only CatBoost itself can compute.",
        "Set `one_hot_max_size` to at least the feature's number of categories, group rare ones, or serve CatBoost.",
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
        "The trees ask about a category that is not in the list given to the export, which knows them by text only.",
        "Pass every category of the training part, and the text that stands for null.",
    ),
    Code(
        "E6354",
        "compiled-trees-differ",
        "The compiled trees and CatBoost give different scores for the probing rows, so the file is not written.",
        "Serve the model with CatBoost itself and report it: the two packages disagree about a model.",
    ),
)
