"""From an environment to a deployment: secrets by reference, refusals before anything is done."""

import json
from pathlib import Path

import pytest

from mlsd_framework.diagnostics.errors import PlanError
from mlsd_framework.ir.environments import Secret
from mlsd_framework.plan.deployment import deployment_for, environment_for, keep_service, secret
from mlsd_framework.plan.evaluator import bring, switch
from mlsd_framework.plan.progress import Progress
from mlsd_framework.runtime.operations.deployment import EmbeddedStore, StoreAddress
from tests.plan.small_project import Small

QUIET = Progress(quiet=True)


def with_environment(small: Small, text: str) -> Small:
    """Write the spec with another environment."""
    small.write(("  local: {port: 0, workers: 1}", f"  local: {text}"))
    return small


def test_the_embedded_store_takes_its_memory_from_the_environment(small: Small) -> None:
    """What the environment says reaches the supervisor."""
    project = with_environment(small, "{port: 4000, workers: 3, drain: 4s, store_memory: 64MB}").project()
    found = deployment_for(project, "v", project.generated / "service")
    assert (found.port, found.workers, found.drain_s) == (4000, 3, 4.0)
    assert isinstance(found.store, EmbeddedStore)
    assert found.store.memory_mb in (61, 64)


def test_the_address_of_a_store_is_a_secret(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from the environment, and stands in neither the plan nor the memory of blueprints."""
    monkeypatch.setenv("STORE", "redis://:hush@127.0.0.1:1/0")
    project = with_environment(small, "{port: 0, online_store: {url: {env: STORE}}}").project()
    found = deployment_for(project, "v", project.generated / "service")
    assert found.store == StoreAddress(url="redis://:hush@127.0.0.1:1/0")
    small.plan()
    written = [path.read_text() for path in (small.root / ".mlsd").rglob("*.json")]
    assert written
    assert not any("hush" in text for text in written)


def test_a_token_comes_from_where_the_spec_says_and_from_nowhere_else(small: Small, tmp_path: Path) -> None:
    """A token of the shell that the environment does not name never reaches the service."""
    shell = {"PATH": "/bin", "MLSD_TOKEN": "of the shell", "MLSD_TOKEN_FILE": "x"}
    assert environment_for(small.project(), shell) == {"PATH": "/bin"}
    (tmp_path / "token").write_text("hush\n")
    project = with_environment(small, "{port: 0, auth: {token: {file: token}}}").project()
    assert environment_for(project, shell) == {"PATH": "/bin", "MLSD_TOKEN": "hush"}


def test_brokers_come_from_where_the_spec_says_and_from_nowhere_else(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They and their secrets travel in the processes' environment; those of the shell never do."""
    shell = {"PATH": "/bin", "MLSD_KAFKA_BROKERS": "of the shell", "MLSD_KAFKA_OPTIONS": "{}"}
    assert environment_for(small.project(), shell) == {"PATH": "/bin"}
    for name in ("BROKERS", "KAFKA_USER", "KAFKA_PASSWORD"):
        monkeypatch.setenv(name, f"value of {name}")
    asked = (
        "{port: 0, stream: {kafka: {brokers: {env: BROKERS}, protocol: sasl_ssl, "
        "username: {env: KAFKA_USER}, password: {env: KAFKA_PASSWORD}}}}"
    )
    found = environment_for(with_environment(small, asked).project(), shell)
    assert found["MLSD_KAFKA_BROKERS"] == "value of BROKERS"
    assert json.loads(found["MLSD_KAFKA_OPTIONS"]) == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "value of KAFKA_USER",
        "sasl.password": "value of KAFKA_PASSWORD",
    }


def test_a_system_without_live_features_has_no_updater(small: Small) -> None:
    """Whatever the environment says; one with them has as many as it says, and its store evicts as it says."""
    project = with_environment(small, "{port: 0, updaters: 2, store_evict: idle_states}").project()
    found = deployment_for(project, "v", project.generated / "service")
    assert (found.updater, found.updaters) == ("", 0)
    assert found.store == EmbeddedStore(memory_mb=256, evict="idle_states")
    small.write(
        ("    event_time: ts\n", "    event_time: ts\n    stream: payments\n"),
        ("    refresh: 1h\n", ""),
        ("  local: {port: 0, workers: 1}", "  local: {port: 0, updaters: 2}"),
    )
    live = small.project()
    found = deployment_for(live, "v", live.generated / "service")
    assert (Path(found.updater).name, found.updaters) == ("updater.py", 2)


@pytest.mark.parametrize("reference", [Secret("env", "MLSD_TEST_NOT_SET"), Secret("file", "no-such-file")])
def test_a_missing_secret_is_named(tmp_path: Path, reference: Secret) -> None:
    """The message says where the secret was looked for."""
    with pytest.raises(PlanError, match="E5019") as caught:
        secret(reference, tmp_path)
    assert reference.name in caught.value.diagnostics[0].what


def test_a_missing_secret_is_found_before_a_training(small: Small) -> None:
    """Nothing is done for an environment that lacks something."""
    project = with_environment(small, "{port: 0, auth: {token: {env: MLSD_TEST_NOT_SET}}}").project()
    with pytest.raises(PlanError, match="E5019"):
        bring(project, QUIET)
    assert not project.generated.exists()


def test_an_environment_for_a_cluster_is_refused(small: Small) -> None:
    """This machine runs local environments only."""
    project = with_environment(small, "{port: 0, target: kubernetes, online_store: {url: {env: STORE}}}").project()
    with pytest.raises(PlanError, match="E5018"):
        bring(project, QUIET)


def test_a_breaking_plan_can_be_refused_before_anything_is_done(settled: Small) -> None:
    """Whoever does not agree stops it; what was there is as it was."""
    settled.write(("false_positive: 5", "false_positive: 6"))
    before = settled.project().workspace.state.read_bytes()

    def refuse(_: object) -> None:
        raise PlanError(())

    with pytest.raises(PlanError):
        bring(settled.project(), QUIET, agree=refuse)
    assert settled.project().workspace.state.read_bytes() == before


def test_the_service_is_kept_by_its_content(settled: Small) -> None:
    """The same code is kept once; changed code beside it, so that a restarted worker still finds its own."""
    project = settled.project()
    first = keep_service(project)
    assert keep_service(project) == first
    kept = (settled.root / first / "service.py").read_text()
    (project.generated / "service" / "service.py").write_text("changed")
    assert keep_service(project) != first
    assert (settled.root / first / "service.py").read_text() == kept


def test_a_version_of_another_spec_is_refused(settled: Small) -> None:
    """A version that never served is taken only with the code that belongs to it."""
    versions = settled.project().workspace.versions
    other = versions / "fedcba987654"
    other.mkdir(parents=True)
    (other / "bundle.json").write_text('{"spec": "sha256:0", "features": "sha256:0"}')
    with pytest.raises(PlanError, match=r"E5016.*another spec"):
        switch(settled.project(), QUIET, "fedcba987654")
    with pytest.raises(PlanError, match="there is no version"):
        switch(settled.project(), QUIET, "nothing")


def test_there_is_nothing_before_the_first_version(settled: Small) -> None:
    """A rollback without a former version says so."""
    with pytest.raises(PlanError, match="served before"):
        switch(settled.project(), QUIET, None)
