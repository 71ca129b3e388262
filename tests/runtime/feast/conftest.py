"""Feature stores of Feast on real stores: packed rows in a Valkey, and Feast's own beside them."""

import tempfile
from pathlib import Path

import pytest
from feast import FeatureStore, RepoConfig
from feast.repo_config import RegistryConfig

from tests.runtime.features.conftest import serving

OFFLINE = "mlsd_framework.runtime.feast.offline_store.PolarsOfflineStore"
ONLINE = "mlsd_framework.runtime.feast.online_store.PackedOnlineStore"


def feature_store(folder, online, offline="file", project="shop", **settings):
    """A feature store with a registry of its own in `folder`."""
    return FeatureStore(
        config=RepoConfig(
            project=project,
            provider="local",
            registry=RegistryConfig(
                path=str(Path(folder) / f"{project}-{abs(hash(str(online)))}.db"), cache_ttl_seconds=0
            ),
            online_store=online,
            offline_store={"type": offline},
            entity_key_serialization_version=3,
            repo_path=Path(folder),
            **settings,
        )
    )


@pytest.fixture(scope="module")
def valkey_path():
    """The socket of a Valkey that one module's tests share."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, serving(folder) as (path, _):
        yield path


@pytest.fixture
def packed_store(tmp_path, valkey_path, request):
    """A feature store on packed rows, one project a test."""
    project = "".join(letter for letter in request.node.name if letter.isalnum())[:40]
    return feature_store(tmp_path, {"type": ONLINE, "connection": f"unix://{valkey_path}"}, project=project)
