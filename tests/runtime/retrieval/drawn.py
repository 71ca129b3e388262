"""Small logs and histories, drawn, and what every source has to hold to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.retrieval.candidates import Candidates
from mlsd_framework.runtime.retrieval.interactions import Histories, Interactions, histories_of
from mlsd_framework.runtime.retrieval.source import Source

DAY = 86_400_000_000
USERS, ITEMS = 6, 8


@st.composite
def logs(draw: st.DrawFn, least: int = 0) -> Interactions:
    """Draw a log of few users and items over forty days, its end at the last of them at the latest."""
    events = draw(
        st.lists(
            st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.integers(0, 160)),
            min_size=least,
            max_size=60,
        )
    )
    rows = sorted(events, key=lambda one: one[2])
    columns = np.array(rows, np.int64).reshape(-1, 3)
    return Interactions(
        columns[:, 0].astype(np.int32), columns[:, 1].astype(np.int32), columns[:, 2] * DAY // 4, USERS, ITEMS
    )


def asked(log: Interactions) -> Histories:
    """Return the histories of all users after the log, the first user's at its middle, and one without an event."""
    end = int(log.times[-1]) + DAY if len(log.times) else DAY
    users = np.append(np.arange(log.user_count), 0)
    at = np.full(len(users), end)
    at[-1] = end // 2
    found = histories_of(log, users, at)
    return Histories(np.append(found.offsets, found.offsets[-1]), found.items, found.times, np.append(found.at, end))


def history(*rows: tuple[int, int], at: int = 40) -> Histories:
    """Return one request with events (item, day)."""
    items = np.array([item for item, _ in rows], np.int32)
    times = np.array([day * DAY for _, day in rows], np.int64)
    return Histories(np.array([0, len(rows)]), items, times, np.array([at * DAY]))


def rows_of(found: Candidates, request: int = 0) -> list[tuple[int, float]]:
    """Return the items of one request with their scores."""
    rows = slice(found.offsets[request], found.offsets[request + 1])
    return list(zip(found.items[rows].tolist(), found.columns["score"][rows].tolist(), strict=True))


def check_batch(source: Source, histories: Histories, n: int, **told: Any) -> None:
    """Assert that many requests get what each gets alone, bit by bit, and candidates the scores they came with."""
    together = source.retrieve(histories, n, **told)
    assert together.requests == histories.requests
    for request in range(histories.requests):
        assert rows_of(together, request) == rows_of(source.retrieve(histories.request(request), n, **told))
        scores = together.columns["score"][together.offsets[request] : together.offsets[request + 1]]
        assert (np.diff(scores) <= 0).all()
        assert len(set(together.of(request).tolist())) == len(together.of(request)) <= n
    np.testing.assert_array_equal(source.score(histories, together), together.columns["score"])


def check_file(source: Source, folder: Path, wrong: str, value: np.ndarray) -> None:
    """Assert that a source comes back from its file, and that a damaged or contradicting file is refused."""
    path = folder / "source.safetensors"
    source.save(path)
    content = path.read_bytes()
    again = type(source).load(path)
    for name in (*source.ARRAYS, *source.SETTINGS):
        np.testing.assert_array_equal(getattr(again, name), getattr(source, name))
    again.save(path)
    assert path.read_bytes() == content
    for damaged in (b"", content[: len(content) // 2], content.replace(b"mlsd-retrieval", b"mlsd-something"), b"\x80"):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="E6471"):
            type(source).load(path)
    path.write_bytes(content)
    arrays = load_file(path)
    header = {"mlsd": _header(content)}
    save_file({**arrays, wrong: value.astype(arrays[wrong].dtype)}, path, metadata=header)
    with pytest.raises(RunError, match="E6472"):
        type(source).load(path)
    del arrays[wrong]
    save_file(arrays, path, metadata=header)
    with pytest.raises(RunError, match="E6471"):
        type(source).load(path)
    with pytest.raises(RunError, match="E6471"):
        type(source).load(folder / "absent")


def _header(content: bytes) -> str:
    size = int.from_bytes(content[:8], "little")
    return str(json.loads(content[8 : 8 + size])["__metadata__"]["mlsd"])
