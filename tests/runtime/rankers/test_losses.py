"""Batches and losses: whole requests, and what is minimised against a plain computation."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.runtime.rankers.batches import Requests, RequestsData
from mlsd_framework.runtime.rankers.losses import listwise, pointwise
from mlsd_framework.runtime.rankers.module import ordered_ndcg
from mlsd_framework.runtime.tabular.encoding import Encoded

LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def _requests(lengths: list[int], seed: int) -> Requests:
    random = np.random.default_rng(seed)
    count = sum(lengths)
    rows = np.arange(count)
    request = np.repeat(np.arange(len(lengths)) * 3 + 7, lengths)
    order = random.permutation(count)
    encoded = Encoded(rows[order, None].astype(np.int32), rows[order, None].astype(np.float32))
    return Requests.of(encoded, (random.random(count) < 0.4)[order], request[order])


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(0, 99))
def test_the_listwise_loss_is_that_of_each_request(lengths: list[int], seed: int) -> None:
    """The relevant candidates share the mass of their request's softmax; requests without any count nothing."""
    batch = _requests(lengths, seed)
    scores = np.random.default_rng(seed).normal(size=sum(lengths))
    losses = []
    for first, last in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        relevant = batch.labels[first:last].numpy() > 0
        if relevant.any():
            chances = np.exp(scores[first:last]) / np.exp(scores[first:last]).sum()
            losses.append(-np.log(chances[relevant]).mean())
    found = float(listwise(torch.from_numpy(scores), batch))
    assert found == pytest.approx(np.mean(losses) if losses else 0.0, abs=1e-5)


def test_the_pointwise_loss_is_that_of_log_odds() -> None:
    """It is the binary cross-entropy of every candidate."""
    batch = _requests([2, 3], 1)
    scores = np.random.default_rng(1).normal(size=5)
    chances = np.where(batch.labels.numpy() > 0, 1 / (1 + np.exp(-scores)), 1 / (1 + np.exp(scores)))
    assert float(pointwise(torch.from_numpy(scores), batch)) == pytest.approx(-np.log(chances).mean(), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(0, 99), st.integers(1, 4))
def test_an_epoch_holds_every_request_whole_and_once(lengths: list[int], seed: int, size: int) -> None:
    """Batches are requests in an order of the seed; validation has them in their own."""
    requests = _requests(lengths, seed)
    data = RequestsData(requests, requests, size=size, seed=seed)
    steps = list(data.train_dataloader())
    assert len(steps) == len(data.train_dataloader()) == -(-len(lengths) // size)
    held = [
        sorted(step.rows.codes[first:last, 0].tolist())
        for step in steps
        for first, last in zip(step.offsets[:-1], step.offsets[1:], strict=True)
    ]
    ends = np.cumsum([0, *lengths])
    assert sorted(held) == [list(range(*pair)) for pair in pairwise(ends)]
    labels = {code: label for step in steps for code, label in zip(step.rows.codes[:, 0], step.labels, strict=True)}
    own = zip(requests.rows.codes[:, 0], requests.labels, strict=True)
    assert {int(code): float(one) for code, one in labels.items()} == {int(code): float(one) for code, one in own}
    assert torch.cat([step.labels for step in data.val_dataloader()]).equal(requests.labels)


def test_candidates_that_tie_are_ordered_against_the_model() -> None:
    """One score for all has the worst order, a right one the best, and a request without a relevant one none."""
    labels, offsets = np.array([1.0, 0.0, 0.0, 0.0, 0.0]), np.array([0, 3, 5])
    assert ordered_ndcg(np.zeros(5), labels, offsets, 3).tolist()[0] == pytest.approx(0.5)
    assert ordered_ndcg(np.array([2.0, 1, 0, 0, 0]), labels, offsets, 3).tolist()[0] == 1.0
    assert np.isnan(ordered_ndcg(np.zeros(5), labels, offsets, 3)[1])
