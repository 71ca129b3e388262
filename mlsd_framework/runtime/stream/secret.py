"""A setting that must not stand in a file or a log: where to find it, looked up when it is used."""

import os
from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError


@dataclass(frozen=True, slots=True)
class Secret:
    """The content of an environment variable, or of a file without its last line break."""

    env: str | None = None
    file: str | None = None

    def read(self) -> str:
        """Return the secret (E6604)."""
        if self.env is not None:
            found = os.environ.get(self.env)
            if found:
                return found
            raise RunError.of("E6604", f"the variable `{self.env}` is not set, and a setting refers to it")
        try:
            return Path(str(self.file)).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as fault:
            raise RunError.of("E6604", f"the file `{self.file}`, to which a setting refers, cannot be read") from fault
