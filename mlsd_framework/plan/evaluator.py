"""Does what a plan says, stage by stage; what is done is written down after each, so that a kill loses one at most."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from mlsd_framework.diagnostics.errors import PlanError, RunError
from mlsd_framework.plan import service_state
from mlsd_framework.plan.builder import Builder
from mlsd_framework.plan.current_plan import make_plan
from mlsd_framework.plan.definition import Action, Plan, SavedPlan, check_same
from mlsd_framework.plan.deployment import deployment_for, environment_for, keep_service
from mlsd_framework.plan.explainer import describe
from mlsd_framework.plan.lock import held
from mlsd_framework.plan.progress import Progress, Step
from mlsd_framework.plan.project import Project
from mlsd_framework.plan.proving import refuse_unproved, today
from mlsd_framework.plan.scripts import STORE, run_script, version_in
from mlsd_framework.plan.stages import (
    Build,
    BuildIndex,
    Catalogue,
    Dataset,
    Evaluate,
    Fetch,
    Materialise,
    Serve,
    Simulate,
    Stage,
    Train,
    Verify,
)
from mlsd_framework.plan.state import Record, Served, State, not_written, now, read_state, stamps, write_state

PATIENCE_S = 1800.0
_HISTORY = 20


@dataclass(frozen=True, slots=True)
class Done:
    """What a stage left beside its files: a line for people, and the version that it made.

    What is not `recorded` is done again the next time.
    """

    said: str = ""
    version: str = ""
    recorded: bool = True


def bring(
    project: Project,
    progress: Progress,
    *,
    until: str | None = None,
    only: str | None = None,
    agree: Callable[[Plan], None] = lambda _: None,
    saved: tuple[SavedPlan, Path] | None = None,
) -> Plan:
    """Bring a system to what its spec says and return the plan that was carried out.

    `until` ends with the stages of that kind, `only` does those alone.

    One command at a time: the plan is made when the others have ended. `agree` may refuse it by raising; a `saved` plan
    is refused (E5012) where it is not the same any more.
    """
    busy = f"another command works on `{project.blueprint.system}`; waiting for it"
    with held(project.workspace, PATIENCE_S, lambda: progress.say(busy)) as lock:
        plan, builder = make_plan(project, until or only)
        if only is not None:
            plan = replace(plan, actions=tuple(one for one in plan.actions if one.stage.kind == only))
        if saved is not None:
            check_same(saved[0], plan, saved[1])
        agree(plan)
        if any(isinstance(one.stage, Materialise | Serve) for one in plan.actions):
            _check_environment(project)
        Evaluator(project, builder, progress, lock).apply(plan)
    return plan


class Evaluator:
    """Visits the stages of a plan; needs the lock of the system."""

    def __init__(self, project: Project, builder: Builder, progress: Progress, lock: int) -> None:
        """Take the project, the builder of the plan, where progress goes, and the lock's descriptor."""
        self._project = project
        self._place = project.workspace
        self._builder = builder
        self._progress = progress
        self._lock = lock

    def apply(self, plan: Plan) -> None:
        """Do every action in order; the first that fails raises, and what was done before it stays done."""
        for number, action in enumerate(plan.actions, 1):
            with self._progress.step(describe(action.stage), number, len(plan.actions)) as step:
                begun = time.monotonic()
                done = self._do(action.stage, step)
                step.said = done.said
                if done.recorded:
                    self._note(action, done, time.monotonic() - begun)
        if not plan.actions:
            self._keep_digests()

    def prove(self, action: Action, arguments: Sequence[str]) -> None:
        """Do the action of a proof alone, with arguments for its script and nothing overridden."""
        stage = action.stage
        if not isinstance(stage, Verify):
            raise TypeError(stage.name)
        with self._progress.step(describe(stage), 1, 1) as step:
            begun = time.monotonic()
            done = Done(self._script(stage.name, stage.script, step, arguments=arguments))
            step.said = done.said
            self._note(action, done, time.monotonic() - begun)

    def _do(self, stage: Stage, step: Step) -> Done:  # noqa: PLR0911 - one a stage
        match stage:
            case Fetch():
                return self._fetch(stage, step)
            case Simulate():
                return self._simulate(stage)
            case Build():
                return self._build(stage)
            case Catalogue() | Dataset() | Train() | BuildIndex():
                return Done(self._script(stage.name, stage.script, step))
            case Evaluate():
                version = version_in(self._script(stage.name, stage.script, step))
                return Done(f"version {version}", version)
            case Materialise():
                return self._materialise(stage, step)
            case Verify():
                return self._verify(stage, step)
            case Serve():
                return self._serve(stage)

    def _fetch(self, stage: Fetch, step: Step) -> Done:
        from mlsd_framework.runtime.data.fetch import fetch  # noqa: PLC0415 - only this stage pays for it

        def shown(done: int, total: int | None) -> None:
            step.note = f"{done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f} MB" if total else "")

        try:
            found = fetch(stage.uri, into=self._project.root / stage.folder, sha256=stage.sha256, progress=shown)
        except OSError as fault:
            raise not_written(self._project.root / stage.folder, fault) from fault
        licence = stage.licence or found.licence or "unknown"
        return Done(f"{found.size / 1e6:.1f} MB{' from the cache' if found.cached else ''}, licence {licence}")

    def _simulate(self, stage: Simulate) -> Done:
        module, _, function = stage.function.partition(":")
        folder = self._project.root / stage.folder
        try:
            getattr(import_module(module), function)(folder, **dict(stage.settings))
        except OSError as fault:
            raise not_written(folder, fault) from fault
        return Done("simulated; no person, card or merchant is real")

    def _build(self, stage: Build) -> Done:
        from mlsd_framework.codegen.artefacts import write  # noqa: PLC0415 - the same

        written = write(self._project.root / stage.folder, self._project.files)
        if written.foreign:
            self._progress.say(f"left alone in `{stage.folder}`, not mlsd's: {', '.join(written.foreign)}")
        removed = f", {len(written.removed)} removed" if written.removed else ""
        return Done(f"{len(written.changed)} written, {len(written.unchanged)} unchanged{removed}")

    def _materialise(self, stage: Materialise, step: Step) -> Done:
        """Compute the rows, and publish them where the workers will ask; an embedded store runs before it is filled."""
        from mlsd_framework.runtime.operations import client  # noqa: PLC0415 - the same
        from mlsd_framework.runtime.operations.deployment import EmbeddedStore, StoreAddress  # noqa: PLC0415 - the same
        from mlsd_framework.runtime.operations.store import store_url  # noqa: PLC0415 - the same
        from mlsd_framework.runtime.stream.brokers import BROKERS, OPTIONS  # noqa: PLC0415 - the same

        service = self._project.generated / "service"
        deployment = deployment_for(self._project, self._version() or "none", service)
        if isinstance(deployment.store, EmbeddedStore):
            client.open_store(deployment, environment_for(self._project))
        url = deployment.store.url if isinstance(deployment.store, StoreAddress) else store_url(self._place)
        told = environment_for(self._project)
        brokers = {name: told.get(name, "") for name in (BROKERS, OPTIONS)}  # live states go on from their topics
        return Done(self._script(stage.name, stage.script, step, {STORE: url, **brokers}))

    def _verify(self, stage: Verify, step: Step) -> Done:
        """Prove; where the proof fails, go on only under an override that counts, and prove again the next time."""
        try:
            return Done(self._script(stage.name, stage.script, step))
        except RunError as fault:
            until = refuse_unproved(stage, fault, today())
            self._progress.say(f"the proof fails, and is overridden until {until}: {stage.reason}")
            return Done(f"not proved, overridden until {until}", recorded=False)

    def _serve(self, stage: Serve) -> Done:
        version = self._version()
        if not version:
            raise RunError.of(
                "E5016", f"`{stage.folder}` has no version to serve", help="a system that serves needs a model"
            )
        return Done(serve(self._project, version, keep_service(self._project)), version)

    def _script(
        self,
        name: str,
        script: str,
        step: Step,
        variables: Mapping[str, str] = MappingProxyType({}),
        arguments: Sequence[str] = (),
    ) -> str:
        log = self._place.logs / f"{name.replace(' ', '-')}.log"
        root = self._project.root
        return run_script(
            root, name, script, log=log, step=step, lock=self._lock, arguments=arguments, variables=variables
        )

    def _version(self) -> str:
        record = self._builder.state.stages.get("evaluate")
        return record.version if record else ""

    def _note(self, action: Action, done: Done, seconds: float) -> None:
        stage, builder, root = action.stage, self._builder, self._project.root
        outputs = [*stage.outputs]
        if isinstance(stage, Evaluate):
            outputs.append(str((self._place.versions / done.version).relative_to(root)))
        left = stamps(root, outputs)
        if left is None:
            missing = [path for path in outputs if stamps(root, [path]) is None]
            raise RunError.of(
                "E5015", f"stage `{stage.name}` ends without `{missing[0]}`", expected="a file or folder there"
            )
        record = Record(
            action.fingerprint, builder.parts(stage), left, now(), round(seconds, 3), done.said, done.version
        )
        state = builder.state.with_record(stage.name, record)
        if isinstance(stage, Evaluate):
            state = _with_cards(state, root)
        if isinstance(stage, Serve):
            state = replace(state, contract=self._project.blueprint.contract)
            state = served(state, done.version, keep_service(self._project))
        builder.state = replace(state, damaged=False)
        write_state(self._place, builder.state)

    def _keep_digests(self) -> None:
        if dict(read_state(self._place).digests) != dict(self._builder.state.digests):
            write_state(self._place, self._builder.state)


