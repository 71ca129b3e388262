"""`mlsd plan`: what a change does and what that costs, before it is done."""

import argparse

from mlsd_framework.cli.project_options import absolute, add_json, add_spec, print_json, project_of
from mlsd_framework.plan.current_plan import make_plan
from mlsd_framework.plan.definition import save
from mlsd_framework.plan.explainer import explain


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    add_json(parser)
    parser.add_argument("--out", metavar="FILE", type=absolute, help="save the plan, for `mlsd deploy --plan FILE`")


def run(options: argparse.Namespace) -> int:
    """Print the plan; nothing is changed."""
    plan, _ = make_plan(project_of(options))
    if options.out is not None:
        save(plan, options.out)
    if options.json:
        print_json(plan.data())
    else:
        print(explain(plan))
    return 0
