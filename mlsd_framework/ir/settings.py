"""Settings that a kind gives to what runs: plain values, and tuples of them."""

SettingValue = str | int | float | bool | None | tuple["SettingValue", ...]

LATER = "later"
"""The key of a field's metadata that says of one that the language came to have it later.

Where it is left out, a fingerprint does not count it: a spec that does not know it means what it meant before.
"""
