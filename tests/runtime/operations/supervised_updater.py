"""A script that keeps the contract of a generated `updater.py` or `indexer.py` and does nothing but say who it is.

Files beside it say what else it does: `refuse` makes it end before it is ready, `deaf` makes it ignore SIGTERM.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Read the contract's arguments, say that it is ready, and wait for SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("--store", "--replica", "--metrics", "--bundle", "--changes"):
        parser.add_argument(name)
    parser.add_argument("--ready-fd", type=int)
    given = parser.parse_args()
    facts = {
        "event": "updating",
        "replica": given.replica,
        "store": os.environ[given.store.removeprefix("@")],
        "bundle": given.bundle,
        "changes": given.changes,
        "project": os.environ.get("MLSD_PROJECT", ""),
        "token": os.environ.get("MLSD_TOKEN", ""),
    }
    print(json.dumps(facts), file=sys.stderr, flush=True)
    if (HERE / "refuse").exists():
        print("error[E6601]: no stream", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, signal.SIG_IGN if (HERE / "deaf").exists() else lambda *_: sys.exit(0))
    os.write(given.ready_fd, b'{"metrics_port": 4711}\n')
    os.close(given.ready_fd)
    while True:
        signal.pause()


if __name__ == "__main__":
    raise SystemExit(main())