def serve(project: Project, version: str, service: str) -> str:
    """Start a version with the code kept in `service`, or let it take over; return what was done.

    Where nothing served before, a start that fails leaves nothing running.
    """
    from mlsd_framework.runtime import atomic  # noqa: PLC0415 - only this stage pays for it
    from mlsd_framework.runtime.operations import client  # noqa: PLC0415 - as above

    place = project.workspace
    if not (place.versions / version / "bundle.json").is_file():
        error = RunError.of("E5016", f"there is no version `{version}`", help="`mlsd train` makes the newest one again")
        raise PlanError(error.diagnostics)
    deployment = deployment_for(project, version, project.root / service)
    before = service_state.running(place)
    try:
        status = client.start(deployment, environment_for(project))
    except RunError:
        if before is None or not before.serves:
            client.stop(place)
        raise
    atomic.write_text(place.current, f"{version}\n")
    return f"{status.change}, version {version} at {status.url}"


def _check_environment(project: Project) -> None:
    """Find what the environment lacks before a training, not after it."""
    deployment_for(project, "none", project.generated / "service")
    environment_for(project)


def served(state: State, version: str, service: str) -> State:
    """Return the state with one more entry in the history of what served."""
    if state.history and (state.history[-1].version, state.history[-1].service) == (version, service):
        return state
    return replace(state, history=(*state.history, Served(version, service, now()))[-_HISTORY:])


