"""Sockets get paths that the kernel takes, in folders that are ours; locks end with their holder."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.operations.control_server import control_listener
from mlsd_framework.runtime.operations.deployment import EmbeddedStore, StoreAddress, deployment_of, order_of
from mlsd_framework.runtime.operations.places import is_locked, locked, prepare, socket_path, try_lock
from mlsd_framework.runtime.workspace import Workspace


def test_a_short_path_lies_in_the_workspace(tmp_path: Path) -> None:
    """Nothing outside it is made."""
    assert socket_path(Workspace(tmp_path), "s.sock") == tmp_path.resolve() / "run" / "s.sock"


def test_a_long_path_falls_back_to_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same each time, another for another workspace, mode 0700, and one can listen there."""
    # Short, as such a folder is: tmp_path may be too deep itself.
    runtime = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = Workspace(tmp_path / ("d" * 120))
    path = socket_path(deep, "control.sock")
    assert path == socket_path(deep, "control.sock")
    assert path.parent != socket_path(Workspace(tmp_path / ("e" * 120)), "control.sock").parent
    assert path.is_relative_to(runtime)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    control_listener(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["open", "link"])
def test_a_folder_that_a_stranger_may_have_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A folder that others may enter, or a link to one, is not trusted."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = Workspace(tmp_path / ("d" * 120))
    folder = socket_path(deep, "x").parent
    folder.rmdir()
    if kind == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="E6508"):
        socket_path(deep, "x")


def test_a_lock_is_exclusive_and_looking_does_not_take_it(tmp_path: Path) -> None:
    """Held: seen, not taken twice; let go: free; a wait that ends in vain is an error."""
    path = tmp_path / "lock"
    assert not is_locked(path)
    handle = try_lock(path)
    assert handle is not None
    assert is_locked(path)
    assert try_lock(path) is None
    with pytest.raises(RunError, match="E6507"), locked(path, 0.05):
        pass
    os.close(handle)
    assert not is_locked(path)
    with locked(path, 1.0):
        assert is_locked(path)


def test_a_workspace_that_cannot_be_made_is_an_error_with_a_code(tmp_path: Path) -> None:
    """A file where a folder has to be."""
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="E6514"):
        prepare(Workspace(tmp_path / "file" / "system"))


def test_orders_are_the_same_where_nothing_differs_that_the_service_reads(tmp_path: Path) -> None:
    """Shells differ in much; the service's own variables and those that it names count."""
    place = Workspace(tmp_path)
    deployment = deployment_of(place, system="s", version="1", service=tmp_path, bundle=tmp_path, variables=("KEY",))
    order = order_of(deployment, {"MLSD_TOKEN": "a", "KEY": "k", "SHLVL": "1"})
    assert order.is_same(order_of(deployment, {"MLSD_TOKEN": "a", "KEY": "k", "SHLVL": "2"}))
    assert not order.is_same(order_of(deployment, {"MLSD_TOKEN": "b", "KEY": "k"}))
    assert not order.is_same(order_of(deployment, {"MLSD_TOKEN": "a", "KEY": "l"}))


def test_a_shown_deployment_has_no_password(tmp_path: Path) -> None:
    """An address loses its user and password, an embedded store stays as it is."""
    place = Workspace(tmp_path)
    for store, shown in (
        (StoreAddress(url="redis://u:p@w@h:1"), StoreAddress(url="redis://h:1")),
        (EmbeddedStore(), EmbeddedStore()),
    ):
        found = deployment_of(place, system="s", version="1", service=tmp_path, bundle=tmp_path, store=store)
        assert found.shown.store == shown
