"""The lines of `retrieve` in the service: sources are asked at once, each within its budget, then merged."""

from collections.abc import Callable
from datetime import timedelta

from mlsd_framework.codegen.expressions_polars import dtype_of, to_polars
from mlsd_framework.codegen.item_conditions import table_file
from mlsd_framework.codegen.python import Call, Imports, Item, Mapping, Raw, assigned, emit, given, identifier, literal
from mlsd_framework.codegen.row_code import row_value
from mlsd_framework.codegen.service_code import RUNTIME, SERVING, ServiceCode, pointer
from mlsd_framework.ir.features import FeatureRef
from mlsd_framework.ir.retrieval import ItemCondition
from mlsd_framework.ir.serving import Stage
from mlsd_framework.ir.system import System
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings, Source
from mlsd_framework.plugin.models import ModelKinds

RETRIEVAL = f"{RUNTIME}.retrieval"


def write_retrieve(
    stage: Stage, settings: RetrieveSettings, system: System, kinds: ModelKinds, code: ServiceCode
) -> None:
    """Load the sources, ask them by the history, and merge what they find."""
    code.imports.add(f"{RETRIEVAL}.candidates", "Candidates")
    code.imports.add(f"{RETRIEVAL}.source", "Source")
    code.imports.add(SERVING, "parallel")
    catalogue = code.catalogue(settings.entity)
    held = sources = code.attribute(f"sources of {stage.name}", "sources")
    loaded = Mapping(tuple((one.name, _load(one, system, kinds, code)) for one in settings.sources))
    code.init[held] = _attribute(f"{held}: dict[str, Source]", loaded)
    retrieving = code.attribute(f"threads of {stage.name}", "retrieving")
    asked = tuple(_asked_as(one, _source_stage(stage, one, code), kinds) for one in settings.sources)
    code.init[retrieving] = _attribute(retrieving, Call("parallel.Parallel[Candidates]", (asked,)))
    retrieve = code.own(f"retrieval of {stage.name}", stage.name)
    code.declare(retrieve, f"{retrieve} = {emit(retrieval(settings, code.imports), 0, len(retrieve) + 3)}", stage.span)
    table = _item_table(settings, code)
    if settings.entity in code.module.followed:
        # Taken once: what comes or goes meanwhile is for the next request.
        code.body += ["", f"items = {code.live_items(settings.entity)}.current", f"sources = items.of({held})"]
        catalogue, sources = "items.catalogue", "sources"
    code.listed = catalogue
    _answer_again(settings.entity, code)
    code.body += ["", pointer(stage.span)]
    code.body += assigned("history", _history(settings, catalogue, code), 2)
    told = given_to(settings, table, lambda name: [Raw(code.values[name])], code.imports)
    if told is not None:
        code.body += assigned("given", told, 2)
    passed = ", given" if told is not None else ""
    code.body.append(f"found = {retrieving}.run(call, {retrieve}.asking({sources}, history{passed}))")
    code.candidates = settings.key
    code.default(stage, candidates=f"{retrieve}.merged({sources}, {{}}, history)")
    code.run(stage, [f"candidates = {retrieve}.merged({sources}, found, history)"])
    code.values |= {value.dotted: row_value(value.dotted) for value in stage.writes}
    code.values[settings.key] = f"{catalogue}.keys_of(candidates.items)"


def _asked_as(source: Source, stage: str, kinds: ModelKinds) -> Call:
    """Return how a source is asked: beside the others, but where a thread would cost more than what it does."""
    inline = source.budget is None and getattr(kinds.retrievers[source.retriever.kind], "quick", False)
    return Call("parallel.Source", (source.name, Raw(stage)), given(inline=inline or None))


def _item_table(settings: RetrieveSettings, code: ServiceCode) -> str:
    """Return the source of what is known of the items, which is loaded where conditions read it."""
    if settings.entity in code.module.followed:
        return "items.table"
    if not settings.conditions:
        return ""
    code.imports.add(f"{RETRIEVAL}.item_table", "ItemTable")
    attribute = code.attribute(f"table of {settings.entity}", "item_table")
    path = literal(table_file(settings.entity))
    code.init.setdefault(attribute, f"{attribute} = bundle.loaded(ItemTable.load, {path})")
    return attribute


def _answer_again(entity: str, code: ServiceCode) -> None:
    """Answer the list that was made before, where it is still good; its key is all of the request, and the items."""
    cache = code.endpoint.cache
    if cache is None or code.kept is None:
        return
    code.imports.add(f"{SERVING}.result_cache", "ResultCache", "entry_key")
    named: tuple[tuple[str, Item], ...] = (("ttl", cache.ttl.total_seconds()), ("max_bytes", cache.memory))
    code.init["cache"] = f"self.cache = {emit(Call('ResultCache', (), named))}"
    values = tuple(Raw(f"request.{identifier(one.name)}") for one in code.endpoint.columns)
    if entity in code.module.followed:
        values = (Raw("items.steps"), *values)
    code.body += ["", *assigned("key", Call("entry_key", (Raw("self.version"), *values)), 2)]
    code.body += [f"kept = self.cache.get(key, {code.kept}, call)", "if kept is not None:", "    return kept"]


