"""Operations (65xx): processes, ports, the supervisor."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
