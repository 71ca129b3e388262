"""Lines of several threads all come, each whole and once."""

import json
import threading
from pathlib import Path

from mlsd_framework.runtime.serving.logs import Log


def test_every_thread_may_log(tmp_path: Path) -> None:
    """While others flush nothing is lost and nothing written twice."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        log = Log("3", file.fileno())
        over = threading.Event()

        def tell(thread: int) -> None:
            for number in range(500):
                log.event("told", thread=thread, number=number)

        def flush() -> None:
            while not over.is_set():
                log.flush()

        flushing = threading.Thread(target=flush)
        flushing.start()
        telling = [threading.Thread(target=tell, args=(thread,)) for thread in range(4)]
        for one in telling:
            one.start()
        for one in telling:
            one.join()
        over.set()
        flushing.join()
        log.close(10)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = sorted((one["thread"], one["number"]) for one in lines if one["event"] == "told")
    dropped = sum(one["lines"] for one in lines if one["event"] == "log_dropped")
    assert len(told) == len(set(told)) == 2000 - dropped
