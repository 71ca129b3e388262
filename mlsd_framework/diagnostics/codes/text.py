"""Texts as vectors (69xx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6901",
        "no-tokenizer-library",
        "The library that cuts texts into tokens for a language model is not installed.",
        "Install it, or use `embedding: hashed`, which needs none.",
        right="pip install 'mlsd[text]'",
    ),
)
