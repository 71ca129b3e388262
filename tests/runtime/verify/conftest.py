"""A proof that holds, made once, and its parts by themselves."""

from collections.abc import Callable, Iterator

import pytest

from mlsd_framework.runtime.verify import fingerprints
from mlsd_framework.runtime.verify.coverage import FeatureCoverage, coverage_of
from mlsd_framework.runtime.verify.homes.store import temporary_store
from mlsd_framework.runtime.verify.parity import GroupParity, compared, homes_of
from mlsd_framework.runtime.verify.proof import Proof
from mlsd_framework.runtime.verify.prove import prove
from mlsd_framework.runtime.verify.sampling import sampled
from tests.runtime.verify.shop import frames, subject

Asked = Callable[[str], tuple[GroupParity, list[FeatureCoverage]]]


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a real store."""
    with temporary_store() as url:
        yield url


@pytest.fixture
def asked(store: str) -> Asked:
    """Ask all homes of one group of the shop."""

    def ask(name: str) -> tuple[GroupParity, list[FeatureCoverage]]:
        shop = subject()
        stored = next(one for one in shop.stored if one.name == name)
        sample = sampled(shop, stored, 600)
        return compared(sample, homes_of(stored, store))[0], coverage_of(sample)

    return ask


@pytest.fixture(scope="session")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """The proof of the shop."""
    folder = tmp_path_factory.mktemp("shop")
    for name, frame in zip(("payments", "cards", "labels"), frames(), strict=True):
        frame.write_parquet(folder / f"{name}.parquet")
    assert fingerprints.runtime_fingerprint().startswith("sha256:")
    return prove(subject(), folder, rows=600)
