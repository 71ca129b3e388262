"""A source's local path stays inside the project."""

from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from mlsd_framework.diagnostics.diagnostic import Diagnostic
from mlsd_framework.diagnostics.span import Span
from mlsd_framework.ir.sources import Files
from mlsd_framework.ir.system import System


def paths_inside(system: System) -> Iterator[Diagnostic]:
    """Find paths that are absolute, climb out with `..`, or hold control characters.

    `path: ../other/data.csv` → E2108.
    """
    for source in system.sources:
        origin = source.origin
        if not isinstance(origin, Files):
            continue
        scheme = origin.uri.split(":", 1)[0] if ":" in origin.uri else ""
        if not origin.uri.isprintable():
            yield _fault(source.name, "holds characters that cannot be printed", origin.span or source.span)
        elif scheme not in ("", "https", "pypi", "deb"):
            expected = "a path inside the project, or `https:`, `pypi:`, `deb:`"
            yield Diagnostic(
                code="E2108",
                what=f"the path of `sources.{source.name}` has the scheme `{scheme}`",
                span=origin.span or source.span,
                expected=expected,
            )
        elif not origin.remote and _leaves(origin.uri):
            yield _fault(source.name, "leaves the project's folder", origin.span or source.span)
        elif origin.remote and ".." in PurePosixPath(origin.uri.split(":", 1)[1]).parts:
            yield _fault(source.name, "climbs with `..`", origin.span or source.span)


def _leaves(path: str) -> bool:
    return (
        PurePosixPath(path).is_absolute()
        or PureWindowsPath(path).is_absolute()
        or ".." in PurePosixPath(path.replace("\\", "/")).parts
        or path.startswith("~")
    )


def _fault(source: str, how: str, span: Span | None) -> Diagnostic:
    return Diagnostic(
        code="E2108",
        what=f"the path of `sources.{source}` {how}",
        span=span,
        expected="a path below the project's folder",
    )
