"""What stages over candidates do, in words: what is asked for and kept, how scores change, what comes first."""

from mlsd_framework.codegen.files import markdown
from mlsd_framework.ir.serving import Stage
from mlsd_framework.kinds.stages.boost.kind import BoostSettings
from mlsd_framework.kinds.stages.cap.kind import CapSettings
from mlsd_framework.kinds.stages.diversify.kind import DiversifySettings
from mlsd_framework.kinds.stages.explore.kind import ExploreSettings, Greedy
from mlsd_framework.kinds.stages.expose.kind import ExposeSettings
from mlsd_framework.kinds.stages.filter.kind import FilterSettings
from mlsd_framework.kinds.stages.freshen.kind import FreshenSettings
from mlsd_framework.kinds.stages.retrieve.settings import RetrieveSettings
from mlsd_framework.kinds.stages.spread.kind import SpreadSettings
from mlsd_framework.kinds.stages.take.kind import TakeSettings
from mlsd_framework.targets.docs.conditions import text
from mlsd_framework.targets.docs.retrieval import retrieved
from mlsd_framework.targets.docs.words import code, codes, duration


def arranging(stage: Stage) -> str | None:
    """Return what a stage does to candidates; nothing for one that does not arrange them."""
    match stage.settings:
        case RetrieveSettings():
            return retrieved(stage.settings)
        case BoostSettings() | FreshenSettings():
            return _scored(stage.settings)
        case FilterSettings() as filtered:
            return _filtered(filtered)
        case ExploreSettings() as explored:
            return _explored(explored)
        case TakeSettings() as taken:
            return f"the first {taken.k if isinstance(taken.k, int) else code(taken.k.dotted)} are answered"
    return _first(stage.settings)


def _first(settings: object) -> str | None:
    """Return what the first of the list are to be."""
    match settings:
        case DiversifySettings(on=on, balance=balance, top=top):
            how = f"{balance:g} for the score and {1 - balance:g} for unlikeness by {code(on.name)}"
            return f"the first {top} are chosen one by one, {how}"
        case SpreadSettings(by=by, gap=gap, top=top):
            return f"{gap} or more others stand between two of one {code(by.dotted)} in the first {top}"
        case ExposeSettings(by=by, at_least=at_least, top=top):
            shares = ", ".join(f"{share:.0%} for {markdown(str(value))}" for value, share in at_least)
            return f"{code(by.dotted)} has at least these shares of the exposure of the first {top}: {shares}"
        case CapSettings(by=by, most=most, top=top, overflow=overflow):
            rest = "what is over goes" if overflow == "drop" else "what is over stands behind them"
            return f"at most {most} of one {code(by.dotted)} among the first {top}; {rest}"
    return None


def _filtered(settings: FilterSettings) -> str:
    kept = [markdown(text(one)) for one in settings.keep]
    met = settings.met_within
    gone = f"what the history has of the last {duration(met)} goes" if met is not None else ""
    return "; ".join([*([f"kept where {' and '.join(kept)}"] if kept else []), *([gone] if gone else [])])


def _scored(settings: BoostSettings | FreshenSettings) -> str:
    what = "what the score is the logarithm of" if settings.score.logarithmic else "the score"
    if isinstance(settings, FreshenSettings):
        half = f"half of that in {duration(settings.half_life)}"
        return f"age since {code(settings.born.dotted)} takes up to {1 - settings.floor:.0%} of {what}, {half}"
    times = f"{what} is multiplied by {settings.times:g}" if settings.times != 1 else ""
    plus = f"{settings.plus:+g} is added to the score" if settings.plus else ""
    return f"where {markdown(text(settings.where))}, {' and '.join(one for one in (times, plus) if one)}"


def _explored(settings: ExploreSettings) -> str:
    ranks = ", ".join(str(rank) for rank in settings.slots)
    pool = f"any of the {settings.pool} nearest behind the first {settings.top} where {markdown(text(settings.where))}"
    if isinstance(settings.how, Greedy):
        return f"ranks {ranks} show with probability {settings.how.epsilon:g} {pool}"
    counts = codes([settings.how.successes.dotted, settings.how.trials.dotted])
    return f"ranks {ranks} show, by Thompson sampling on {counts}, {pool}"
