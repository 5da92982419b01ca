"""`kerascope store`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kerascope
from serving.store.store import Store
from tests.serving.store.answers import analysis, header
from zoo import errors


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


def say(*words: str) -> str:
    done = CliRunner().invoke(kerascope.app, ["store", *words])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_a_store_is_made_looked_at_and_pruned(url: str):
    assert "up to date" in say("upgrade", "--store", url)
    Store(url).analyses.save(analysis(), header())
    counts = json.loads(say("show", "--store", url, "--json"))
    assert counts["jobs"] == {"received": 0, "analysing": 0, "done": 0, "refused": 0, "failed": 0}
    assert "0 images, 0 analyses" in say("prune", "--older-than-days", "1", "--store", url)
    assert "0 images, 1 analyses and 1 studies" in say("prune", "--older-than-days", "0", "--store", url)
    assert "0 images, 0 results" in say("retry", "--store", url)


def test_no_store_named_is_said_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KERASCOPE_STORE", raising=False)
    with pytest.raises(errors.BadConfig, match="KERASCOPE_STORE"):
        say("upgrade")
