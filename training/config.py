"""One training run as one TOML file: every key is known, every value is checked before anything is computed.

Relative paths are relative to the TOML file; those given by `--set` to the working directory. Environment
variables such as `${KERASCOPE_DATA}` are filled in.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from zoo import errors, tasks
from zoo.cards import InputSpec
from zoo.tasks import Kind, Task

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPERATING_POINT = r"^(youden|(sensitivity|specificity) ?>= ?(0?\.\d+|0|1))$"


class Section(BaseModel):
    """A part of a training file: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskDefinition(Section):
    """A clinical question of one's own; the fields are those of `zoo.tasks.Task`."""

    question: str
    labels: tuple[str, ...]
    kind: Kind
    modalities: tuple[str, ...] = ()
    channels: Literal[1, 3] = 1
    flip_horizontal: bool = False
    flip_vertical: bool = False
    negative: str | None = None
    not_for: str = "diagnosis, treatment or triage of patients"


class Split(Section):
    """Which images are for training, for choosing and for measuring; what the manifest says goes before.

    Attributes:
        seed: of the split alone, so that runs with other seeds are measured on the same patients.
        folds: 0 for one split of 70/10/20; k for k-fold cross-validation, by group.
        fold: which of the folds is the test split, from 0.
        group_near_duplicates: keep pictures that look the same on one side, for data without patient identifiers.
    """

    seed: int = Field(default=0, ge=0)
    folds: int = Field(default=0, ge=0)
    fold: int = Field(default=0, ge=0)
    group_near_duplicates: bool = False

    @model_validator(mode="after")
    def _fold_exists(self) -> Split:
        if self.folds == 1 or (self.fold and self.fold >= self.folds):
            raise ValueError(
                f"fold {self.fold} of {self.folds}: set folds to 2 or more and fold below it, or leave both out"
            )
        return self


class Augment(Section):
    """How far a training picture is varied, each time anew; flips besides only as the task allows.

    Attributes:
        rotation: largest turn either way, in degrees.
        shift: largest shift either way, as a share of the side.
        zoom: largest change of scale either way, as a share, each axis apart by up to a quarter of it.
        brightness: largest shift of the grey values either way, as a share of the range.
        contrast: largest change of contrast either way, as a share.
        gamma: largest exponent; the exponent lies between 1 / gamma and gamma, evenly in its logarithm.
        noise: largest standard deviation of added noise, as a share of the range.
    """

    rotation: float = Field(default=7.0, ge=0, le=180)
    shift: float = Field(default=0.05, ge=0, le=0.5)
    zoom: float = Field(default=0.1, ge=0, lt=1)
    brightness: float = Field(default=0.1, ge=0, le=1)
    contrast: float = Field(default=0.15, ge=0, lt=1)
    gamma: float = Field(default=1.2, ge=1)
    noise: float = Field(default=0.02, ge=0, le=1)


class Stage(Section):
    """One stage of training. The first is the probe: the head alone, on stored features of the frozen backbone.

    Attributes:
        epochs: most passes over the training images; for the probe, most steps of L-BFGS.
        l2: probe only: strengths of the penalty tried; the one with the best validation score is kept.
        unfreeze_from: absent for the probe; "all", the name of a layer, or the share of the backbone's layers
            (counted from the end) that learns, in (0, 1].
        peak_learning_rate: reached after the warm-up, then lowered to zero along a cosine.
        warmup_epochs: over which the learning rate rises from zero.
        optimizer: `adam` or `adamw`.
        weight_decay: AdamW's, per step, multiplied with the learning rate.
        batch_norm: `inference` keeps the moving statistics of pretrained weights; `train` learns them, which random
            weights need because their moving statistics are mean 0, variance 1, of no picture at all. `auto` is
            `train` where weights = "none", else `inference`.
        patience: epochs without a better validation score after which the stage ends.
    """

    epochs: int = Field(ge=1)
    l2: tuple[float, ...] = ()
    unfreeze_from: str | float | None = None
    peak_learning_rate: float | None = Field(default=None, gt=0)
    warmup_epochs: float = Field(default=0.5, ge=0)
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = Field(default=0.0, ge=0)
    batch_norm: Literal["auto", "inference", "train"] = "auto"
    patience: int = Field(default=5, ge=1)

    @property
    def is_probe(self) -> bool:
        """True where the backbone stays frozen."""
        return self.unfreeze_from is None

    @model_validator(mode="after")
    def _fits(self) -> Stage:
        if self.is_probe:
            stray = [name for name, value in self if name not in ("epochs", "l2") and value != _default(name)]
            if stray:
                raise ValueError(f"a stage without unfreeze_from is the probe and takes no {', '.join(stray)}")
        elif self.l2:
            raise ValueError("l2 belongs to the probe, the stage without unfreeze_from; here use weight_decay")
        elif isinstance(self.unfreeze_from, float) and not 0 < self.unfreeze_from <= 1:
            raise ValueError('unfreeze_from as a share lies in (0, 1]; or name a layer, or say "all"')
        return self


