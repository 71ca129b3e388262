"""A supervised model has a label that it can learn; classifiers learn two classes."""

from collections.abc import Iterator

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.ir.system import System

_CLASSES = ("bool", "int8", "int16", "int32", "int64")


def supervised(system: System) -> Iterator[Diagnostic]:
    """Find classifiers whose label is no class, and systems whose models or sources of candidates have no examples.

    A classifier with `label: amount` of type `float64` → E2109.
    """
    for model in system.models:
        if model.label is not None and system.label is not None:
            gives_probability = any(output.role == "probability" for output in model.outputs)
            if gives_probability and system.label.type.name not in _CLASSES:
                what = f"`models.{model.name}` predicts a probability, and its label is of type `{system.label.type}`"
                yield Diagnostic(
                    code="E2109",
                    what=what,
                    span=model.span,
                    expected="a label of type `bool`, or whole numbers 0 and 1",
                )
        if model.features and system.label is None and system.outcome is None:
            what = f"`models.{model.name}` has no examples: nothing says which rows they are"
            yield Diagnostic(code="E2109", what=what, span=model.span, expected="a section `label`")
    if system.retrievers and system.outcome is None:
        one = system.retrievers[0]
        what = f"`models.{one.name}` finds candidates, and nothing says what is to come of them: none can be measured"
        expected = "`label: {name: …, of: /endpoint, from: events, within: 7d}`, of the endpoint that retrieves"
        yield Diagnostic(code="E2109", what=what, span=one.span, expected=expected)
