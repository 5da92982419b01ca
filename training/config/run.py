"""The whole training file: every key is known, every value is checked before anything is computed.

Relative paths are relative to the TOML file; those given by `--set` to the working directory. Environment
variables such as `${KERASCOPE_DATA}` are filled in.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from training.config import toml
from training.config.augment import Augment
from training.config.distill import Distill
from training.config.section import Section
from training.config.split import Split
from training.config.stage import Stage
from training.config.task import TaskDefinition
from zoo import errors, tasks
from zoo.cards import InputSpec
from zoo.tasks import Kind, Task

Loss = Literal["cross-entropy", "negative-log-likelihood", "focal", "squared-error", "ordinal", "margin"]
OPERATING_POINT = r"^(youden|(sensitivity|specificity) ?>= ?(0?\.\d+|0|1))$"


class RunConfig(Section):
    """All that decides what a training run comes to, apart from the images.

    Attributes:
        name: of the run's folder, and of the model at export.
        task: a name of `kerascope zoo tasks`, or of the `[task_definition]` in the same file.
        manifest: the table of images (CSV or Parquet).
        data_name: the data set's name, for the card; else the name of the manifest's folder.
        backbone: a name of `zoo.backbones.BACKBONES`.
        weights: "imagenet"; "none"; another model of the zoo ("bundle:NAME" or "bundle:NAME@VERSION", or the path of
            a bundle or of a finished run); or the path of a .keras or .weights.h5 file.
        image_size: side of the network's input, in pixels.
        batch_size: images a step.
        seed: of weights, data order and augmentation.
        dropout: share of the pooled features dropped while fine-tuning.
        stochastic_depth: share of pictures for which the last residual branch is skipped while fine-tuning, rising
            evenly from zero at the first (Huang et al. 2016); EfficientNet and ConvNeXt have it. Absent: as Keras
            builds them, 0.2 and 0.
        class_weights: weigh rare answers up, so that each label's yes and no (each class) counts the same.
        label_smoothing: share of the truth spread over the other answers, in [0, 0.5).
        loss: what fine-tuning lowers: `cross-entropy`; `negative-log-likelihood`, the same of a truth that is not
            smoothed; `focal` (Lin et al. 2017); `squared-error` of the probabilities, and of the expected grade where
            labels are grades; `ordinal`, for grades: the ranked probability score (Epstein 1969); `margin`, every
            present label above every absent one. The probe keeps to cross-entropy.
        focal_gamma: how far the focal loss turns from what is answered well already.
        uncertain: what training makes of answers that the manifest calls uncertain (`u` or `-1`): `ignore`, `zeros`,
            `ones` (Irvin et al. 2019), or `smooth-zeros`, `smooth-ones`: a number drawn evenly from [0, 0.3] or
            [0.55, 0.85] (Pham et al. 2021). Validation and test leave them out.
        deterministic: same file twice, same result on the same machine; costs some speed on a GPU.
        calibration: how logits become probabilities after training; `kerascope evaluate` fits it.
        operating_point: how evaluation chooses where "present" begins: `youden`, `sensitivity>=0.9` or
            `specificity>=0.9`.
        licence: of the weights, for the card.
        intended_use: for the card.
        distill: a teacher to learn from besides the labels, or none.
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
    stochastic_depth: float | None = Field(default=None, ge=0, lt=1)
    class_weights: bool = False
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    loss: Loss = "cross-entropy"
    focal_gamma: float = Field(default=2.0, ge=0)
    uncertain: Literal["ignore", "zeros", "ones", "smooth-zeros", "smooth-ones"] = "ignore"
    deterministic: bool = True
    calibration: Literal["none", "temperature", "platt"] = "temperature"
    operating_point: str = Field("youden", pattern=OPERATING_POINT)
    licence: str = "not stated"
    intended_use: str = "research into image classifiers"
    split: Split = Split()
    augment: Augment = Augment()
    distill: Distill | None = None
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
        task = self.resolve_task()
        if self.loss == "ordinal" and task.kind is not Kind.ORDINAL:
            raise ValueError(f"loss = ordinal is for grades; the task {task.name} is {task.kind.value}")
        if self.loss == "margin" and len(task.labels) < 2:
            raise ValueError(f"loss = margin compares labels, and the task {task.name} has one")
        if self.label_smoothing and self.loss in ("margin", "negative-log-likelihood"):
            raise ValueError(f"loss = {self.loss} takes no label_smoothing")
        if self.uncertain != "ignore" and not task.uncertain:
            raise ValueError(f"uncertain = {self.uncertain}: the task {task.name} has no uncertain answers")
        object.__setattr__(self, "augment", self.augment.within(task))
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
        return InputSpec(
            height=size,
            width=size,
            channels=task.channels,  # type: ignore[arg-type]
            modalities=task.modalities,
            body_parts=task.body_parts,
            views=task.views,
        )

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
        values = toml.read(path)
        toml.resolve_paths(values, path.resolve().parent)
        for change in overrides or []:
            toml.override(values, change)
        toml.resolve_paths(values, Path.cwd())
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
    "distill": Distill,
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
