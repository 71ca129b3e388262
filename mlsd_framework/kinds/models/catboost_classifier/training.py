"""The training script of a CatBoost classifier."""

from dataclasses import dataclass

from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, emit, literal
from mlsd_framework.codegen.service_code import pointer, printable
from mlsd_framework.codegen.splits import split_columns, split_lines
from mlsd_framework.codegen.templates import render
from mlsd_framework.ir.models import Model, TimeSplit, Tuning
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.models.catboost_classifier import inputs

TRAINING = "mlsd_framework.runtime.training"
_ONE_HOT = 255


@dataclass(frozen=True, slots=True)
class Script:
    """The context of `training/catboost_classifier.py.j2`."""

    model: str
    system: str
    spec: str
    imports: str
    numbers: str
    categories: str
    model_place: str
    split_place: str
    parameters: str
    tuning: str
    columns: str
    label: str
    split: list[str]
    may_be_empty: str
    pools: list[str]
    weights: list[str]
    fitting: list[str]
    calibration: list[str]
    refit: list[str]
    seen: str
    chosen: str


def script(model: Model, system: System) -> str:
    """Return the text of `training/<model>.py`."""
    imports = Imports()
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("polars as pl")
    imports.add("catboost", "CatBoostClassifier", "Pool")
    imports.add(TRAINING, "artefacts", "calibration", "catboost_file", "splits", "trees")
    imports.add("mlsd_framework.runtime.workspace", "Workspace", "project")
    numbers: list[Item] = [ref.dotted for ref in inputs.numbers(model)]
    categories: list[Item] = [ref.dotted for ref in inputs.categories(model)]
    label = model.label or ""
    columns = Raw(
        f"[*FEATURES, {', '.join(literal(name) for name in dict.fromkeys([*split_columns(model, system), label]))}]"
    )
    split = split_lines(model, system, imports)
    context = Script(
        model=model.name,
        system=system.name,
        spec=printable(system.path),
        imports="",
        numbers=f"NUMBERS = {emit(numbers, 0, 10)}" if numbers else "NUMBERS: list[str] = []",
        categories=f"CATEGORIES = {emit(categories, 0, 13)}" if categories else "CATEGORIES: list[str] = []",
        model_place=pointer(model.span),
        split_place=pointer(model.span),
        parameters=f"PARAMETERS = {_parameters(model, bool(categories))}",
        tuning=_space(model.tuning, imports) if model.tuning else "",
        columns=emit(columns),
        label=literal(label),
        split=split,
        may_be_empty=', may_be_empty=frozenset({"validate"})' if _no_validation(model) else "",
        pools=_pools(model, imports),
        weights=_weights(model, imports),
        fitting=_fitting(model, system, imports),
        calibration=_calibration(model),
        refit=_refit(model, imports),
        seen="both" if model.setting("refit") else "parts.train",
        chosen="{**PARAMETERS, **best.parameters}" if model.tuning is not None else "PARAMETERS",
    )
    return render("training/catboost_classifier.py.j2", _with_imports(context, imports))


def _with_imports(context: Script, imports: Imports) -> Script:
    from dataclasses import replace  # noqa: PLC0415 - used here alone

    return replace(context, imports="\n".join(imports.lines()))


def _no_validation(model: Model) -> bool:
    split = model.split
    return isinstance(split, TimeSplit) and not isinstance(split.validate, float) and not split.validate


def _parameters(model: Model, categories: bool) -> str:  # noqa: FBT001 - one fact about the features
    kept: list[tuple[Item, Item]] = []
    names = {"loss": "loss_function", "early_stopping": "early_stopping_rounds"}
    for name, value in model.settings:
        if value is not None and name not in ("eval_metric", "refit") and not isinstance(value, tuple):
            kept.append((names.get(name, name), value))
    metric = str(model.setting("eval_metric"))
    # CatBoost takes `use_weights` only where there are weights.
    unweighted = ":use_weights=false" if metric == "PRAUC" and model.imbalance.class_weights is not None else ""
    kept.append(("eval_metric", metric + unweighted))
    if categories:
        kept.append(("one_hot_max_size", _ONE_HOT))
    # A seed and a fixed number of threads: the same data gives the same file.
    kept += [("random_seed", model.seed), ("thread_count", 2), ("allow_writing_files", False), ("verbose", 0)]
    rows = "".join(f"    {literal(key)}: {emit(value)},\n" for key, value in kept if isinstance(key, str))
    return "{\n" + rows + "}"


def _space(tuning: Tuning, imports: Imports) -> str:
    imports.add(TRAINING, "tuning")
    space = Mapping(
        (
            ("depth", Call("tuning.Int", (4, 8))),
            ("learning_rate", Call("tuning.Float", (0.02, 0.2), (("log", True),))),
            ("l2_leaf_reg", Call("tuning.Float", (1.0, 20.0), (("log", True),))),
            ("random_strength", Call("tuning.Float", (0.1, 4.0), (("log", True),))),
        )
    )
    minutes = (("minutes", tuning.timeout.total_seconds() / 60),) if tuning.timeout is not None else ()
    budget = Call("tuning.Budget", (), (("trials", tuning.trials), *minutes))
    return f"SPACE: tuning.Space = {emit(space, 0, 23)}\nBUDGET = {emit(budget)}"


