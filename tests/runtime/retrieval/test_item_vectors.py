"""Sources whose items have vectors give them for the whole catalogue."""

import numpy as np

from mlsd_framework.runtime.retrieval.als import Als
from mlsd_framework.runtime.retrieval.content import Content
from mlsd_framework.runtime.retrieval.interactions import DAY, Interactions


def test_factors_of_als_stand_in_the_rows_of_their_items() -> None:
    """An item that nobody met has zeros; the others have what learning gave them."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 20, 300, np.int32), random.integers(0, 12, 300, np.int32)
    log = Interactions(users, items, np.sort(random.integers(0, 9 * DAY, 300)), 20, 15)
    fitted = Als.fit(log, factors=4, most=10)
    vectors = fitted.item_vectors(15)
    assert vectors.shape == (15, 4)
    assert len(fitted.codes) == 10
    np.testing.assert_array_equal(vectors[fitted.codes], fitted.factors.T)
    assert not vectors[np.setdiff1d(np.arange(15), fitted.codes)].any()


def test_vectors_of_content_are_those_it_was_given_at_length_1() -> None:
    """An item without a vector has zeros."""
    given = np.random.default_rng(1).normal(size=(6, 3))
    given[2], given[4] = 0, np.nan
    vectors = Content.fit(given).item_vectors(6)
    known = given[[0, 1, 3, 5]]
    lengths = np.linalg.norm(known, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[[0, 1, 3, 5]], known / lengths, atol=1e-6)
    assert not vectors[[2, 4]].any()