def retrieval(settings: RetrieveSettings, imports: Imports) -> Call:
    """Return the declaration of a retrieval for the runtime; its imports are added."""
    imports.add(f"{RETRIEVAL}.retrieval", "Ask", "Retrieval")
    asks = tuple((one.name, _ask(one, imports)) for one in settings.sources)
    named = given(standardise=settings.standardise or None, where=_where(settings.where, imports))
    return Call("Retrieval", (Mapping(asks),), (("n", settings.n), *named))


def given_to(settings: RetrieveSettings, table: str, values: Callable[[str], Item], imports: Imports) -> Call | None:
    """Return what the conditions of a retrieval are told, none where there are none; `values` are of all requests."""
    if not settings.conditions:
        return None
    imports.add(f"{RETRIEVAL}.item_table", "Given")
    asked = dict.fromkeys(one.name for condition in settings.conditions for one in condition.asked)
    told = Mapping(tuple((name, values(name)) for name in asked))
    return Call("Given", (Raw(table), *((told,) if asked else ())))


def _ask(one: Source, imports: Imports) -> Call:
    return Call("Ask", (one.n,), given(new=True if one.new else None, where=_where(one.where, imports)))


def _where(one: ItemCondition | None, imports: Imports) -> Call | None:
    if one is None:
        return None
    imports.add(f"{RETRIEVAL}.item_table", "Where")
    imports.add("polars as pl")
    source = to_polars(one.where, lambda column: column.path)
    imports.add_lines(source.imports)
    asked = Mapping(tuple((value.name, Raw(dtype_of(value.type))) for value in one.asked))
    columns = tuple(ref.dotted for ref in one.columns)
    return Call("Where", (Raw(source.text), columns, *((asked,) if asked.entries else ())))


def user_features(settings: RetrieveSettings) -> tuple[FeatureRef, ...]:
    """Return what sources read of who asks, beside the history, each once."""
    refs = {ref.dotted: ref for one in settings.sources for ref in one.retriever.user_features}
    return tuple(refs.values())


def _load(one: Source, system: System, kinds: ModelKinds, code: ServiceCode) -> Item:
    """Return the call that gives a source, which all endpoints share that ask it."""
    followed = code.module.followed.get(one.retriever.interactions.entity)
    if followed is not None and one.retriever.name in followed.recalls:
        return Raw(f"{code.live_items(one.retriever.interactions.entity)}.towers[{literal(one.retriever.name)}]")
    kind = kinds.retrievers[one.retriever.kind]
    module, _, name = kind.source(one.retriever).partition(":")
    code.imports.add(module, name)
    files = [f"models/{one.retriever.name}/{kind.file}"]
    files += [f"indexes/{each.name}/index.json" for each in system.indexes if each.retriever.name == one.retriever.name]
    return Call("bundle.loaded", (Raw(f"{name}.load"), *files))


def _source_stage(stage: Stage, one: Source, code: ServiceCode) -> str:
    """Declare a source as a stage of its own: late or failing, it is left out."""
    name = code.own(f"stage {stage.name}.{one.name}", f"{stage.name}_{one.name}_stage")
    code.imports.add(f"{SERVING}.call", "Stage")
    budget = one.budget / timedelta(seconds=1) if one.budget is not None else None
    declared = Call("Stage", (f"{stage.name}.{one.name}",), (*given(budget=budget), ("on_error", "skip")))
    code.declare(name, f"{name} = {emit(declared)}")
    code.stages.append(name)
    return name


def _attribute(target: str, item: Item) -> str:
    return f"{target} = {emit(item, 2, len(target) + 3)}".replace(f"\n{' ' * 8}", "\n")


def _history(settings: RetrieveSettings, catalogue: str, code: ServiceCode) -> Call:
    at = code.values[settings.moment] if settings.moment is not None else "now()"
    if settings.moment is None:
        code.imports.add(f"{SERVING}.moments", "now")
    known = Mapping(tuple((ref.dotted, Raw(code.value(ref))) for ref in user_features(settings)))
    columns = (known,) if known.entries else ()
    if settings.item is not None:
        return Call(f"{catalogue}.of_one", (Raw(code.values[settings.item]), Raw(at), *columns))
    items, times = (Raw(code.values[str(one)]) for one in (settings.items, settings.times))
    return Call(f"{catalogue}.history", (items, times, Raw(at), *columns))
