"""What looks like a secret written in clear, so that no message and no excerpt ever shows one."""

import re
from typing import Final

_URL_PASSWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"]{0,200}:([^\s@/'\"]{1,500})@")
_KEYS: Final = (
    re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,10000}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{36}\b"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{22,}\b"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20}\b"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b"),
    re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
)
HIDDEN: Final = "•••"


def holds_secret(text: str) -> bool:
    """Say whether `text` holds a URL with a password, a private key, or a key of a well-known service."""
    return _URL_PASSWORD.search(text) is not None or any(key.search(text) for key in _KEYS)


def mask(text: str) -> str:
    """Return `text` with dots in place of whatever looks like a secret."""
    for found in reversed(list(_URL_PASSWORD.finditer(text))):
        text = text[: found.start(1)] + HIDDEN + text[found.end(1) :]
    for key in _KEYS:
        text = key.sub(HIDDEN, text)
    return text
