"""A plan in words: what is done, why, and what it costs."""

from mlsd_framework.plan.definition import Action, Plan
from mlsd_framework.plan.stages import (
    Build,
    BuildIndex,
    Catalogue,
    Dataset,
    Evaluate,
    Fetch,
    Materialise,
    Serve,
    Simulate,
    Stage,
    Train,
    Verify,
)

_MINUTE = 60


def explain(plan: Plan) -> str:
    """Return the plan as lines for people, without a newline at the end."""
    title = f"{plan.system} (environment `{plan.environment}`)"
    if not plan.actions and not plan.breaking:
        return f"{title}: nothing to do"
    lines = [f"{title}: {plan.effect}"]
    for number, action in enumerate(plan.actions, 1):
        lines += _action(number, action)
    if plan.unchanged:
        lines.append(f"unchanged: {', '.join(plan.unchanged)}")
    if plan.breaking:
        lines += ["", "BREAKING for those who call the service:", *(f"  - {one}" for one in plan.breaking)]
        lines.append("  deploy with `--allow-breaking` once they are told")
    known = [one.seconds for one in plan.actions if one.seconds is not None]
    if known:
        unknown = len(plan.actions) - len(known)
        rest = f", {unknown} stage{'s' if unknown > 1 else ''} for the first time" if unknown else ""
        lines.append(f"about {duration(sum(known))} by the last runs{rest}")
    return "\n".join(lines)


def describe(stage: Stage) -> str:  # noqa: C901, PLR0911 - one a stage
    """Say in a few words what a stage does."""
    match stage:
        case Fetch():
            return f"fetch `{stage.source}` from {stage.uri}"
        case Simulate():
            return f"simulate `{stage.process}`"
        case Build():
            return f"write `{stage.folder}/`"
        case Catalogue():
            return "put the items that can be recommended in order"
        case Dataset():
            return "make the training set"
        case Train():
            return f"train `{stage.model}`"
        case BuildIndex():
            return f"index `{stage.index}`"
        case Evaluate():
            return "find thresholds, measure, hold the gates, make the version"
        case Materialise():
            return f"compute and publish {', '.join(f'`{one}`' for one in stage.groups)}"
        case Verify():
            return "prove one value of every feature everywhere, and nothing from the future"
        case Serve():
            return "bring the service to this version"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest} s"


def _action(number: int, action: Action) -> list[str]:
    cost = [] if action.seconds is None else [duration(action.seconds)]
    cost += [action.said] if action.said and not isinstance(action.stage, Evaluate | Serve | Build) else []
    last = f"  [last time: {', '.join(cost)}]" if cost else ""
    effect = "" if action.effect == "nothing" else f" ({action.effect})"
    return [
        f"{number:>3}. {describe(action.stage)}{effect}{last}",
        *(f"       because {one}" for one in action.reasons),
    ]
