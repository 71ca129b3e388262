"""Finding a source's files under a folder, without leaving it, and the values that partition folders add."""

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mlsd_framework.diagnostics.errors import RunError

if TYPE_CHECKING:
    from mlsd_framework.runtime.data.schema import Format, SourceTable

_SUFFIXES: dict[str, "Format"] = {
    ".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv", ".txt": "csv", ".inter": "csv", ".item": "csv",
    ".user": "csv", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source: where it is, its format, and the columns that its folders name (`day=2024-01-01`)."""

    path: Path
    format: "Format"
    partition: tuple[tuple[str, str | None], ...] = ()


def source_files(table: "SourceTable", root: Path) -> tuple[SourceFile, ...]:
    """List the table's files in reading order.

    Raises RunError: a path finds nothing (E6110), leaves `root` (E6111) or has no known format (E6112).
    """
    found: list[SourceFile] = []
    for pattern in table.paths:
        matches = _expand(root, pattern, table.format)
        if not matches:
            raise RunError.of(
                "E6110",
                f"source `{table.name}` finds no file at `{pattern}`",
                expected=f"a file, a folder or a glob under `{root}`",
                help="`mlsd data fetch` gets the files of sources that say where they are published",
            )
        found += [_source_file(table, root, pattern, path) for path in matches]
    return tuple(dict.fromkeys(found))


def _expand(root: Path, pattern: str, format_: "Format | None") -> list[Path]:
    """Return the files of one path, glob or folder, sorted.

    Of a folder, hidden files, part files and files of no known format are left out.
    """
    if ".." in Path(pattern).parts:
        raise _leaves(pattern, root)
    whole = root / pattern
    matches = [whole] if whole.exists() else [Path(hit) for hit in glob.glob(str(whole), recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
    files: list[Path] = []
    for match in sorted(matches):
        if match.is_dir():
            files += [path for path in sorted(match.rglob("*")) if path.is_file() and _is_data(path, match, format_)]
        elif match.is_file():
            files.append(match)
    return files


def _is_data(path: Path, folder: Path, format_: "Format | None") -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    return not hidden and path.suffix not in (".part", ".crc") and (format_ or _by_suffix(path)) is not None


def _by_suffix(path: Path) -> "Format | None":
    return next((form for end, form in _SUFFIXES.items() if path.name.lower().endswith(end)), None)


def _source_file(table: "SourceTable", root: Path, pattern: str, path: Path) -> SourceFile:
    if not path.resolve().is_relative_to(root.resolve()):
        raise _leaves(pattern, root)
    form = table.format or _by_suffix(path)
    if form is None:
        raise RunError.of(
            "E6112",
            f"`{path}` of source `{table.name}` has no known format",
            expected="`.csv`, `.csv.gz`, `.tsv` or `.parquet`",
            help="say `format: csv` or `format: parquet`",
        )
    below = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    pairs = [part.split("=", 1) for part in below if "=" in part]
    return SourceFile(
        path, form, tuple((name, None if value == _HIVE_NULL else unquote(value)) for name, value in pairs)
    )


def _leaves(pattern: str, root: Path) -> RunError:
    return RunError.of(
        "E6111", f"`{pattern}` leads out of `{root}`", expected="a path inside the folder, symbolic links followed"
    )
