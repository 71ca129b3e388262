"""What a ranker minimises: each candidate by itself, or the candidates of a request against one another."""

from torch import Tensor, nn

from mlsd_framework.runtime.rankers.batches import Requests


def pointwise(scores: Tensor, batch: Requests) -> Tensor:
    """Return the mean binary cross-entropy of scores [rows]: scores are log odds."""
    return nn.functional.binary_cross_entropy_with_logits(scores.float(), batch.labels)


def listwise(scores: Tensor, batch: Requests) -> Tensor:
    """Return the mean softmax cross-entropy over the candidates of each request, of scores [rows].

    The relevant ones of a request share its mass (ListNet's top one: Cao et al., ICML 2007); requests without any
    count nothing.
    """
    requests = len(batch.offsets) - 1
    request_of, place_of = batch.places
    shape = (requests, int(batch.lengths.max()))
    padded = scores.new_full(shape, -1e9).float().index_put((request_of, place_of), scores.float())
    wanted = batch.labels.new_zeros(shape).index_put((request_of, place_of), batch.labels)
    counts = wanted.sum(1)
    shares = wanted / counts.clamp(min=1.0).unsqueeze(1)
    losses = -(shares * nn.functional.log_softmax(padded, dim=1)).sum(1)
    loss: Tensor = losses.sum() / (counts > 0).sum().clamp(min=1)
    return loss
