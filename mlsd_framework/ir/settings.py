"""Settings that a kind gives to what runs: plain values, and tuples of them."""

SettingValue = str | int | float | bool | None | tuple["SettingValue", ...]
