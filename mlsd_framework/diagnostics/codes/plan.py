"""Plans and deployments (5xxx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E5001",
        "output-is-a-link",
        "A generated file or its folder is a symbolic link; writing through it could change any file.",
        "Remove the link, and build again.",
        right="rm generated/card-fraud && mlsd build fraud",
    ),
    Code(
        "E5002",
        "output-not-writable",
        "A generated file cannot be written: no permission, or no space. What was there before is intact.",
        "Free space or mend the permissions, and build again.",
    ),
)
