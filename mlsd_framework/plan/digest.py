"""One short name for many values: what fingerprints of parts and stages are put together with."""

import hashlib
import json


def digest(*values: object) -> str:
    """Return `sha256:` and 16 digits over values that JSON has."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