def _default(name: str) -> object:
    return Stage.model_fields[name].default


class RunConfig(Section):
    """All that decides what a training run comes to, apart from the images.

    Attributes:
        name: of the run's folder, and of the model at export.
        task: a name of `kerascope zoo tasks`, or of the `[task_definition]` in the same file.
        manifest: the table of images (CSV or Parquet).
        data_name: the data set's name, for the card; else the name of the manifest's folder.
        backbone: a name of `zoo.backbones.BACKBONES`.
        weights: "imagenet", "none", or the path of a .keras or .weights.h5 file.
        image_size: side of the network's input, in pixels.
        batch_size: images a step.
        seed: of weights, data order and augmentation.
        dropout: share of the pooled features dropped while fine-tuning.
        class_weights: weigh rare answers up, so that each label's yes and no (each class) counts the same.
        label_smoothing: share of the truth spread over the other answers, in [0, 0.5).
        deterministic: same file twice, same result on the same machine; costs some speed on a GPU.
        calibration: how logits become probabilities after training; `kerascope evaluate` fits it.
        operating_point: how evaluation chooses where "present" begins: `youden`, `sensitivity>=0.9` or
            `specificity>=0.9`.
        licence: of the weights, for the card.
        intended_use: for the card.
        stage: the stages in order; the first is the probe.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    task: str
    task_definition: TaskDefinition | None = None
    manifest: Path
    data_name: str = ""
    backbone: str
    weights: str = "none"
    image_size: int = Field(ge=16, le=2048)
    batch_size: int = Field(default=32, ge=1)
    seed: int = Field(default=0, ge=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    class_weights: bool = False
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    deterministic: bool = True
    calibration: Literal["none", "temperature", "platt"] = "temperature"
    operating_point: str = Field("youden", pattern=OPERATING_POINT)
    licence: str = "not stated"
    intended_use: str = "research into image classifiers"
    split: Split = Split()
    augment: Augment = Augment()
    stage: tuple[Stage, ...] = (Stage(epochs=300),)

    @field_validator("stage")
    @classmethod
    def _one_probe_first(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if [stage.is_probe for stage in stages] != [True] + [False] * (len(stages) - 1):
            raise ValueError("the first stage is the probe, without unfreeze_from; every later one has unfreeze_from")
        for number, stage in enumerate(stages[1:], start=2):
            if stage.peak_learning_rate is None:
                raise ValueError(f"stage {number} has no peak_learning_rate; 3e-5 is a careful choice")
        return stages

    @model_validator(mode="after")
    def _known(self) -> RunConfig:
        self.resolve_task()
        return self

    def resolve_task(self) -> Task:
        """The clinical question.

        Raises:
            BadConfig: no such task, or its definition contradicts itself.
        """
        if self.task_definition is None:
            return tasks.get(self.task)
        return Task(name=self.task, **dict(self.task_definition))

    @property
    def input_spec(self) -> InputSpec:
        """What the network takes."""
        task = self.resolve_task()
        size = self.image_size
        return InputSpec(height=size, width=size, channels=task.channels, modalities=task.modalities)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path, overrides: list[str] | None = None) -> RunConfig:
        """Reads a training file.

        Args:
            path: the TOML file.
            overrides: `key=value`, for example `stage.2.epochs=3` (stages count from 1) or `weights=none`.

        Raises:
            BadConfig: no such file, not TOML, an unknown key, an impossible value.
        """
        path = Path(path)
        values = _read_toml(path)
        _resolve_paths(values, path.resolve().parent)
        for override in overrides or []:
            _set(values, override)
        _resolve_paths(values, Path.cwd())
        return cls.parse(values, source=str(path))

    @classmethod
    def parse(cls, values: dict[str, Any], *, source: str) -> RunConfig:
        """Checks values read from `source`.

        Raises:
            BadConfig: an unknown key, with the near one; or an impossible value, with its place.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(_fault(found) for found in error.errors()[:5])
            raise errors.BadConfig(f"{source}: {faults}.") from None


