"""The loops over packed rows: checksums are zlib's, contents are numbered as a dict would."""

from zlib import crc32

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.features.packed_kernel import STEPS, checked_parts, distinct_contents

ROWS = st.lists(st.binary(min_size=12, max_size=60), max_size=8)
CONTENTS = st.lists(st.binary(max_size=3) | st.sampled_from([b"", b"aa", b"aaa"]), max_size=20)


def cut(contents: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return contents as one array, and where each begins; the last entry is where all end."""
    ends = np.cumsum([0, *map(len, contents)])
    return np.frombuffer(b"".join(contents), np.uint8), ends.astype(np.int64)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, body=st.integers(0, 12), seed=st.integers(0, 2**32 - 1))
def test_checksums_are_those_of_zlib(rows: list[bytes], body: int, seed: int) -> None:
    """Of any length behind any beginning; the first bytes of each row are copied."""
    data, starts = cut(rows)
    parts, sums = np.empty((len(rows), 12), np.uint8), np.empty(len(rows), np.uint32)
    checked_parts(data, starts, body, seed, STEPS, parts, sums)
    assert sums.tolist() == [crc32(row[body:], seed) for row in rows]
    assert [part.tobytes() for part in parts] == [row[:12] for row in rows]


@settings(max_examples=200, deadline=None)
@given(contents=CONTENTS)
def test_equal_contents_have_one_number(contents: list[bytes]) -> None:
    """Numbers go in the order in which contents are first seen."""
    data, ends = cut(contents)
    codes, firsts = np.empty(len(contents), np.int64), np.empty(len(contents), np.int64)
    found = distinct_contents(data, ends[:-1], ends[1:], codes, firsts)
    numbers = {content: number for number, content in enumerate(dict.fromkeys(contents))}
    assert codes.tolist() == [numbers[one] for one in contents]
    assert [contents[row] for row in firsts[:found]] == list(numbers)
