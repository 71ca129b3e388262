"""Replies of the store, in whatever pieces they arrive, against what was sent."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.features.keys import encode_key, encode_parts
from mlsd_framework.runtime.features.resp import Address, Connection

VALUES = st.one_of(
    st.none(),
    st.binary(max_size=4),
    st.sampled_from([b"", b"\r\n", b"$3\r\nabc\r\n", b"$-1\r\n", b"x" * 57, b"y" * 57, b"z" * 70_000]),
    st.integers(-(2**63), 2**63 - 1),
)
REPLIES = st.lists(
    st.one_of(VALUES, st.lists(st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=12)), max_size=4
)


def encoded(reply: Any) -> bytes:
    """Encode a reply as the protocol says."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    return b"*%d\r\n%b" % (len(reply), b"".join(map(encoded, reply)))


class Piecewise(Connection):
    """A connection to which content comes in pieces of some sizes, and then the rest."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._content, self._sizes = content, sizes
        super().__init__(Address(host="far"), timeout=60.0)

    def _connect(self, timeout: float) -> Any:  # noqa: ARG002 - it is connected already
        return self

    def _limit(self, timeout: float) -> None:
        pass

    def recv(self, size: int) -> bytes:
        """Return the next piece."""
        taken = min(size, self._sizes.pop(0) if self._sizes else size)
        piece, self._content = self._content[:taken], self._content[taken:]
        return piece


@given(REPLIES, st.lists(st.integers(1, 40), max_size=30))
def test_replies_are_what_was_sent(replies: list[Any], sizes: list[int]) -> None:
    """Nulls, values that are as long as the one before or look like heads, numbers and arrays, cut anywhere."""
    connection = Piecewise(b"".join(map(encoded, replies)), sizes)
    assert connection.receive(len(replies)) == replies


PARTS = st.one_of(st.integers(-(2**63), 2**63), st.text(max_size=4), st.booleans(), st.none(), st.binary(max_size=4))


@given(st.data(), st.integers(1, 3), st.integers(0, 6))
def test_keys_of_many_rows_are_those_of_each(data: st.DataObject, parts: int, rows: int) -> None:
    """Columns of numbers, one number for all rows, and mixed ones."""
    columns: list[Any] = [
        data.draw(st.one_of(st.lists(of, min_size=rows, max_size=rows), of.map(lambda one: [one] * rows)))
        for of in data.draw(st.lists(st.sampled_from([PARTS, st.integers(0, 99)]), min_size=parts, max_size=parts))
    ]
    assert encode_parts(columns) == [encode_key(key) for key in zip(*columns, strict=True)]
