"""Run as a script: fills states from the first payments of a log, and is killed by itself after so many batches.

The arguments are the store's folder, the payments of the log, the batches.
"""

import os
import signal
import sys
from pathlib import Path

from mlsd_framework.runtime.stream import handover
from tests.runtime.stream.overlapping import filled, sent
from tests.runtime.stream.store_process import StoreProcess


def main() -> None:
    """Fill, and die."""
    folder, payments, batches = sys.argv[1:]
    left = int(batches)
    add = handover.Handover._add

    def counted(self: handover.Handover, chunks: list[handover.Chunk]) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        add(self, chunks)

    handover._PAYLOADS = 100
    handover.Handover._add = counted
    filled(StoreProcess(Path(folder)), [sent(number) for number in range(int(payments))])


if __name__ == "__main__":
    main()
