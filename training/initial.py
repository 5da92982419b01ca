"""The network as training begins, and where its weights come from."""

from __future__ import annotations

from pathlib import Path

import keras

from training.config import RunConfig
from training.runs import Run
from training.stochastic_depth import with_stochastic_depth
from zoo import errors
from zoo.bundles import EXTRA, Bundle, Registry
from zoo.models import classifier

_BUNDLE = "bundle:"


def build(config: RunConfig) -> keras.Model:
    """The network as training begins: float32 pixels in [0, 255] to logits.

    Raises:
        BadConfig: unknown backbone, impossible size, or weights that cannot be had or are of another backbone.
        BadBundle, BadRun: the weights are a damaged bundle's, or an unfinished run's.
    """
    _same_backbone(config)
    model = classifier.build(
        backbone=config.backbone,
        labels=len(config.resolve_task().labels),
        spec=config.input_spec,
        weights=str(_file(config.weights)),
        dropout=config.dropout,
        seed=config.seed,
    )
    if config.stochastic_depth is None:
        return model
    return with_stochastic_depth(model, config.stochastic_depth, seed=config.seed, backbone=config.backbone)


def resolve(config: RunConfig, registry: Path) -> RunConfig:
    """The same run, its weights and teacher, if given as `bundle:NAME` or `bundle:NAME@VERSION`, as folders.

    Raises:
        BadConfig: VERSION is no number.
        UnknownModel: there is no such model or version.
    """
    changes: dict[str, object] = {"weights": str(_found(config.weights, registry))}
    if config.distill is not None:
        teachers = tuple(Path(_found(str(teacher), registry)) for teacher in config.distill.teacher)
        changes["distill"] = config.distill.model_copy(update={"teacher": teachers})
    return config.model_copy(update=changes)


def _found(named: str, registry: Path) -> str | Path:
    if not named.startswith(_BUNDLE):
        return named
    name, _, version = named.removeprefix(_BUNDLE).partition("@")
    if version and not version.isdigit():
        raise errors.BadConfig(f"{named}: expected bundle:NAME or bundle:NAME@VERSION, a number.")
    return Registry(registry).bundle(name, int(version) if version else None).path.resolve()


def told(config: RunConfig, model: keras.Model) -> str:
    """Where the weights come from and how many layers took them, in words; empty where they are random."""
    if config.weights == "none":
        return ""
    taken = sum(bool(layer.weights) for layer in classifier.backbone_layers(model))
    return f"Weights: {taken} layers of {config.backbone} from {_source(config.weights)}; the head is new."


def _source(weights: str) -> str:
    path = Path(weights)
    if weights == "imagenet":
        return "ImageNet (Keras Applications)"
    if _is_bundle(path):
        card = Bundle(path).card
        return f"the bundle {card.name} version {card.version}, trained for {card.task} on {card.data.name}"
    if _is_run(path):
        return f"the run {path.name}, trained for {Run(path).task.name}"
    return str(path)


def _same_backbone(config: RunConfig) -> None:
    """Refuses weights whose source says that they are of another backbone."""
    path = Path(config.weights)
    if _is_bundle(path):
        Bundle(path).verify()
        backbone = Bundle(path).card.backbone
    elif _is_run(path):
        backbone = Run(path).config.backbone
    else:
        return
    if backbone != config.backbone:
        raise errors.BadConfig(
            f"weights = {path} are of {backbone}, and backbone = {config.backbone}. Weights move only between networks "
            f"of one kind: set backbone = {backbone!r}, or take other weights."
        )


def _file(weights: str) -> str | Path:
    """The keyword, or the file that holds them."""
    path = Path(weights)
    if _is_bundle(path):
        return Bundle(path).keras_path
    if _is_run(path):
        if not Run(path).is_finished:
            raise errors.BadRun(f"The run {path} is not finished, so it has no weights to give. Train it first.")
        return path / "model.keras"
    return weights


def _is_bundle(path: Path) -> bool:
    return (path / EXTRA).is_dir()


def _is_run(path: Path) -> bool:
    return (path / "config.json").is_file()
