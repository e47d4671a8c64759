"""The tests of the guard miss nothing: every edit of it makes one fail."""

import guard_mutants
import pytest
import test_guard


def test_every_test_can_be_called():
    assert guard_mutants.found_by(test_guard.module, test_guard) == ""


@pytest.mark.parametrize(
    ("what", "old", "new"), guard_mutants.MUTATIONS, ids=[what for what, _, _ in guard_mutants.MUTATIONS]
)
def test_an_edit_is_noticed(what, old, new):
    assert guard_mutants.found_by(guard_mutants.mutant(old, new), test_guard), f"{what}: nobody noticed"
