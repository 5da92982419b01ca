"""Bundles on disk: found by version, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import errors
from zoo.bundles import CHECKSUMS, Bundle, Registry, write_checksums


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    for version in (1, 2, 10):
        folder = tmp_path / "chest" / str(version)
        (folder / "assets.extra").mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"graph")
        (folder / "assets.extra" / "card.json").write_text("{}")
        write_checksums(folder)
    return Registry(tmp_path)


def test_versions_are_numbers_not_words(registry):
    assert registry.versions("chest") == [1, 2, 10]
    assert registry.next_version("chest") == 11
    assert registry.next_version("knee") == 1
    assert registry.bundle("chest").version == 10


def test_what_is_half_written_or_hidden_is_no_version(registry):
    (registry.root / "chest" / "11").mkdir()
    (registry.root / "chest" / ".tmp-12").mkdir()
    (registry.root / "empty").mkdir()
    assert registry.versions("chest") == [1, 2, 10]
    assert registry.names() == ["chest"]


def test_an_unknown_model_is_answered_with_what_is_near(registry):
    with pytest.raises(errors.UnknownModel, match=r"'chset'. Near it: chest"):
        registry.bundle("chset")
    with pytest.raises(errors.UnknownModel, match=r"no version 3. It has: 1, 2, 10"):
        registry.bundle("chest", 3)


def test_a_name_cannot_climb_out_of_the_registry(registry):
    for name in ("../chest", "", ".", "..", "chest/1"):
        with pytest.raises(errors.UnknownModel):
            registry.bundle(name)


def test_a_whole_bundle_verifies(registry):
    registry.bundle("chest").verify()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "saved_model.pb").write_bytes(b"grapf"), "saved_model.pb has changed"),
        (lambda folder: (folder / "saved_model.pb").unlink(), "saved_model.pb is missing"),
        (lambda folder: (folder / "extra").write_bytes(b""), "extra is not listed"),
        (lambda folder: (folder / CHECKSUMS).unlink(), "no readable"),
    ],
)
def test_a_damaged_bundle_is_refused_by_name(registry, harm, said):
    harm(registry.root / "chest" / "1")
    with pytest.raises(errors.BadBundle, match=said):
        Bundle(registry.root / "chest" / "1").verify()


def test_an_unreadable_card_is_refused_by_field(registry):
    with pytest.raises(errors.BadBundle, match=r"name: Field required"):
        _ = registry.bundle("chest").card
