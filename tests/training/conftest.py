"""A tiny finished run, measured once for all tests that ask about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from training.runs import Run


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A multi-label run with `evaluation/` written."""
    from tests.training.tiny_run import make_run
    from training.evaluate import evaluate

    run = make_run(tmp_path_factory.mktemp("spots"))
    evaluate(run)
    return run
