"""`kerascope models ...` as an operator types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing

from tests.deploy.test_rollout import reached

pytestmark = pytest.mark.slow

Typed = Callable[..., str]


@pytest.fixture
def typed() -> Typed:
    """typed(words): what the command says; it must end with 0."""
    import kerascope

    def run(*words: str) -> str:
        done = typer.testing.CliRunner().invoke(kerascope.app, ["models", *words])
        assert done.exit_code == 0, done.output or done.exception
        return done.output

    return run


def test_a_canary_is_seen_promoted_and_rolled_back(typed, file: Path, start):
    server = start()
    where = ("--model_config_file", str(file), "--model_server", server)
    assert "canary is version 2, stable is version 1" in typed("canary", "line", "--version", "2", *where)
    said = typed("status", "line", "--model_server", server)
    assert f"{server}  line  1  AVAILABLE  stable\n" in said
    assert f"{server}  line  2  AVAILABLE  canary\n" in said
    assert "previous is version 1, stable is version 2" in typed("promote", "line", *where)
    assert reached(server, "stable") == 2
    assert "stable is version 1" in typed("rollback", "line", *where)
    assert reached(server, "stable") == 1
    assert "limes is not known there" in typed("status", "limes", "--model_server", server)


def test_a_canary_needs_a_version_or_its_removal_and_not_both():
    import kerascope

    where = ["--model_config_file", "f", "--model_server", "localhost:1"]
    for words in ([], ["--version", "2", "--remove"]):
        done = typer.testing.CliRunner().invoke(kerascope.app, ["models", "canary", "line", *where, *words])
        assert done.exit_code == 2
        assert "either --version or --remove" in done.output.replace("\n", " ")