def _pools(model: Model, imports: Imports) -> list[str]:
    """Return the lines that make `pools`; sampling touches what is learned from, not the parts that are measured."""
    rows = "sampled" if model.imbalance.sampling in ("under", "over") else "parts"
    pools = f"{{name: Pool(frame[rows], label[rows], cat_features=CATEGORIES) for name, rows in {rows} if len(rows)}}"
    lines = [*_sampled(model, "parts", imports), f"pools = {pools}"]
    if model.imbalance.sampling == "smote":
        lines = [f"pools = {pools}", *_sampled(model, "parts", imports), f'pools["train"] = {_EXAMPLES}']
    return lines


_EXAMPLES = "Pool(examples.features, examples.label, feature_names=NUMBERS)"


def _sampled(model: Model, parts: str, imports: Imports) -> list[str]:
    """Return the lines that leave the sampled rows of the training part of `parts` in `sampled`, or in `examples`."""
    kind = model.imbalance.sampling
    if kind is None:
        return []
    imports.add(TRAINING, "imbalance")
    named: tuple[tuple[str, Item], ...] = (("ratio", model.imbalance.ratio), ("seed", model.seed))
    if kind in ("under", "over"):
        call = Call(f"imbalance.{kind}_sample", (Raw(parts), Raw("label")), named)
        return f"sampled = {emit(call, 1, 10)}".split("\n")
    names: tuple[tuple[str, Item], ...] = (("names", Raw("tuple(NUMBERS)")), ("categories", Raw("tuple(CATEGORIES)")))
    matrix = Raw("frame.select(NUMBERS).to_numpy()")
    call = Call("imbalance.smote", (Raw(parts), matrix, Raw("label")), (*names, *named))
    return f"examples = {emit(call, 1, 11)}".replace("\n    ", "\n").split("\n")


def _weights(model: Model, imports: Imports) -> list[str]:
    weights = model.imbalance.class_weights
    if weights is None:
        return []
    imports.add(TRAINING, "imbalance")
    # A class is a number and not text of the spec.
    kind = (
        emit(Mapping(tuple((int(key), value) for key, value in weights)))
        if isinstance(weights, tuple)
        else literal(weights)
    )
    rows = "sampled" if model.imbalance.sampling in ("under", "over") else "parts"
    return [f"weights = imbalance.class_weights({rows}, label, {kind})"]


def _fitting(model: Model, system: System, imports: Imports) -> list[str]:  # noqa: ARG001 - the same facts for every part
    weights = ", class_weights=weights" if model.imbalance.class_weights is not None else ""
    watched = ', eval_set=pools["validate"]' if not _no_validation(model) else ""
    if model.tuning is None:
        return ["", f"model = CatBoostClassifier(**PARAMETERS{weights})", f'model.fit(pools["train"]{watched})']
    metric = model.tuning.metric
    imports.add(f"{TRAINING}.metrics.registry", "evaluate", "find")
    imports.add(f"{TRAINING}.metrics.scored", "Scored")
    imports.add("collections.abc", "Mapping")
    return [
        "",
        "def fit(parameters: Mapping[str, tuning.Setting]) -> CatBoostClassifier:",
        f"    model = CatBoostClassifier(**{{**PARAMETERS, **parameters}}{weights})",
        f'    return model.fit(pools["train"]{watched})',
        "",
        "def objective(parameters: Mapping[str, tuning.Setting]) -> float:",
        '    found = fit(parameters).predict_proba(pools["validate"])[:, 1]',
        '    rows = Scored(label[parts.validate].astype("float64"), found, probability=found)',
        f"    return evaluate([{literal(metric)}], rows)[0].value",
        "",
        "best = tuning.tune(",
        "    objective,",
        "    SPACE,",
        '    storage=folder / "tuning.db",',
        f"    study={literal(model.name)},",
        "    budget=BUDGET,",
        f"    maximise=find({literal(metric)})[0].higher_is_better,",
        f"    seed={model.tuning.seed},",
        ")",
        "model = fit(best.parameters)",
    ]


def _calibration(model: Model) -> list[str]:
    method = literal(model.calibration or "none")
    return [f"calibrated = calibration.fit({method}, score[parts.validate], label[parts.validate])"]


def _refit(model: Model, imports: Imports) -> list[str]:
    """Return the lines that fit once more, to the validation part too; the test part stays unseen."""
    if not model.setting("refit"):
        return []
    imports.add("numpy as np")
    weights = ", class_weights=weights" if model.imbalance.class_weights is not None else ""
    chosen = "{**PARAMETERS, **best.parameters, " if model.tuning is not None else "{**PARAMETERS, "
    kind = model.imbalance.sampling
    learned = ["model.fit(Pool(frame[both], label[both], cat_features=CATEGORIES))"]
    if kind is not None:
        whole = ["whole = splits.Parts(both, parts.validate, parts.test)", *_sampled(model, "whole", imports)]
        rows = "Pool(frame[sampled.train], label[sampled.train], cat_features=CATEGORIES)"
        learned = [*whole, f"model.fit({_EXAMPLES if kind == 'smote' else rows})"]
    return [
        "",
        "# The served model learns from the validation part too; the test part stays unseen.",
        "both = np.concatenate([parts.train, parts.validate])",
        f'model = CatBoostClassifier(**{chosen}"iterations": model.tree_count_}}{weights})',
        *learned,
        "score[parts.test] = model.predict_proba(Pool(frame[parts.test], cat_features=CATEGORIES))[:, 1]",
    ]
