"""Labels before and after a change, worked out by hand."""

from __future__ import annotations

import pytest

from serving.deploy.labels import promoted, rolled_back, with_canary
from zoo import errors


@pytest.mark.parametrize(
    ("before", "version", "after"),
    [
        ({"stable": 1, "canary": 2}, None, {"stable": 2, "previous": 1}),
        ({"stable": 1, "canary": 2}, 3, {"stable": 3, "previous": 1, "canary": 2}),
        ({"stable": 2, "previous": 1}, 3, {"stable": 3, "previous": 2}),  # 1 bears no label any more
        ({}, 1, {"stable": 1}),
    ],
)
def test_promoting_makes_a_version_stable_and_remembers_the_one_before(before, version, after):
    assert promoted(before, version) == after


def test_the_version_before_need_not_be_kept():
    assert promoted({"stable": 1, "canary": 2}, None, keep_previous=False) == {"stable": 2}


@pytest.mark.parametrize(
    ("before", "version", "after"),
    [
        ({"stable": 2, "previous": 1}, None, {"stable": 1}),
        ({"stable": 3, "previous": 2, "canary": 4}, None, {"stable": 2, "canary": 4}),
        ({"stable": 3, "previous": 2}, 1, {"stable": 1}),
    ],
)
def test_rolling_back_leaves_the_version_that_failed_without_a_label(before, version, after):
    assert rolled_back(before, version) == after


def test_what_was_promoted_and_rolled_back_is_as_before():
    before = {"stable": 1}
    assert rolled_back(promoted(before, 2), None) == before


def test_a_canary_comes_and_goes_beside_the_stable_version():
    assert with_canary({"stable": 1}, 2) == {"stable": 1, "canary": 2}
    assert with_canary({"stable": 1, "canary": 2}, None) == {"stable": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: promoted({"stable": 1}, None), "no canary to promote"),
        (lambda: promoted({"stable": 1}, 1), "stable already"),
        (lambda: rolled_back({"stable": 1}, None), "no version labelled `previous`"),
        (lambda: rolled_back({"stable": 1}, 1), "stable already"),
        (lambda: with_canary({"stable": 1}, 1), "is the stable one"),
        (lambda: with_canary({"stable": 1}, None), "no canary to take away"),
    ],
)
def test_a_change_that_changes_nothing_is_refused(change, said):
    with pytest.raises(errors.BadRequest, match=said):
        change()
