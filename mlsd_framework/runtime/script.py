"""Runs a generated script as `python SCRIPT` does, but prints a fault of the user's as diagnostics, not as a traceback.

`python -P -m mlsd_framework.runtime.script SCRIPT [ARGUMENT…]`. `MLSD_DIAGNOSTICS` names a file that gets the
diagnostics as JSON too; with `MLSD_PARENT` the script ends with the process of that id. An argument `@MLSD_NAME` is
what that variable holds.
"""

import ctypes
import json
import os
import runpy
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from mlsd_framework.diagnostics.errors import InternalError, MlsdError
from mlsd_framework.diagnostics.render.pretty import render

DIAGNOSTICS = "MLSD_DIAGNOSTICS"
PARENT = "MLSD_PARENT"
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the script with the arguments that follow it; return 1 after a fault of the user's."""
    _end_with_parent()
    script, *rest = arguments
    # Every user of the machine can read a command line: what may hold a password comes by its variable's name.
    sys.argv = [script, *(os.environ[one[1:]] if one.startswith("@MLSD_") else one for one in rest)]
    sys.path.insert(0, str(Path(script).resolve().parent))
    try:
        runpy.run_path(script, run_name="__main__")
    except InternalError:
        raise
    except MlsdError as error:
        sys.stdout.flush()
        sys.stderr.write(render(error.diagnostics, {}))
        told = os.environ.get(DIAGNOSTICS)
        if told:
            Path(told).write_text(json.dumps([asdict(one) for one in error.diagnostics]))
        return 1
    return 0


def _end_with_parent() -> None:
    """Let the kernel end this process with the one that started it: an orphan would write beside the next run."""
    parent = os.environ.pop(PARENT, "")
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it has ended before the kernel was told
        raise SystemExit(1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
