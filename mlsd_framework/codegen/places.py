"""Where generated code finds a source's files: relative to the project's folder."""

from pathlib import PurePosixPath

from mlsd_framework.ir.fingerprint import fingerprint
from mlsd_framework.ir.sources import Files, Process, Source
from mlsd_framework.ir.system import System


def workspace(system: System) -> str:
    """Return the folder of the system's state."""
    return f".mlsd/{system.name}"


def process_folder(process: Process, system: System) -> str:
    """Return the folder that a process writes its tables to; another setting is another folder."""
    digits = fingerprint(process.function, process.settings).removeprefix("sha256:")
    return f"{workspace(system)}/data/{process.name}-{digits}"


def fetched_folder(source: Source, system: System) -> str:
    """Return the folder that a fetched source's files lie in."""
    return f"{workspace(system)}/data/{source.name}"


def data_paths(source: Source, system: System) -> tuple[str, ...]:
    """Return the paths and globs of a source's files."""
    match source.origin:
        case Process() as process:
            return (f"{process_folder(process, system)}/{process.table}.parquet",)
        case Files(uri=uri) as files if files.remote:
            name = PurePosixPath(uri).name
            return (f"{fetched_folder(source, system)}/{name}",)
        case Files(uri=uri):
            return (uri,)
