"""Who may ask: the bearer token, and the refusal to listen wider than loopback without one."""

import hmac
import ipaddress
import os
import socket
from pathlib import Path

from mlsd_framework.diagnostics.errors import RunError

SHORTEST = 16


class Access:
    """The token of a service, if it has one; compared in constant time and shown nowhere."""

    __slots__ = ("_expected",)

    def __init__(self, token: str | None) -> None:
        """Ask for `token`, or for nothing (E6413 when it is too short)."""
        if token is not None and len(token) < SHORTEST:
            raise RunError.of("E6413", f"the token has {len(token)} characters", expected=f"at least {SHORTEST}")
        self._expected = f"Bearer {token}".encode() if token else None

    @classmethod
    def from_environment(cls) -> "Access":
        """Take the token from `MLSD_TOKEN` or the file that `MLSD_TOKEN_FILE` names (E6413)."""
        named = os.environ.get("MLSD_TOKEN_FILE")
        if not named:
            return cls(os.environ.get("MLSD_TOKEN") or None)
        try:
            return cls(Path(named).read_text().strip())
        except (OSError, UnicodeDecodeError) as fault:
            raise RunError.of("E6413", f"the token file `{named}` cannot be read: {fault}") from fault

    @property
    def required(self) -> bool:
        """Whether requests need a token."""
        return self._expected is not None

    def allows(self, authorization: bytes) -> bool:
        """Return whether a request with this `Authorization` header may pass."""
        return self._expected is None or hmac.compare_digest(authorization, self._expected)

    def reachable(self, server: tuple[str, int | None] | None) -> bool:
        """Return whether a request that came in at the address `server` may be looked at at all.

        `bentoml serve` binds every interface by default and says nothing at start: without a token, what did not come
        over loopback (or a Unix socket) is turned away.
        """
        return self.required or server is None or server[0].startswith("127.") or server[0] in ("::1", "localhost")

    def check_binding(self, listening: socket.socket) -> None:
        """Refuse a socket that is reachable from elsewhere when there is no token (E6401)."""
        if self.required or listening.family not in (socket.AF_INET, socket.AF_INET6):
            return
        host = str(listening.getsockname()[0])
        if not ipaddress.ip_address(host.split("%", maxsplit=1)[0]).is_loopback:
            raise RunError.of(
                "E6401",
                f"the service would listen on `{host}` without a token",
                expected="a token, or a loopback address",
                help="set `MLSD_TOKEN_FILE`, or listen on 127.0.0.1",
            )
