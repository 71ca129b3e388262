"""Making a proof by itself, as `mlsd verify` does: the same stage as in a deployment, with nothing overridden."""

from collections.abc import Sequence

from mlsd_framework.plan.current_plan import make_plan
from mlsd_framework.plan.definition import Action
from mlsd_framework.plan.evaluator import PATIENCE_S, Evaluator
from mlsd_framework.plan.lock import held
from mlsd_framework.plan.progress import Progress
from mlsd_framework.plan.project import Project
from mlsd_framework.plan.stages import Stage


def prove(project: Project, progress: Progress, stage: Stage, arguments: Sequence[str], *, again: bool) -> bool:
    """Prove a system whose data and generated code are there, unless the last proof still stands and not `again`.

    Return whether it was proved anew. Raises `RunError` with what does not hold (E6701 to E6703).
    """
    busy = f"another command works on `{project.blueprint.system}`; waiting for it"
    with held(project.workspace, PATIENCE_S, lambda: progress.say(busy)) as lock:
        plan, builder = make_plan(project, stage.kind)
        action = next((one for one in plan.actions if one.stage.name == stage.name), None)
        if action is None and again:
            action = Action(stage, builder.fingerprint(stage), stage.effect, ("it is asked for",))
        if action is None:
            return False
        Evaluator(project, builder, progress, lock).prove(action, arguments)
    return True