_SECTIONS: dict[str, type[Section]] = {
    "split": Split,
    "augment": Augment,
    "stage": Stage,
    "task_definition": TaskDefinition,
}


def _fault(found: Any) -> str:
    """One of pydantic's errors in our words."""
    place = [part + 1 if isinstance(part, int) else part for part in found["loc"]]
    if found["type"] == "extra_forbidden":
        section = _SECTIONS.get(str(place[0]), RunConfig) if len(place) > 1 else RunConfig
        return _unknown_key(place, list(section.model_fields))
    where = ".".join(str(part) for part in place) or "the file"
    if found["type"] == "missing":
        return f"{where} is missing"
    message = str(found["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" + ("" if isinstance(found["input"], dict) else f", got {found['input']!r}")


def _unknown_key(place: list[Any], known: list[str]) -> str:
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    parent = ".".join(str(part) for part in place[:-1])
    return f"unknown {'.'.join(map(str, place))}; {hint}{parent or 'The file'} has {', '.join(known)}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadConfig(f"{path} cannot be read: {error.strerror}. Give a training file (TOML).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.BadConfig(f"{path} is not TOML: {error}.") from None


def _set(values: dict[str, Any], override: str) -> None:
    """Applies one `key=value`; the value is TOML, or else plain text."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise errors.BadConfig(f"--set {override!r}: expected key=value, for example --set stage.2.epochs=3.")
    *parents, last = key.strip().split(".")
    inner: Any = values
    for part in parents:
        inner = _inside(inner, part, override)
    if not isinstance(inner, dict):
        raise errors.BadConfig(f"--set {override!r}: {'.'.join(parents)} has no keys of its own.")
    inner[last] = _value(text.strip())


def _inside(values: Any, part: str, override: str) -> Any:
    if isinstance(values, list):
        if not part.isdigit() or not 1 <= int(part) <= len(values):
            raise errors.BadConfig(f"--set {override!r}: stages are counted from 1 to {len(values)}, got {part!r}.")
        return values[int(part) - 1]
    if not isinstance(values, dict):
        raise errors.BadConfig(f"--set {override!r}: nothing lies below {part!r}.")
    return values.setdefault(part, {})


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _resolve_paths(values: dict[str, Any], base: Path) -> None:
    """Fills in environment variables and makes the two paths absolute."""
    for key in ("manifest", "weights"):
        text = values.get(key)
        if not isinstance(text, str) or (key == "weights" and text in ("imagenet", "none")):
            continue
        filled = os.path.expanduser(os.path.expandvars(text))
        if missing := re.search(r"\$\{?(\w+)", filled):
            raise errors.BadConfig(
                f"{key} = {text!r} needs the environment variable {missing[1]}, which is not set. "
                f"Set it, or give --set {key}=PATH."
            )
        values[key] = str(Path(os.path.normpath(base / filled)))