def switch(project: Project, progress: Progress, version: str | None) -> tuple[str, str]:
    """Let a former version serve again, or the one named; return its id and what was done.

    A version that never served is taken only if the generated service is made from its spec (E5016).
    """
    place = project.workspace
    with held(place, PATIENCE_S, lambda: progress.say("another command works on this system; waiting for it")):
        state = read_state(place)
        running = service_state.running(place)
        now_serving = running.version if running else (state.history[-1].version if state.history else "")
        wanted = version or next((one.version for one in reversed(state.history) if one.version != now_serving), None)
        if wanted is None:
            error = RunError.of("E5016", f"no version of `{project.blueprint.system}` served before `{now_serving}`")
            raise PlanError(error.diagnostics)
        service = _service_of(project, state, wanted)
        said = serve(project, wanted, service)
        write_state(place, served(state, wanted, service))
    return wanted, said


def _service_of(project: Project, state: State, version: str) -> str:
    """Return the folder of the service's code that belongs to a version."""
    import json  # noqa: PLC0415 - rarely needed

    from mlsd_framework.ir.fingerprint import features_fingerprint, system_fingerprint  # noqa: PLC0415 - as above

    for one in reversed(state.history):
        if one.version == version and (project.root / one.service / "service.py").is_file():
            return one.service
    manifest = project.workspace.versions / version / "bundle.json"
    try:
        made = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        known = sorted(path.parent.name for path in project.workspace.versions.glob("*/bundle.json"))
        error = RunError.of(
            "E5016", f"there is no version `{version}`", expected=f"one of: {', '.join(known) or 'none yet'}"
        )
        raise PlanError(error.diagnostics) from None
    ours = (system_fingerprint(project.system), features_fingerprint(project.system))
    if (made.get("spec"), made.get("features")) != ours or make_plan(project, "build")[0].actions:
        error = RunError.of(
            "E5016",
            f"version `{version}` was made from another spec than `{project.generated}`, and its code was never kept",
            help="bring back the spec that it was made from, and deploy that",
        )
        raise PlanError(error.diagnostics)
    return keep_service(project)


def _with_cards(state: State, root: Path) -> State:
    """Take the stamps of models again: evaluation has written their cards."""
    stages = {
        name: replace(record, outputs=stamps(root, record.outputs) or record.outputs)
        if name.startswith("train ")
        else record
        for name, record in state.stages.items()
    }
    return replace(state, stages=stages)
