"""A mistyped word is met with the nearest known one."""

import pytest

from mlsd_framework.diagnostics.suggest import nearest

WORDS = ("amount", "card_activity.spend_7d", "day_of_week", "Hour")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("amuont", "amount"),
        ("AMOUNT", "amount"),
        ("hours", "Hour"),
        ("card_activity.spend_7days", "card_activity.spend_7d"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_the_nearest_word_is_found(word: str, near: str | None) -> None:
    """Swaps, endings and case are forgiven; what resembles nothing gets no suggestion."""
    assert nearest(word, WORDS) == near
    assert nearest(word, ()) is None
