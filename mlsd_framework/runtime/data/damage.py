"""Finding where a CSV file is damaged, once reading it has failed: the line, the column and the bytes."""

import codecs
import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.data.schema import SourceTable

_LONGEST_LINE = 1 << 20
_CHUNK = 1 << 20


def csv_header(table: SourceTable, path: Path, delimiter: str) -> list[str]:
    """Read the column names of a CSV file; raise RunError (E6114, E6115) where the first line is none."""
    try:
        with _opened(path) as stream:
            line = stream.readline(_LONGEST_LINE)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(table, path, str(error)) from error
    if not line.strip():
        raise RunError.of(
            "E6114", f"`{path}` of source `{table.name}` has no header line", expected="a CSV file with a header"
        )
    if len(line) == _LONGEST_LINE:
        raise RunError.of(
            "E6115",
            f"the first line of `{path}` of source `{table.name}` is longer than {_LONGEST_LINE:,} bytes",
            expected="a line of column names",
            help="the file may be binary, or `format` may be wrong",
        )
    try:
        return next(csv.reader([line.decode("utf-8-sig")], delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise _not_text(table, path, 1, None, line[error.start : error.end + 8]) from error
    except csv.Error as error:
        raise _damaged(table, path, f"line 1: {error}") from error


def csv_fault(table: SourceTable, path: Path, delimiter: str, error: BaseException) -> RunError:
    """Return the error that says why a CSV file cannot be read, after looking for its place."""
    if isinstance(error, OSError) and error.errno is not None:
        return _damaged(table, path, str(error))
    header = csv_header(table, path, delimiter)
    try:
        return (
            _wrong_text(table, path, header, delimiter)
            or _wrong_rows(table, path, header, delimiter)
            or _damaged(table, path, str(error))
        )
    except (OSError, EOFError, zlib.error) as broken:
        return _damaged(table, path, str(broken))


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _wrong_text(table: SourceTable, path: Path, header: list[str], delimiter: str) -> RunError | None:
    """Find the first bytes that are not UTF-8; memory stays bounded whatever the length of a line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, start = 1, b""
    with _opened(path) as stream:
        while True:
            chunk = stream.read(_CHUNK)
            pending = decoder.getstate()[0]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                data = pending + chunk
                before = (start + data[: error.start]).rpartition(b"\n")[2]
                text = before.decode(errors="replace")
                at = len(next(csv.reader([text], delimiter=delimiter), [""])) - 1 if len(text) < _LONGEST_LINE else 0
                column = header[at] if 0 <= at < len(header) else None
                return _not_text(
                    table, path, line + data[: error.start].count(b"\n"), column, data[error.start : error.start + 8]
                )
            if not chunk:
                return None
            line += chunk.count(b"\n")
            start = (start + chunk).rpartition(b"\n")[2][-_LONGEST_LINE:]


def _wrong_rows(table: SourceTable, path: Path, header: list[str], delimiter: str) -> RunError | None:
    """Find the first row with too many values, or whose quote is never closed."""
    with _opened(path) as stream:
        rows = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=delimiter, strict=True)
        line = 1
        try:
            for row in rows:
                if len(row) > len(header):
                    return _damaged(table, path, f"line {line} has {len(row)} values for {len(header)} columns")
                line = rows.line_num + 1
        except csv.Error as error:
            return _damaged(table, path, f"line {line}: {error}")
    return None


def _damaged(table: SourceTable, path: Path, why: str) -> RunError:
    cause = (why.strip() or "unknown cause").split("\n", 1)[0][:300]
    return RunError.of(
        "E6114",
        f"`{path}` of source `{table.name}` is damaged: {cause}",
        expected="a whole CSV file, plain or gzip",
        help="fetch or write the file again",
    )


def _not_text(table: SourceTable, path: Path, line: int, column: str | None, value: bytes) -> RunError:
    where = f", column `{column}`" if column else ""
    return RunError.of(
        "E6115",
        f"`{path}` of source `{table.name}`, line {line}{where}: {value[:8]!r} is not UTF-8",
        expected="text in UTF-8",
        help="convert the file, for example with `iconv -f latin1 -t utf-8`",
    )
