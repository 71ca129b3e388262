"""The funnel accounts for each relevant item: found by which source, lost at which stage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.ranking_metrics.estimates import Bootstrap
from mlsd_framework.runtime.ranking_metrics.funnel import funnel
from tests.runtime.ranking_metrics.plain_metrics import GAINS, RANKED, candidates, plain, relevant

REQUESTS = st.lists(st.tuples(GAINS, *[RANKED] * 4), min_size=1, max_size=4)


@settings(deadline=None)
@given(REQUESTS)
def test_each_relevant_item_is_accounted_for(
    requests: list[tuple[dict[int, float], list[int], list[int], list[int], list[int]]],
) -> None:
    """Counts are those of sets, item by item; found before - lost + added is found, from sources to the last stage."""
    gains, first, second, merged, final = (list(column) for column in zip(*requests, strict=True))
    found = funnel(
        {"two_tower": candidates(first), "popular": candidates(second)},
        {"merged": candidates(merged), "final": candidates(final)},
        relevant(gains),
        3,
    )
    wanted = {(number, item) for number, one in enumerate(gains) for item, gain in one.items() if gain > 0}
    sets = [
        wanted & {(number, item) for number, ranked in enumerate(rankings) for item in ranked}
        for rankings in (first, second, merged, final)
    ]
    tower, popular, at_merged, at_final = sets
    assert (found.requests, found.relevant, found.missed) == (
        len(requests),
        len(wanted),
        len(wanted - tower - popular),
    )
    for source, mine, others in zip(found.sources, (tower, popular), (popular, tower), strict=True):
        assert (source.found, source.unique) == (len(mine), len(mine - others))
        assert (source.kept, source.unique_kept) == (len(mine & at_final), len((mine - others) & at_final))
    before = found.relevant - found.missed
    for stage, mine, previous in zip(found.stages, (at_merged, at_final), (tower | popular, at_merged), strict=True):
        assert (stage.found, stage.lost, stage.added) == (len(mine), len(previous - mine), len(mine - previous))
        assert stage.found == before - stage.lost + stage.added
        before = stage.found
    values = [plain("ndcg", (ranked, one), 3) for ranked, one in zip(final, gains, strict=True)]
    known = [value for value in values if not np.isnan(value)]
    last = found.stages[-1].values["ndcg@3"]
    assert last.value == pytest.approx(np.mean(known) if known else np.nan, nan_ok=True)
    assert last.left_out == len(values) - len(known)


def test_a_funnel_shows_where_it_leaks() -> None:
    """Two sources, one item only by the second; the merge loses nothing and the cut to one loses what is second."""
    sources = {"near": candidates([[1, 2], [5]]), "new": candidates([[3], [5, 6]])}
    merged = candidates([[1, 2, 3], [5, 6]])
    wanted = relevant([{1: 1.0, 3: 1.0, 9: 1.0}, {6: 1.0}])
    found = funnel(sources, {"merged": merged, "served": merged.top(1)}, wanted, 1, Bootstrap(100))
    assert (found.relevant, found.missed) == (4, 1)
    assert [(one.name, one.found, one.unique, one.unique_kept) for one in found.sources] == [
        ("near", 1, 1, 1),
        ("new", 2, 2, 0),
    ]
    assert [(one.name, one.candidates, one.found, one.lost) for one in found.stages] == [
        ("merged", 2.5, 3, 0),
        ("served", 1.0, 1, 2),
    ]
    assert found.stages[0].values["recall"].value == pytest.approx((2 / 3 + 1) / 2)
    assert found.stages[1].values["recall"].interval is not None


def test_a_funnel_needs_a_source() -> None:
    """Without one there is nothing that could be lost."""
    with pytest.raises(ValueError, match="one source"):
        funnel({}, {}, relevant([{}]), 3)
