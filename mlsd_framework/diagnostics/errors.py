"""The exceptions of mlsd: one root, one subclass a stage.

MlsdError
├── SpecError       the spec is at fault: shape (1xxx), references and types (2xxx)
├── TargetError     a target cannot express the spec (3xxx)
├── PluginError     a plugin is at fault (4xxx)
├── PlanError       planning or deploying is refused (5xxx)
├── RunError        data or a run is at fault (6xxx)
└── InternalError   a bug of ours; shown with its traceback
"""

from collections.abc import Iterable

from mlsd_framework.diagnostics.diagnostic import Diagnostic


class MlsdError(Exception):
    """Root of all errors that mlsd raises on purpose; carries the diagnostics to show."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        """Take one diagnostic or several, in order of place."""
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("\n".join(f"{d.code}: {d.what}" for d in found))
        self.diagnostics = found


class SpecError(MlsdError):
    """The spec has faults."""


class TargetError(MlsdError):
    """A target cannot express what the spec asks for."""


class PluginError(MlsdError):
    """A plugin fails or breaks its contract."""


class PlanError(MlsdError):
    """A plan or a deployment is refused."""


class RunError(MlsdError):
    """Data, a training, a service or a process is at fault."""

    @classmethod
    def of(
        cls,
        code: str,
        what: str,
        *,
        expected: str | None = None,
        help: str | None = None,  # noqa: A002 - the field's name in every renderer
        notes: Iterable[str] = (),
    ) -> "RunError":
        """Build the error from one fault without a place in a spec."""
        return cls(Diagnostic(code=code, what=what, expected=expected, help=help, notes=tuple(notes)))


class InternalError(MlsdError):
    """A bug in mlsd."""
