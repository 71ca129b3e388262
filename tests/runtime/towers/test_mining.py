"""Hard negatives: the nearest items that a user never met, and how likely each is to be beside a positive."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mlsd_framework.runtime.towers import mining
from mlsd_framework.runtime.towers.mining import Met, mined_items
from mlsd_framework.runtime.towers.negatives import Negatives, drawn, pooled, sampled_softmax, with_mined

USERS, ITEMS = 6, 30
EVENTS = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1)), min_size=1, max_size=60)


@given(EVENTS, st.integers(1, 40), st.integers(0, 5), st.integers(0, 2**31), st.booleans())
def test_what_is_mined_is_the_nearest_that_the_user_never_met(
    events: list[tuple[int, int]], wanted: int, skipped: int, seed: int, few: bool
) -> None:
    """Row for row as by sorting all items; users who met much and little, in slices of any size, change nothing."""
    random = np.random.default_rng(seed)
    users, items = (random.normal(size=(rows, 4)).astype(np.float32) for rows in (len(events), ITEMS))
    who, what = (np.array(column) for column in zip(*events, strict=True))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mining, "_SLICE", 3 if few else 4_096)
        negatives = Negatives(mined=1, mined_pool=wanted, skipped=skipped)
        found = mined_items(users, items, Met.of(who, what), negatives)

    assert found.shape == (len(events), min(wanted, ITEMS))
    for row, near in enumerate(found.tolist()):
        met = {item for user, item in events if user == who[row]}
        order = np.argsort(-(items @ users[row])).tolist()
        expected = [item for item in order if item not in met][skipped : skipped + wanted]
        assert near == expected + [-1] * (found.shape[1] - len(expected))


def _cases() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield positives of a batch, what joins them, and the mined items of each row, none of them its positive."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        positives = torch.randint(ITEMS, (5,), generator=generator)
        extra = torch.randint(ITEMS, (seed % 4,), generator=generator)
        mined = torch.stack([torch.randperm(ITEMS, generator=generator)[:8] for _ in positives])
        mined[mined == positives[:, None]] = -1
        mined[0, seed % 8 :] = -1
        yield positives, extra, torch.sort(mined, dim=1, descending=True).values


@pytest.mark.parametrize("number", [1, 3, 8])
@pytest.mark.parametrize("corrected", [True, False])
def test_the_loss_beside_hard_ones_is_that_of_its_definition(number: int, corrected: bool) -> None:
    """For each row: minus the log of its positive's share among all different items there, each by its chance."""
    for seed, (positives, extra, mined) in enumerate(_cases()):
        generator = torch.Generator().manual_seed(seed)
        log_q = torch.log(torch.rand(ITEMS, generator=generator)) if corrected else torch.zeros(ITEMS)
        scores = torch.randn(len(positives), ITEMS, generator=generator)
        pool, target = pooled(positives, extra)
        hard = drawn(mined, torch.rand(mined.shape, generator=generator), number)
        beside = torch.cat([scores[:, pool], scores.gather(1, hard.clamp(min=0))], dim=1)
        loss = sampled_softmax(beside, target, with_mined(pool, hard, mined, log_q))

        losses = []
        for row, own in enumerate(positives.tolist()):
            near = {item for item in mined[row].tolist() if item >= 0}
            taken = {item for item in hard[row].tolist() if item >= 0}
            assert taken <= near
            assert len(taken) == min(number, len(near))
            absent = 1 - len(taken) / max(len(near), 1)
            chance = {
                item: 1 - (1 - math.exp(float(log_q[item]))) * (absent if item in near else 1.0)
                for item in {*pool.tolist(), *taken}
            }
            weight = {item: math.exp(float(scores[row, item])) / chance[item] for item in chance}
            losses.append(-math.log(weight[own] / sum(weight.values())))
        assert float(loss) == pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_chances_beside_hard_ones_are_those_that_draws_show() -> None:
    """What is corrected by is how often an item is there, by the pool or as a hard one, over many batches."""
    q = torch.tensor([0.9, 0.5, 0.3, 0.1, 0.2])
    mined = torch.tensor([[1, 3, 4, -1]])
    generator, counts, rounds = torch.Generator().manual_seed(0), torch.zeros(5), 6_000
    for _ in range(rounds):
        pool = torch.nonzero(torch.rand(5, generator=generator) < q)[:, 0]
        hard = drawn(mined, torch.rand(mined.shape, generator=generator), 2)
        counts[torch.unique(torch.cat([pool, hard[0]]))] += 1
    everything = torch.arange(5)
    expected = with_mined(everything, torch.tensor([[1, 3]]), mined, torch.log(q))
    assert torch.allclose(counts / rounds, expected[0, :5].exp(), atol=0.02)
    assert expected[0, 5:].tolist() == [math.inf, math.inf]  # they are in the pool already


def test_no_row_is_held_against_what_its_user_met(made: Any) -> None:
    """Over whole epochs no hard item is the row's positive or anything else that its user met; the first has none."""
    module, data = made(negatives=Negatives(uniform=8, mined=3, mined_pool=10))
    data.met = Met.of(np.arange(len(data.train.items)) % 40, data.train.items.numpy())
    met = [set(data.met.items[a:b].tolist()) for a, b in zip(data.met.offsets, data.met.offsets[1:], strict=False)]
    found = data.mined(torch.arange(len(data.train.items)), module)
    assert (found >= 0).all(dim=1).any()
    for row, near in enumerate(found.tolist()):
        assert int(data.train.items[row]) in met[row % 40]
        assert not met[row % 40] & set(near)


def test_without_a_history_a_row_is_not_held_against_its_own_item(made: Any) -> None:
    """Where nothing is said of users, only the positive is left out."""
    module, data = made(negatives=Negatives(mined=3, mined_pool=60))
    found = data.mined(torch.arange(len(data.train.items)), module)
    assert not (found == data.train.items[:, None]).any()
    assert (found >= 0).sum(dim=1).tolist() == [59] * len(found)
