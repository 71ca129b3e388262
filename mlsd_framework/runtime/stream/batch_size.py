"""How many payloads to ask for at once: few while they come slowly, many while there is a backlog."""

from dataclasses import dataclass


@dataclass(slots=True)
class BatchSize:
    """Bounds a micro-batch: it doubles while polls come back full and shrinks where one takes longer than `target`.

    A batch is what has come meanwhile, so a low rate gives small batches by itself; the bound keeps the time from an
    event to its state short while the updater catches up, and readers of the store from waiting for a transaction.
    """

    least: int = 64
    most: int = 4096
    target: float = 0.1
    limit: int = 512

    def observe(self, payloads: int, seconds: float) -> None:
        """Learn how long the last batch took."""
        if seconds > self.target:
            self.limit = max(self.least, int(self.limit * max(self.target / seconds, 0.25)))
        elif payloads >= self.limit and seconds < self.target / 2:
            self.limit = min(self.most, self.limit * 2)

    def fresh(self) -> "BatchSize":
        """Return one with the same bounds."""
        return BatchSize(self.least, self.most, self.target, min(max(512, self.least), self.most))
