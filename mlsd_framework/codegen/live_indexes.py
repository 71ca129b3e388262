"""Which indexes take in what changes of their items while they serve, and what of a version that needs."""

from collections.abc import Iterator, Mapping

from mlsd_framework.codegen.item_conditions import condition_columns, table_file
from mlsd_framework.codegen.service_code import Followed
from mlsd_framework.ir.entities import Entity
from mlsd_framework.ir.retrieval import Index
from mlsd_framework.ir.system import System


def live_indexes(system: System, kinds: Mapping[str, object]) -> tuple[Index, ...]:
    """Return the indexes that are kept up to date: where that is owed, those over models that embed new items.

    `kinds` are the kinds of retrievers by name; such a one says `embeds_new = True`.
    """
    if system.requirements.index_freshness is None or not system.serving:
        return ()
    return tuple(one for one in system.indexes if getattr(kinds[one.retriever.kind], "embeds_new", False))


def live_entities(system: System, kinds: Mapping[str, object]) -> Iterator[tuple[Entity, tuple[Index, ...]]]:
    """Yield the entities whose items are kept up to date, each with its indexes."""
    found = live_indexes(system, kinds)
    for entity in system.catalogues:
        own = tuple(one for one in found if one.retriever.interactions.entity == entity.name)
        if own:
            yield entity, own


def followed(system: System, kinds: Mapping[str, object]) -> dict[str, Followed]:
    """Return what the service loads of the entities whose items change while it serves."""
    within = system.requirements.index_freshness
    found = {}
    for entity, indexes in live_entities(system, kinds):
        files = [f"catalogues/{entity.name}.safetensors"]
        conditions = bool(condition_columns(system, entity.name))
        if conditions:
            files.append(table_file(entity.name))
        for one in indexes:
            file = str(getattr(kinds[one.retriever.kind], "file", ""))
            files += [f"models/{one.retriever.name}/{file}", f"indexes/{one.name}/index.json"]
        if within is not None:
            recalls = {one.retriever.name: (one.recall, one.k) for one in indexes}
            found[entity.name] = Followed(tuple(files), recalls, within, conditions)
    return found
