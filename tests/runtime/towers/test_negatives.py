"""The sampled softmax: its value against a plain definition, and what its correction is for."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlsd_framework.runtime.towers.negatives import (
    Draws,
    Negatives,
    log_inclusion,
    pooled,
    popularity,
    sampled_softmax,
)

ITEMS = 5
CODES = st.integers(0, ITEMS - 1)


@given(st.lists(CODES, min_size=1, max_size=6), st.lists(CODES, max_size=4), st.integers(0, 2**31), st.booleans())
def test_the_loss_is_that_of_its_definition(positives: list[int], extra: list[int], seed: int, corrected: bool) -> None:
    """For each row: minus the log of its positive's share among the positive and all different items of the batch."""
    scores = torch.randn(len(positives), ITEMS, generator=torch.Generator().manual_seed(seed))
    shares = [(1 + positives.count(item)) / (ITEMS + len(positives)) for item in range(ITEMS)]
    negatives = Negatives(uniform=len(extra), corrected=corrected)
    log_q = log_inclusion(torch.tensor(shares, dtype=torch.float64), len(positives), negatives)

    pool, target = pooled(torch.tensor(positives), torch.tensor(extra, dtype=torch.int64))
    loss = sampled_softmax(scores[:, pool], target, log_q[pool])

    def weight(row: int, item: int) -> float:
        absent = (1 - shares[item]) ** (len(positives) - 1) * (1 - 1 / ITEMS) ** len(extra)
        return math.exp(float(scores[row, item])) / (max(1 - absent, 1e-12) if corrected else 1.0)

    different = {*positives, *extra}
    losses = [
        -math.log(weight(row, own) / (weight(row, own) + sum(weight(row, item) for item in different - {own})))
        for row, own in enumerate(positives)
    ]
    assert float(loss) == pytest.approx(sum(losses) / len(losses), rel=1e-4, abs=1e-5)


def test_chances_are_those_that_draws_show() -> None:
    """The log of Q is that of how often an item is in the pool of a row, as counted over many batches."""
    shares = torch.tensor([0.6, 0.25, 0.1, 0.05, 0.0], dtype=torch.float64)
    negatives = Negatives(uniform=2, popular=1, power=0.5)
    draws, generator = Draws(shares, negatives), torch.Generator().manual_seed(0)
    counts = torch.zeros(ITEMS)
    for _ in range(4_000):
        others = torch.multinomial(shares, 3, replacement=True, generator=generator)
        counts[pooled(others, draws.joining(generator))[0]] += 1
    expected = log_inclusion(shares, 4, negatives).exp()
    assert torch.allclose(counts / 4_000, expected, atol=0.03)


def _learned(corrected: bool, batch: int) -> float:
    """Return how far learned scores are from log-probabilities, up to a constant a user: root mean square."""
    generator = torch.Generator().manual_seed(0)
    users, items = 6, 30
    popular = torch.log(1 / torch.arange(1, items + 1).to(torch.float64))
    truth = torch.log_softmax(popular + torch.randn(users, items, generator=generator), dim=1)
    shares = truth.exp().mean(0)
    log_q = log_inclusion(shares, batch, Negatives(corrected=corrected))
    scores = torch.zeros(users, items, requires_grad=True)
    optimizer = torch.optim.Adam([scores], 0.03)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, 2_500)
    for _ in range(2_500):
        rows = torch.randint(users, (batch,), generator=generator)
        taken = torch.multinomial(truth[rows].exp(), 1, generator=generator)[:, 0]
        pool, target = pooled(taken, taken[:0])
        optimizer.zero_grad()
        sampled_softmax(scores[rows][:, pool], target, log_q[pool]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    apart = scores.detach() - truth
    error = (apart - (apart * truth.exp()).sum(1, keepdim=True)) ** 2
    return float((error * truth.exp()).sum(1).mean().sqrt())


@pytest.mark.parametrize("batch", [16, 128])
def test_corrected_scores_are_log_probabilities(batch: int) -> None:
    """With the correction the scores estimate log P(item | user) up to a constant, better than without."""
    with_correction, without = _learned(corrected=True, batch=batch), _learned(corrected=False, batch=batch)
    print(f"batch {batch}: rms {with_correction:.3f} corrected, {without:.3f} without")
    assert with_correction < 0.2
    assert without > 1.5 * with_correction


def test_items_are_drawn_as_asked() -> None:
    """Uniform draws reach all items, popular ones follow the smoothed shares, an item nobody took is never popular."""
    shares = popularity(torch.tensor([0] * 90 + [1] * 10), 3)
    uniform = Draws(shares, Negatives(uniform=9_000)).joining(torch.Generator().manual_seed(0))
    popular = Draws(shares, Negatives(popular=9_000, power=0.5)).joining(torch.Generator().manual_seed(0))
    assert torch.allclose(torch.bincount(uniform, minlength=3) / 9_000, torch.tensor(1 / 3), atol=0.03)
    assert torch.allclose(torch.bincount(popular, minlength=3) / 9_000, torch.tensor([0.75, 0.25, 0.0]), atol=0.03)
