"""Which version answers: the registry's verified bundles against what the model server serves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serving.catalogue import Catalogue
from zoo import errors
from zoo.bundles import write_checksums
from zoo.cards import InputSpec, Label, ModelCard, Training, TrainingData
from zoo.tasks import Kind


class Served:
    """A model server that serves what a test says."""

    def __init__(self) -> None:
        self.versions: dict[str, set[int]] = {}
        self.labels: dict[str, dict[str, int]] = {}
        self.away = False

    def available(self, name: str) -> frozenset[int]:
        if self.away:
            raise errors.ModelNotReady("away")
        return frozenset(self.versions.get(name, ()))

    def labelled(self, name: str, label: str) -> int | None:
        return self.labels.get(name, {}).get(label)


def add(registry: Path, name: str, version: int) -> Path:
    """A bundle as far as the catalogue looks: a card and true checksums."""
    folder = registry / name / str(version)
    (folder / "assets.extra").mkdir(parents=True)
    card = ModelCard(
        name=name,
        version=version,
        task="pneumonia",
        question="?",
        kind=Kind.BINARY,
        backbone="small-cnn",
        parameters=1,
        input=InputSpec(height=64, width=64, channels=1),
        labels=(Label(name="pneumonia"),),
        evidence_layer="any",
        evidence_grid=(2, 2),
        embedding_size=1,
        licence="Apache-2.0",
        intended_use="tests",
        not_for="patients",
        data=TrainingData(name="none", fingerprint="0", images={}, grouped_by="image"),
        training=Training(config={}, code_revision="unknown", packages={}),
        created="2026-01-01",
    )
    (folder / "assets.extra" / "card.json").write_text(card.to_json())
    (folder / "saved_model.pb").write_bytes(b"graph")
    write_checksums(folder)
    return folder


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def catalogue(tmp_path: Path, served: Served) -> Catalogue:
    return Catalogue(tmp_path, served)


@pytest.mark.parametrize(
    ("serves", "chosen"),
    [({2}, 2), ({1, 2}, 2), ({1}, 1), (set(), 3), ({9}, 3)],
)
def test_version_0_is_the_newest_that_answers_else_the_newest(catalogue, served, tmp_path, serves, chosen):
    for version in (1, 2, 3):
        add(tmp_path, "m", version)
    served.versions["m"] = serves
    catalogue.refresh()
    assert catalogue.bundle("m").version == chosen
    assert catalogue.bundle("m", 3).version == 3


@pytest.mark.parametrize(("stable", "chosen"), [(1, 1), (2, 2), (3, 2), (7, 2)])
def test_version_0_is_the_one_labelled_stable_where_that_answers(catalogue, served, tmp_path, stable, chosen):
    # Version 2 is a canary beside version 1; 3 does not answer, and there is no 7.
    for version in (1, 2, 3):
        add(tmp_path, "m", version)
    served.versions["m"], served.labels["m"] = {1, 2}, {"stable": stable, "canary": 2}
    catalogue.refresh()
    assert catalogue.bundle("m").version == chosen


def test_a_model_exported_just_now_is_found_without_waiting_for_a_refresh(catalogue, tmp_path):
    catalogue.refresh()
    add(tmp_path, "m", 1)
    assert catalogue.bundle("m").version == 1


def test_nothing_is_ready_while_the_model_server_is_away(catalogue, served, tmp_path):
    add(tmp_path, "m", 1)
    served.versions["m"] = {1}
    catalogue.refresh()
    assert catalogue.is_ready("m", 1)
    served.away = True
    catalogue.refresh()
    assert not catalogue.is_ready("m", 1)
    assert catalogue.names() == ["m"]


def test_a_changed_newest_version_leaves_the_one_before(catalogue, tmp_path, caplog):
    add(tmp_path, "m", 1)
    (add(tmp_path, "m", 2) / "saved_model.pb").write_bytes(b"other")
    for _ in range(3):
        catalogue.refresh()
    assert catalogue.versions("m") == [1]
    assert catalogue.bundle("m").version == 1
    with pytest.raises(errors.BadBundle, match=r"saved_model\.pb has changed"):
        catalogue.bundle("m", 2)
    assert caplog.text.count("has changed") == 1  # said once, not at every look


def test_a_bundle_is_verified_once_while_it_stays_the_same(catalogue, tmp_path, monkeypatch):
    folder = add(tmp_path, "m", 1)
    verified = []
    monkeypatch.setattr("zoo.bundles.Bundle.verify", lambda bundle: verified.append(bundle.version))
    for _ in range(3):
        catalogue.refresh()
    assert verified == [1]
    os.utime(folder / "saved_model.pb", ns=(1, 1))
    catalogue.refresh()
    assert verified == [1, 1]


def test_a_model_without_one_good_version_is_said_to_be_unusable(catalogue, tmp_path):
    (add(tmp_path, "m", 1) / "assets.extra" / "card.json").write_text("{}")
    catalogue.refresh()
    assert catalogue.names() == []
    with pytest.raises(errors.UnknownModel, match="gateway's log"):
        catalogue.bundle("m")


def test_a_deleted_model_is_gone_at_the_next_look(catalogue, tmp_path):
    import shutil

    add(tmp_path, "m", 1)
    catalogue.refresh()
    shutil.rmtree(tmp_path / "m")
    catalogue.refresh()
    assert catalogue.names() == []
    with pytest.raises(errors.UnknownModel):
        catalogue.bundle("m")
