"""Every code a diagnostic can have, one file a range; `mlsd explain CODE` prints its page."""

from mlsd_framework.diagnostics.codes import (
    data,
    features,
    operations,
    plan,
    planning,
    plugin,
    references,
    scoring,
    serving,
    shape,
    stream,
    target,
    training,
)
from mlsd_framework.diagnostics.codes.code import Code

CODES: dict[str, Code] = {
    entry.code: entry
    for part in (
        shape,
        references,
        target,
        plugin,
        plan,
        planning,
        data,
        features,
        training,
        scoring,
        serving,
        operations,
        stream,
    )
    for entry in part.CODES
}
