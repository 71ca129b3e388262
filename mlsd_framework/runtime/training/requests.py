"""Real rows of the test part as requests: examples on the service's page, and payments to try it with."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from mlsd_framework.runtime import atomic
from mlsd_framework.runtime.training import artefacts
from mlsd_framework.runtime.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

FILE = "requests.json"
_ROWS = 40


def write(
    workspace: Workspace, endpoint: str, data: "pl.DataFrame", columns: Sequence[str], label: str | None, *, model: str
) -> None:
    """Add rows of the test part of `model` to the evaluation's requests, as bodies for `endpoint`, in order of time.

    Half of them are positives where there are as many, so that a try shows every action; each says its label.
    """
    predictions = artefacts.read_predictions(workspace.model(model))
    rows = np.sort(_drawn(predictions.parts.test, None if label is None else data[label].to_numpy()))
    labels = [None] * len(rows) if label is None else data[rows][label].to_list()
    _keep(workspace, endpoint, data[rows].select(columns), labels)


def write_asked(workspace: Workspace, endpoint: str, asked: "pl.DataFrame", columns: Mapping[str, str]) -> None:
    """Add some of the measured requests as bodies for `endpoint`; `columns` are those of `asked` by field."""
    rows = np.sort(_drawn(np.arange(asked.height), None))
    bodies = asked[rows].select(**columns)
    _keep(workspace, endpoint, bodies, [None] * len(rows))


def write_items(workspace: Workspace, endpoint: str, items: Sequence[int | str], field: str) -> None:
    """Add some of the items that were met as bodies for `endpoint`, which is asked by an item in `field`.

    `items` are those of events: one that is met often stands there often.
    """
    import polars as pl  # noqa: PLC0415 - heavy

    drawn = np.random.default_rng(0).choice(len(items), min(_ROWS * 10, len(items)), replace=False)
    bodies = pl.DataFrame({field: list(dict.fromkeys(items[place] for place in drawn.tolist()))[:_ROWS]})
    _keep(workspace, endpoint, bodies, [None] * bodies.height)


def _keep(workspace: Workspace, endpoint: str, bodies: "pl.DataFrame", labels: Sequence[object]) -> None:
    path = workspace.evaluation / FILE
    kept = json.loads(path.read_text()) if path.is_file() else {}
    kept[endpoint] = [
        {"label": truth, "request": {name: _wire(value) for name, value in body.items() if value is not None}}
        for body, truth in zip(bodies.to_dicts(), labels, strict=True)
    ]
    atomic.write_text(path, json.dumps(kept, indent=1) + "\n")


def _drawn(
    test: "np.ndarray[tuple[int], np.dtype[np.int64]]", label: "np.ndarray[tuple[int], np.dtype[np.generic]] | None"
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    draw = np.random.default_rng(0)
    if label is None:
        return draw.choice(test, min(_ROWS, len(test)), replace=False)
    positive, negative = test[label[test] == 1], test[label[test] != 1]
    some = draw.choice(positive, min(_ROWS // 2, len(positive)), replace=False)
    rest = draw.choice(negative, min(_ROWS - len(some), len(negative)), replace=False)
    return np.concatenate([some, rest])


def _wire(value: object) -> object:
    """Return a value as a request writes it: moments in ISO 8601 with their zone."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime | date) else value
