"""The plan of a project as it stands: what its spec asks for, held against what is done and what runs."""

from mlsd_framework.plan import service_state
from mlsd_framework.plan.builder import Builder
from mlsd_framework.plan.definition import Plan
from mlsd_framework.plan.project import Project
from mlsd_framework.plan.state import read_state


def make_plan(project: Project, until: str | None = None) -> tuple[Plan, Builder]:
    """Return the plan of a project as it stands, and the builder that made it."""
    place = project.workspace
    builder = Builder(project.root, project.blueprint, read_state(place), service_state.running(place))
    return builder.plan(until, project.assignments), builder
