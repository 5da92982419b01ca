"""A Keras classifier and its card become one bundle, which stock TensorFlow Serving runs as it stands."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from zoo import bundles, disk, errors
from zoo.bundles import Bundle, Registry
from zoo.calibration import calibrated, tf_calibrated
from zoo.cards import ModelCard
from zoo.models import classifier
from zoo.reference_set import ReferenceSet
from zoo.signatures import Served
from zoo.warmup import write_warmup

__all__ = ["calibrated", "export", "tf_calibrated"]


def export(
    model: keras.Model,
    card: ModelCard,
    registry: Path,
    *,
    batch_sizes: Sequence[int] = (1, 2, 4, 8),
    reference_set: ReferenceSet | None = None,
) -> Bundle:
    """Writes `<registry>/<card.name>/<next version>/`, all of it or nothing.

    The bundle grows in a hidden sibling, which TensorFlow Serving passes over because its name is no number,
    is flushed to the disk, and is then renamed to the next version number.

    Args:
        model: a classifier that gives logits (`zoo.models.classifier.build`), trained.
        card: its card; `version` and `weights_sha256` are filled in here.
        registry: the folder of bundles; made where it is missing.
        batch_sizes: batch sizes that the server may form, for the warm-up file.
        reference_set: the test split as the model saw it; None leaves it out.

    Returns:
        The new version.

    Raises:
        BadConfig: the card says something else than the model, or the registry cannot be written.
    """
    _check(model, card)
    folder = registry / card.name
    with disk.draft(folder) as draft:
        _write_graph(model, card, draft)
        (draft / bundles.EXTRA).mkdir()
        _write_keras(model, draft)
        write_warmup(draft / bundles.EXTRA / "tf_serving_warmup_requests", card, batch_sizes)
        if reference_set is not None:
            (draft / bundles.REFERENCE_SET).write_bytes(reference_set.to_bytes())
        return _publish(draft, card, registry)


def _check(model: keras.Model, card: ModelCard) -> None:
    """Compares what the card promises with what the model is."""
    layer = classifier.evidence_layer(model)
    _, rows, columns, maps = model.get_layer(layer).output.shape
    spec = card.input
    found = {
        "input": (tuple(model.input_shape[1:]), (spec.height, spec.width, spec.channels)),
        "labels": (model.output_shape[-1], len(card.labels)),
        "evidence_layer": (layer, card.evidence_layer),
        "evidence_grid": ((rows, columns), card.evidence_grid),
        "embedding_size": (maps, card.embedding_size),
        "parameters": (model.count_params(), card.parameters),
    }
    faults = [f"{name} is {has} in the model, {says} on the card" for name, (has, says) in found.items() if has != says]
    if faults:
        raise errors.BadConfig(f"The card of {card.name} is of another model: {'; '.join(faults)}.")


def _write_graph(model: keras.Model, card: ModelCard, draft: Path) -> None:
    served = Served(model, card)
    with _quiet():
        tf.saved_model.save(served, str(draft), signatures=dict(served.functions))


def _write_keras(model: keras.Model, draft: Path) -> None:
    """The bare network: a compiled model would drag its optimiser's state along, twice the weights."""
    bare = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    bare.save(draft / bundles.EXTRA / "model.keras")


def _publish(draft: Path, card: ModelCard, registry: Path) -> Bundle:
    """Fills in the card, seals the bundle and gives it the first version number that is free."""
    weights = bundles.sha256_of(draft / bundles.WEIGHTS)
    version = Registry(registry).next_version(card.name)
    while True:
        filled = card.model_copy(update={"version": version, "weights_sha256": weights})
        (draft / bundles.EXTRA / "card.json").write_text(filled.to_json(), encoding="utf-8")
        bundles.write_checksums(draft)
        disk.flush(draft)
        target = draft.parent / str(version)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():
                raise
            version += 1  # another export was faster, or a damaged version lies there
            continue
        disk.flush_folder(draft.parent)
        return Bundle(target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TensorFlow's "Assets written to" to itself; warnings and errors still come through."""
    log = logging.getLogger("tensorflow")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
