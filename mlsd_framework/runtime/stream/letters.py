"""The dead letters that a source has already: whoever reads payloads again does not write theirs again."""

from mlsd_framework.runtime.features.resp import Reply
from mlsd_framework.runtime.stream.committing import letters_of
from mlsd_framework.runtime.stream.live_store import LiveStore

_AT_ONCE = 1000


class WrittenLetters:
    """Which payloads of a source are among its dead letters, by partition and position."""

    def __init__(self, store: LiveStore, source: str) -> None:
        """Know of none."""
        self._store = store
        self.name = letters_of(source)
        self._after = b"-"
        self._found: set[tuple[bytes, bytes]] = set()

    def read(self) -> None:
        """Learn of those that were written since the last call."""
        while True:
            found = self._store.exchange((b"XRANGE", self.name, self._after, b"+", b"COUNT", b"%d" % _AT_ONCE))[0]
            letters = found if isinstance(found, list) else []
            for letter in letters:
                self._take(letter)
            if len(letters) < _AT_ONCE:
                return

    def has(self, partition: str, position: str) -> bool:
        """Say whether there is a letter of a payload; all of a payload are written together."""
        return (partition.encode(), position.encode()) in self._found

    def _take(self, letter: Reply) -> None:
        match letter:
            case [bytes(at), list(fields)]:
                self._after = b"(" + at
                said = {
                    name: value
                    for name, value in zip(fields[::2], fields[1::2], strict=True)
                    if isinstance(name, bytes) and isinstance(value, bytes)
                }
                self._found.add((said.get(b"partition", b""), said.get(b"position", b"")))
