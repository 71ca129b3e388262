"""ALS: items and users as factors of implicit feedback (Hu, Koren, Volinsky, 2008), learned by the package `implicit`.

Only the factors of items are kept. Those of the asking user are solved from the history at each request, which is the
step that learning does for a user.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.retrieval.candidates import Codes
from mlsd_framework.runtime.retrieval.common_items import common_items, known_rows
from mlsd_framework.runtime.retrieval.factors import product, solved_user, spread_over
from mlsd_framework.runtime.retrieval.interactions import Interactions
from mlsd_framework.runtime.retrieval.profile import Weighting
from mlsd_framework.runtime.retrieval.source import ModelSource, Scores


@dataclass(frozen=True)
class Als(ModelSource):
    """`factors` [F, scored] of the items; `gram` [F, F] is their product with themselves plus the regularisation."""

    KIND: ClassVar = "als"
    ARRAYS: ClassVar = {"codes": (np.int32, 1), "factors": (np.float32, 2), "gram": (np.float64, 2)}
    SETTINGS: ClassVar = {"alpha": float, "half_life": int, "amount": str}

    codes: Codes
    factors: NDArray[np.float32]
    gram: NDArray[np.float64]
    alpha: float
    half_life: int
    amount: str

    @classmethod
    def fit(
        cls,
        log: Interactions,
        *,
        factors: int = 64,
        l2: float = 0.1,
        alpha: float = 10.0,
        iterations: int = 15,
        most: int = 20_000,
        weighting: Weighting | None = None,
        seed: int = 0,
    ) -> Self:
        """Learn from the profiles of all users, on the `most` items that most users have.

        The confidence in an item of a profile is 1 + `alpha` times its weight, in all others 1. One seed, one result.
        """
        from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 - only learning needs it
        from scipy.sparse import csr_matrix  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        how = weighting or Weighting()
        profiles = how.of_users(log)
        codes = common_items(profiles, log.item_count, most)
        offsets, places, weights = known_rows(profiles, codes, log.item_count)
        shape = (len(offsets) - 1, len(codes))
        matrix = csr_matrix(((1.0 + alpha * weights).astype(np.float32), places, offsets), shape)
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=factors, regularization=l2, alpha=1.0, iterations=iterations, random_state=seed
            )
            model.fit(matrix, show_progress=False)
        learned = np.ascontiguousarray(model.item_factors.T, np.float32)
        wide = learned.astype(np.float64)
        return cls(codes, learned, wide @ wide.T + l2 * np.eye(factors), alpha, how.half_life, how.amount)

    def user(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factors of a user with this history: [F]."""
        return solved_user(self.gram, self.factors, places, self.alpha * weights)

    def scores(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Scores:
        """Return the products of the items' factors with the user's: [scored]."""
        return product(self.factors, self.user(places, weights))

    def item_vectors(self, items: int) -> NDArray[np.float32]:
        """Return the factors of all items of a catalogue, zeros for those without: [items, F]."""
        return spread_over(self.factors, self.codes, items)

    def fault_of_model(self) -> str | None:
        """Check shapes, that all is finite, and that a user's factors can be solved."""
        width = len(self.factors)
        if self.factors.shape[1] != len(self.codes) or self.gram.shape != (width, width) or not width:
            return f"`factors` {self.factors.shape} and `gram` {self.gram.shape} do not fit {len(self.codes)} codes"
        if not (np.isfinite(self.factors).all() and np.isfinite(self.gram).all()):
            return "`factors` or `gram` hold a value that is not finite"
        if not 0 <= self.alpha < np.inf:
            return f"`alpha` is {self.alpha}"
        return None if np.linalg.eigvalsh(self.gram)[0] > 0 else "`gram` is not positive definite"
