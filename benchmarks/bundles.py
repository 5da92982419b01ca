"""A bundle to measure with: random weights, real architecture. What it answers does not matter here, only how fast."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from zoo.backbones import BACKBONES
from zoo.bundles import Bundle, Registry
from zoo.cards import InputSpec, Label, ModelCard, OperatingPoint, Training, TrainingData
from zoo.export import export
from zoo.models.classifier import build, evidence_layer
from zoo.tasks import PHANTOM_CHEST


def bundle(
    backbone: str,
    registry: Path,
    *,
    size: int = 224,
    modalities: tuple[str, ...] = PHANTOM_CHEST.modalities,
    point: OperatingPoint | None = None,
) -> Bundle:
    """The bundle of an untrained `backbone`, made at the first call; each label with an operating point if given."""
    name = f"bench-{backbone}{'-rated' if point else ''}"
    if Registry(registry).versions(name):
        return Registry(registry).bundle(name)
    spec = InputSpec(height=size, width=size, channels=1, modalities=modalities)
    model = build(backbone=backbone, labels=len(PHANTOM_CHEST.labels), spec=spec)
    _, rows, columns, maps = model.get_layer(evidence_layer(model)).output.shape
    card = ModelCard(
        name=name,
        version=1,
        task=PHANTOM_CHEST.name,
        question=PHANTOM_CHEST.question,
        kind=PHANTOM_CHEST.kind,
        backbone=BACKBONES[backbone].name,
        parameters=model.count_params(),
        input=spec,
        labels=tuple(Label(name=label, operating_point=point) for label in PHANTOM_CHEST.labels),
        evidence_layer=evidence_layer(model),
        evidence_grid=(rows, columns),
        embedding_size=maps,
        licence="Apache-2.0",
        intended_use="measuring speed",
        not_for=PHANTOM_CHEST.not_for,
        data=TrainingData(name="none", fingerprint="", images={}, grouped_by="image"),
        training=Training(config={}, code_revision="", packages={}),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    return export(model, card, registry)
