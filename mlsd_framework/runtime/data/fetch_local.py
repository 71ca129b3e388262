"""Local paths and globs: the files are used where they are, and only looked at."""

import glob
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.cache import Record, Stored
from mlsd_framework.runtime.digest import file_sha256


def fetch_local(path: str, base: Path) -> tuple[Path, Record]:
    """Return where a local file, folder or glob is, and its files; raises RunError E6110 when there is none."""
    whole = base / Path(path).expanduser()
    matches = [whole] if whole.exists() else [Path(hit) for hit in sorted(glob.glob(str(whole), recursive=True))]  # noqa: PTH207 - absolute patterns too
    files: list[tuple[str, Path]] = []
    for match in matches:
        inside = sorted(match.rglob("*")) if match.is_dir() else [match]
        files += [(file.relative_to(match.parent).as_posix(), file) for file in inside if file.is_file()]
    if not files:
        raise RunError.of(
            "E6110", f"there is no file at `{path}`", expected=f"a file, a folder or a glob under `{base}`"
        )
    stored = tuple(Stored(name, file_sha256(file), file.stat().st_size) for name, file in files)
    single = len(matches) == 1
    return (matches[0] if single else matches[0].parent), Record(
        stored, str(matches[0]) if single else str(whole), None
    )
