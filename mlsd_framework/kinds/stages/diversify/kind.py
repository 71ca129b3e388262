"""`diversify` for the compiler: vectors of items and a score in, another order out."""

from dataclasses import dataclass
from typing import Any

from mlsd_framework.codegen.python import Call, Item, Raw, assigned, given
from mlsd_framework.codegen.row_code import RowCode
from mlsd_framework.codegen.service_code import RUNTIME, ServiceCode
from mlsd_framework.ir.retrieval import Retriever
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.diversify.spec import DiversifySpec
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.kinds.stages.row_names import Score, score
from mlsd_framework.lower.kinds import StageDraft
from mlsd_framework.lower.scope import StageScope
from mlsd_framework.plugin.models import ModelKinds


@dataclass(frozen=True, slots=True)
class DiversifySettings:
    """Whose vectors tell likeness, what weighs how much, and how many are chosen."""

    on: Retriever
    balance: float
    top: int
    score: Score


class Diversify:
    """Choose the first candidates to be relevant and unlike each other."""

    name = "diversify"
    spec = DiversifySpec

    def lower(self, spec: Any, scope: StageScope) -> StageDraft | None:
        """Find the model and the score."""
        if not scope.retrieves("diversify"):
            return None
        on, by = _with_vectors(spec.on, scope), score(spec.score, "diversify", scope)
        if on is None or by is None:
            return None
        return StageDraft((by.value,), (), DiversifySettings(on, spec.balance, spec.top, by))

    def code(self, stage: Stage, system: System, kinds: ModelKinds, code: ServiceCode) -> None:
        """Write the lines."""
        code.run(stage, self.rows(stage, system, kinds, code))

    def rows(self, stage: Stage, system: System, kinds: ModelKinds, code: RowCode) -> list[str]:  # noqa: ARG002 - the extension point's signature
        """Return the lines; the vectors are made once."""
        settings = stage.settings
        if not isinstance(settings, DiversifySettings):
            return []
        code.imports.add(f"{RUNTIME}.reranking.mmr", "diversified", "units_of")
        retriever, name = kinds.retrievers[settings.on.kind], settings.on.name
        module, _, kind = retriever.source(settings.on).partition(":")
        code.imports.add(module, kind)
        file = code.file(f"models/{name}/{retriever.file}")
        items = f"len({code.catalogue(settings.on.interactions.entity)})"
        vectors = Call("units_of", (Raw(f"{kind}.load({file}).item_vectors({items})"),))
        units = code.once(f"units of {name}", f"{name}_units", vectors)
        named: tuple[tuple[str, Item], ...] = (("score", settings.score.value.name), ("scaled", True))
        later = code.later(settings.on.interactions.entity, name)
        named += given(later=Raw(later) if later is not None else None)
        asked = (Raw("candidates"), Raw(units), settings.top, settings.balance)
        return assigned("candidates", Call("diversified", asked, named), code.depth)


def _with_vectors(name: str, scope: StageScope) -> Retriever | None:
    """Return the model whose items have vectors; report one that is not there, has none, or is of other items."""
    at = ("diversify", "on")
    found = scope.retrievers.get(name)
    if found is None and name not in scope.models:
        return scope.retriever(name, *at)
    entity = next(one.settings.entity for one in scope.before if isinstance(one.settings, RetrieveSettings))
    what = None
    if found is None or not found.has_vectors:
        what = f"`diversify` tells likeness by `models.{name}`, which has no vectors of items"
    elif found.interactions.entity != entity:
        what = f"`diversify` tells likeness by `models.{name}`, whose items are not the candidates"
    if what is None:
        return found
    names = [one.name for one in scope.retrievers.values() if one.has_vectors and one.interactions.entity == entity]
    expected = f"one of: {', '.join(names)}" if names else "a model such as `{kind: als, from: …}`"
    scope.context.report("E2063", what, (*scope.at, *at), expected=expected)
    return None
