"""Tests of one group run in one process, so that what they share is set up once."""

import pytest


@pytest.mark.xdist_group("groups")
def test_groups_are_known_to_what_deals_tests_out(request: pytest.FixtureRequest) -> None:
    """pytest-xdist deals out by what it writes behind a test's id, which not every pytest lets it do."""
    dealt_by_group = bool(request.config.getoption("loadgroup", default=False))
    assert request.node.nodeid.endswith("@groups") == dealt_by_group
