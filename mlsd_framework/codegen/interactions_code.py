"""Logs of who met which item, as the training scripts read them."""

from mlsd_framework.codegen.python import Call, Imports, Item, Raw, emit, given
from mlsd_framework.codegen.script_names import ScriptNames
from mlsd_framework.codegen.values_code import sources_of
from mlsd_framework.ir.features import FeatureRef, TableGroup, WindowGroup
from mlsd_framework.ir.retrieval import Interactions, Retriever
from mlsd_framework.ir.system import System


def log_of(log: Interactions, events: Item, system: System, *, numbered: bool = False) -> Call:
    """Return the call that makes a log of events; the items are those of `catalogue`.

    `numbered` is whether the events are told apart by numbers, which are those of the source where it has some.
    """
    source = system.source(log.source)
    more = given(written=source.ingest_time, row=source.row_number if numbered else None)
    columns = (("user", log.user), ("item", log.item), ("time", source.event_time))
    return Call("interactions", (events, Raw("catalogue")), (*columns, *more))


def window_groups(retriever: Retriever, system: System) -> list[WindowGroup]:
    """Return the groups of windows that a retriever reads of its users, in the order of the spec."""
    named = {ref.group for ref in retriever.user_features}
    return [one for one in system.windows if one.name in named]


def fitted_on(retriever: Retriever, system: System) -> list[str]:
    """Return the sources whose rows a retriever is fitted on beside the log, in order: none without window groups.

    The first is the source of the log.
    """
    groups = window_groups(retriever, system)
    if not groups:
        return []
    return list(dict.fromkeys([retriever.interactions.source, *sources_of(groups, system)]))


def tables_of(
    refs: tuple[FeatureRef, ...], key: str, keys: str, system: System, names: ScriptNames, imports: Imports
) -> list[Call]:
    """Return a call a group that reads its columns of a table for keys in order; other groups are passed over."""
    found = []
    for group in dict.fromkeys(str(ref.group) for ref in refs):
        if not isinstance(system.group(group), TableGroup):
            continue
        source = system.source(system.group(group).sources[0])
        table = names.table(source)
        imports.add("features", table)
        imports.add("mlsd_framework.runtime.retrieval.tables", "table")
        columns: list[Item] = [ref.name for ref in refs if ref.group == group]
        found.append(Call("table", (Raw(f"load({table})"), key, Raw(keys), columns, group)))
    return found


def users_lines(tables: list[Call]) -> list[str]:
    """Return the lines that make the frame of users: tables side by side, or nothing."""
    if not tables:
        return ["return pl.DataFrame()"]
    made = tables[0] if len(tables) == 1 else Call("pl.concat", (list(tables),), (("how", "horizontal"),))
    return f"return {emit(made, 1, 7)}".replace("\n    ", "\n").split("\n")
