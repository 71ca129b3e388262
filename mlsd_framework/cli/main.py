"""The entry point: find the command, import it alone, run it, print what went wrong.

A command is a module of this package with `configure(parser)` and `run(arguments) -> int`; its line of help stands in
`COMMANDS`, so that `mlsd --help` imports none of them.
"""

import argparse
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from mlsd_framework import __version__

OK: Final = 0
AT_FAULT: Final = 1
USAGE: Final = 2

COMMANDS: Final[dict[str, dict[str, str]]] = {
    "write": {
        "init": "write a small spec that works, to start from",
        "validate": "check specs, and print every fault with its place",
        "show": "print a spec's long form, and where each value came from",
        "schema": "print the JSON Schema of the language, for editors",
        "explain": "print the page of an error code",
        "plugins": "list the plugins and kinds at hand",
    },
    "build and run": {
        "plan": "show what a change costs before anything happens",
        "build": "write generated/<system>/",
        "data": "fetch, simulate or check the data of sources",
        "train": "train and evaluate whatever is out of date",
        "verify": "prove one value of each feature everywhere, and no leakage",
        "deploy": "bring the system up: whatever is missing, then serve",
        "demo": "deploy, send real requests, and print the decisions",
    },
    "operate": {
        "status": "say what serves, and how it is",
        "predict": "ask the running service",
        "logs": "print what the service logged",
        "report": "say where the newest report is",
        "promote": "serve a version that was trained before",
        "rollback": "serve the version before",
        "stop": "end the service",
    },
}


def run() -> None:
    """Run the command line and exit: 0 done, 1 the spec or the run is at fault, 2 usage."""
    # Importing makes very many objects and hardly any rubbish: looking for some took a sixth of `validate`.
    gc.set_threshold(100_000, 20, 20)
    status = main(sys.argv[1:])
    gc.freeze()  # what was made so far is not looked through once more at exit, which takes a tenth of `validate`
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return OK if arguments else USAGE
    if arguments[0] in ("-V", "--version"):
        print(f"mlsd {__version__}")
        return OK
    name = arguments[0]
    if not any(name in group for group in COMMANDS.values()):
        return _unknown(name)
    module = importlib.import_module(f"mlsd_framework.cli.{name}")
    parser = argparse.ArgumentParser(prog=f"mlsd {name}", description=module.__doc__, allow_abbrev=False)
    module.configure(parser)
    return _guarded(lambda: int(module.run(parser.parse_args(arguments[1:]))))


def _guarded(command: Callable[[], int]) -> int:
    from mlsd_framework.diagnostics.errors import InternalError, MlsdError

    try:
        return command()
    except InternalError:
        return _bug()
    except MlsdError as fault:
        from mlsd_framework.cli.faults import show

        show(fault.diagnostics)
        return AT_FAULT
    except BrokenPipeError:
        # Whoever read our output has gone; so that Python does not complain again when it flushes at exit:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return AT_FAULT
    except KeyboardInterrupt:
        print("interrupted; what was done is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except Exception:  # noqa: BLE001 - the last net: whatever it is, it is our bug, and is shown as one
        return _bug()


def _bug() -> int:
    import traceback

    traceback.print_exc()
    print("\nThis is a bug in mlsd, not in your spec. Please report it with the lines above.", file=sys.stderr)
    return AT_FAULT


def _unknown(name: str) -> int:
    from mlsd_framework.diagnostics.suggest import nearest

    near = nearest(name, [command for group in COMMANDS.values() for command in group])
    print(f"mlsd: there is no command `{name}`" + (f"; did you mean `{near}`?" if near else ""), file=sys.stderr)
    print("`mlsd --help` lists the commands", file=sys.stderr)
    return USAGE


def _help() -> str:
    lines = [
        "usage: mlsd COMMAND …",
        "",
        "One YAML file into a whole machine-learning system: compiled, trained, served, and proved.",
        "",
    ]
    for title, group in COMMANDS.items():
        lines += [f"{title}:", *(f"  {name:<10} {text}" for name, text in group.items()), ""]
    return "\n".join([*lines, "`mlsd COMMAND --help` says what a command takes. A spec is a path, or a system's name."])


if __name__ == "__main__":
    run()
