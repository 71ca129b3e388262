"""Print the page of an error code: what it means, and what to do about it."""

import argparse
import sys

from mlsd_framework.cli.main import AT_FAULT, OK


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("code", metavar="CODE", help="a code such as E2001, or the name of a fault")
    parser.add_argument("--json", action="store_true", help="print the page as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the page."""
    from dataclasses import asdict

    from mlsd_framework.diagnostics.codes import CODES
    from mlsd_framework.diagnostics.suggest import nearest

    asked = str(arguments.code)
    page = CODES.get(asked.upper()) or next((one for one in CODES.values() if one.name == asked), None)
    if page is None:
        near = nearest(asked.upper(), CODES) or nearest(asked, [one.name for one in CODES.values()])
        print(f"there is no code `{asked}`" + (f"; did you mean `{near}`?" if near else ""), file=sys.stderr)
        return AT_FAULT
    if arguments.json:
        import json

        print(json.dumps(asdict(page), indent=2))
        return OK
    print(f"{page.code}: {page.name}\n\n{page.meaning}\n\n{page.cure}")
    for title, example in (("Wrong", page.wrong), ("Right", page.right)):
        if example:
            print(f"\n{title}:\n" + "\n".join(f"    {line}" for line in example.splitlines()))
    return OK
