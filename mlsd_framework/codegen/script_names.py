"""What sources and groups are called in the training scripts: in `features.py`, and where it is imported."""

from mlsd_framework.codegen.names import Names
from mlsd_framework.ir.features import DerivedGroup, StoredGroup
from mlsd_framework.ir.sources import Source
from mlsd_framework.ir.system import System

_OURS = frozenset(
    {
        "Aggregate", "Checks", "Column", "ColumnGroup", "FINGERPRINT", "PROJECT", "SourceTable", "WORKSPACE",
        "WindowGroup", "Workspace", "FEATURES", "FEEDS", "Feed", "LiveGroup", "LiveSource", "StateLayout",
        "fill_states", "logs", "published", "run", "sys", "argparse", "arguments", "events", "groups", "labels",
        "load", "scan_source", "loaded", "main", "materialise_all", "pl",
        "project", "sql", "store", "table", "timedelta", "write_groups",
        "DerivedGroup", "FeatureColumn", "Reading", "beside", "beside_log", "column_features", "computed",
        "derived_features", "rows", "taken", "window_features_from", "with_columns", "with_computed",
        "with_known_labels", "write_dataset",
        "DataFrame", "Path", "as_of", "column_features_spark", "current_rows_spark", "datetime", "end_of", "known",
        "labelled", "load_spark", "mapped", "materialise_spark", "parse", "parse_stream", "run_stream", "session",
        "spark", "training", "window_features_spark", "write_training",
        "Examples", "Expressions", "Log", "Row", "Stored", "Subject", "at_request", "examples", "prove", "row",
        "subject",
        "Catalogue", "Fold", "HoldOut", "Interactions", "Moment", "Moments", "PARTS", "RETRIEVE", "Retrieval",
        "SAMPLING", "SHOWN", "Sampling", "Shown", "Source", "Impressions", "LOGGED", "LoggedActions", "Pages",
        "artefacts", "asked", "candidates", "catalogue", "examples_of", "first", "fit", "fitted", "folder", "found",
        "histories", "history", "interactions", "items", "log", "logged", "made", "merged", "one", "only", "part",
        "requests", "retrieved", "shown", "sources", "with_features",
        "INDEXED", "IndexedItems", "ItemColumns", "Places", "SPEC",
        "Given", "ItemTable", "ONBOARDING", "Where", "asking", "given", "item_table", "onboarding",
        "LIKES", "NEWCOMERS", "kept", "new", "newcomers",
    }
)  # fmt: skip

_TOWERS = frozenset(
    {
        "TOWERS", "SETTINGS", "asking", "columns", "data", "encoding", "export", "frame", "keys", "learn", "learned",
        "load_best", "model", "newest", "place", "size", "state", "train", "trainer", "users", "validated", "windows",
    }
)  # fmt: skip


class ScriptNames:
    """The names of one system's training scripts."""

    def __init__(self, system: System) -> None:
        """Name everything in the order of the spec, so that every script finds the same names."""
        groups = {one.name for one in system.windows}
        windowed = any(ref.group in groups for one in system.retrievers for ref in one.user_features)
        self._names = Names(_OURS | {one.name for one in system.retrievers} | (_TOWERS if windowed else frozenset()))
        for source in system.sources:
            self.table(source)
            self.frame(source.name)
        for group in system.stored:
            self.group(group)
            self.events(group)
            if isinstance(group, DerivedGroup):
                self.function(group)
        for group in system.windows:
            self.prepared(group)

    def table(self, source: Source) -> str:
        """Return the constant that declares a source: `PAYMENTS`."""
        return self._names.constant(f"table {source.name}", source.name)

    def frame(self, source: str) -> str:
        """Return what the rows of a source are called: `payments`."""
        return self._names.of(f"frame {source}", source)

    def group(self, group: StoredGroup) -> str:
        """Return the constant that declares a group: `CARD_ACTIVITY_GROUP`."""
        return self._names.constant(f"group {group.name}", f"{group.name}_group")

    def prepared(self, group: StoredGroup) -> str:
        """Return the function that makes a group's events of rows that have their label beside them."""
        return self._names.of(f"prepared {group.name}", f"{group.name}_prepared")

    def events(self, group: StoredGroup) -> str:
        """Return the function that gives a group's events: `card_activity_events`."""
        return self._names.of(f"events {group.name}", f"{group.name}_events")

    def function(self, group: DerivedGroup) -> str:
        """Return what the function that computes a group is called: `device_graph_snapshot`."""
        return self._names.of(f"function {group.name}", f"{group.name}_snapshot")
