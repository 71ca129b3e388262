"""Networks: each learns what no linear model can, in either loss, is the same twice, and takes what is missing."""

from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mlsd_framework.runtime.rankers.fields import Linear, Shape
from mlsd_framework.runtime.rankers.module import NETWORKS, Network, ordered_ndcg
from mlsd_framework.runtime.rankers.sequence import Sequence
from mlsd_framework.runtime.tabular.features import Category, LastItems, Number
from mlsd_framework.runtime.tabular.learning import learn_one
from tests.runtime.rankers.conftest import EACH, EMBEDDINGS, FEATURES, LENGTH, Trained

PLAIN = FEATURES[:3]


def _linear(rows: pl.DataFrame) -> float:
    """Return the validation NDCG of a linear model of all features, histories as counts of items."""
    held = rows.get_column("history").to_list()
    counts = np.array([np.bincount(one, minlength=24) for one in held])
    dummies = rows.select("group", "user_group", pl.col("item").cast(pl.String)).to_dummies().to_numpy()
    inputs = np.hstack([rows["price"].fill_nan(10.0).to_numpy()[:, None], dummies, counts])
    learned = rows["request"].to_numpy() < 180
    label = rows["bought"].to_numpy().astype(float)
    model = LogisticRegression(max_iter=2000).fit(inputs[learned], label[learned])
    scores = model.decision_function(inputs[~learned])
    offsets = np.arange(0, len(scores) + 1, EACH)
    return float(np.nanmean(ordered_ndcg(scores, label[~learned], offsets, 5)))


@pytest.mark.parametrize("loss", ["pointwise", "listwise"])
@pytest.mark.parametrize("network", get_args(Network))
def test_a_network_learns_an_interaction(trained: Trained, rows: pl.DataFrame, network: Any, loss: Any) -> None:
    """Candidates of the user's own group come first, which needs two features together; a linear model is far below."""
    features = FEATURES[3:] if network == "sequence" else PLAIN
    _, ndcg = trained(network, loss, features=features)
    assert _linear(rows) < 0.5
    assert ndcg > 0.75


@pytest.mark.parametrize("network", get_args(Network))
def test_two_trainings_with_a_seed_give_the_same_bytes(trained: Trained, network: Any) -> None:
    """All that is random comes from the seed, whatever ran before."""
    weights = []
    for run in ("a", "b"):
        torch.manual_seed(len(weights))
        module, _ = trained(network, epochs=2, shape=Shape((16,), dropout=0.2), folder=run)
        weights.append({name: one.numpy().tobytes() for name, one in module.state_dict().items()})
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "features", [(Number("price"),), (Category("group", "groups"),), (Category("group", "groups"), Number("price"))]
)
@pytest.mark.parametrize("network", ["wide_deep", "deepfm", "dlrm"])
def test_a_network_takes_numbers_or_categories_alone(rows: pl.DataFrame, network: Any, features: Any) -> None:
    """One feature of either sort is enough."""
    named = [one for one in EMBEDDINGS if any(getattr(each, "embedding", "") == one.name for each in features)]
    encoding = learn_one(features, named, rows)
    encoded = encoding.encode(rows.head(7))
    scores = NETWORKS[network](encoding, Shape((4,)))(torch.from_numpy(encoded.codes), torch.from_numpy(encoded.values))
    assert scores.shape == (7,)
    assert torch.isfinite(scores).all()


def test_the_machine_sums_over_all_pairs(rows: pl.DataFrame) -> None:
    """DeepFM without its other parts is the product of each two fields' vectors, numbers times their values."""
    encoding = learn_one(PLAIN, EMBEDDINGS[:2], rows)
    network = NETWORKS["deepfm"](encoding, Shape((4,)))
    for parameter in network.deep.parameters():
        torch.nn.init.zeros_(parameter)
    encoded = encoding.encode(rows.head(5))
    found = network(torch.from_numpy(encoded.codes), torch.from_numpy(encoded.values)).detach().numpy()
    vectors = network.fields(torch.from_numpy(encoded.codes)).detach().numpy()
    numbers = network.numbers.detach().numpy()
    for row in range(5):
        fields = [*vectors[row], *(encoded.values[row][:, None] * numbers)]
        pairs = [fields[i] @ fields[j] for i in range(len(fields)) for j in range(i)]
        assert found[row] == pytest.approx(sum(pairs), abs=1e-6)


def test_a_linear_part_has_a_weight_each(rows: pl.DataFrame) -> None:
    """Its score is the sum of the weights of the row's categories, of its values, and a bias."""
    encoding = learn_one(PLAIN, EMBEDDINGS[:2], rows)
    linear = Linear(encoding)
    torch.nn.init.normal_(linear.weights.weight)
    torch.nn.init.normal_(linear.values)
    encoded = encoding.encode(rows.head(5))
    found = linear(torch.from_numpy(encoded.codes), torch.from_numpy(encoded.values)).detach().numpy()
    weights = linear.weights.weight.detach().numpy()[:, 0]
    first = encoding.vocabularies["groups"].size
    expected = weights[encoded.codes[:, 0]] + weights[first + encoded.codes[:, 1]]
    assert np.allclose(found, expected + encoded.values @ linear.values.detach().numpy(), atol=1e-5)


def test_places_that_a_list_does_not_fill_count_nothing(rows: pl.DataFrame) -> None:
    """A history of two items has the score that a list of length two has, and an empty one has a score."""
    items = EMBEDDINGS[2:]
    long = Sequence(learn_one(FEATURES[3:], items, rows), Shape((4,)))
    short = Sequence(learn_one((FEATURES[3], LastItems("history", "items", 2)), items, rows), Shape((4,)))
    weights = {name: one[:2] if name == "recency" else one for name, one in long.state_dict().items()}
    short.load_state_dict(weights)
    codes = torch.zeros((2, 1 + LENGTH), dtype=torch.int32)
    codes[:, 0] = 5
    codes[0, 1:3] = torch.tensor([7, 5])
    none = torch.zeros((2, 0))
    assert torch.allclose(long(codes, none), short(codes[:, :3], none), atol=1e-6)
    assert torch.isfinite(long(codes, none)).all()


@pytest.mark.parametrize("features", [PLAIN, (FEATURES[1], FEATURES[4]), (*FEATURES, LastItems("more", "items", 2))])
def test_a_sequence_needs_one_list_and_its_candidate(rows: pl.DataFrame, features: Any) -> None:
    """Without a list, without a candidate of its vocabulary, or with two lists there is nothing to attend to."""
    encoding = learn_one(features, EMBEDDINGS, rows.with_columns(more="history"))
    with pytest.raises(ValueError, match="one list"):
        Sequence(encoding, Shape((4,)))


def test_vectors_of_two_lengths_are_refused(rows: pl.DataFrame) -> None:
    """Products of vectors need one length."""
    encoding = learn_one(PLAIN, [EMBEDDINGS[0], type(EMBEDDINGS[0])("user_groups", 4)], rows)
    with pytest.raises(ValueError, match=r"not \[4, 8\]"):
        NETWORKS["dlrm"](encoding, Shape((4,)))
