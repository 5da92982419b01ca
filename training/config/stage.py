"""`[[stage]]`: one stage of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from training.config.section import Section

Optimizer = Literal[
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "adadelta",
    "rmsprop",
    "adam",
    "adamw",
    "adamax",
    "nadam",
    "adafactor",
    "ftrl",
    "lamb",
    "lars",
    "lion",
    "muon",
    "schedule-free-adamw",
]


class Stage(Section):
    """One stage of training. The first is the probe: the head alone, on stored features of the frozen backbone.

    Attributes:
        epochs: most passes over the training images; for the probe, most steps of L-BFGS.
        l2: probe only: strengths of the penalty tried; the one with the best validation score is kept.
        hand_over: probe only: which head fine-tuning begins with where weights are not "none": the one with the best
            validation `score`, or the one with the least validation `loss`, which is less sure of itself, so that
            features that move a little move its answers less.
        unfreeze_from: absent for the probe; "all", the name of a layer, or the share of the backbone's layers
            (counted from the end) that learns, in (0, 1].
        peak_learning_rate: reached after the warm-up, then moved by the schedule.
        warmup_epochs: over which the learning rate rises from zero.
        schedule: after the warm-up: `cosine` falls to zero at the last epoch; `constant`; `step` is multiplied by
            `rate_factor` every `rate_every` epochs; `plateau` likewise once the validation loss has not fallen for
            `rate_every` epochs; `halve` undoes an epoch whose training loss rose by more than a tenth, or is not
            finite, and goes on at half the rate.
        rate_every: epochs, of `step` and `plateau`.
        rate_factor: of `step` and `plateau`.
        optimizer: `adam`, `adamw`, `lars` (You et al. 2017) or another of Keras'.
        momentum: of `momentum`, `nesterov` and `lars`.
        weight_decay: per step, multiplied with the learning rate and apart from the gradient (Loshchilov and Hutter
            2019); with `lars` part of the gradient.
        penalty_l1: added to the loss: this times the sum of the kernels' sizes.
        penalty_l2: added to the loss: this times the sum of the kernels' squares.
        clip_norm: the gradient of all weights together is shortened to this norm; 0 for no clipping.
        clip_value: each entry of the gradient is held within this instead; 0 for not.
        accumulate: batches whose mean gradient makes one step.
        batch_norm: `inference` keeps the moving statistics of pretrained weights; `train` learns them, which random
            weights need because their moving statistics are mean 0, variance 1, of no picture at all. `auto` is
            `train` where weights = "none", else `inference`.
        rate_decay: learning rate of each stage of the backbone (what lies between two halvings of the picture) as a
            share of that of the stage after it (Howard and Ruder 2018, section 3.2); 1 for one rate.
        head_rate: learning rate of the head, as a multiple of that of the backbone's last stage.
        thaw_epochs: gradual unfreezing (the same, section 3.3): the head learns alone for so many epochs, then the
            backbone's last stage with it, and so on towards the picture; 0 for all at once.
        ema_epochs: memory, in epochs, of an exponential average of the weights, which is then what is validated and
            kept: momentum 1 - 1 / (batches in them); 0 for none.
        patience: epochs without a better validation score after which the stage ends.
    """

    epochs: int = Field(ge=1)
    l2: tuple[float, ...] = ()
    hand_over: Literal["score", "loss"] = "score"
    unfreeze_from: str | float | None = None
    peak_learning_rate: float | None = Field(default=None, gt=0)
    warmup_epochs: float = Field(default=0.5, ge=0)
    schedule: Literal["cosine", "constant", "step", "plateau", "halve"] = "cosine"
    rate_every: int = Field(default=3, ge=1)
    rate_factor: float = Field(default=0.5, gt=0, lt=1)
    optimizer: Optimizer = "adam"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    penalty_l1: float = Field(default=0.0, ge=0)
    penalty_l2: float = Field(default=0.0, ge=0)
    clip_norm: float = Field(default=1.0, ge=0)
    clip_value: float = Field(default=0.0, ge=0)
    accumulate: int = Field(default=1, ge=1)
    batch_norm: Literal["auto", "inference", "train"] = "auto"
    rate_decay: float = Field(default=1.0, gt=0, le=1)
    head_rate: float = Field(default=1.0, gt=0)
    thaw_epochs: float = Field(default=0.0, ge=0)
    ema_epochs: float = Field(default=0.0, ge=0)
    patience: int = Field(default=5, ge=1)

    @property
    def is_probe(self) -> bool:
        """True where the backbone stays frozen."""
        return self.unfreeze_from is None

    @property
    def one_rate(self) -> bool:
        """True where the whole network learns at one rate."""
        return (self.rate_decay, self.head_rate, self.thaw_epochs) == (1.0, 1.0, 0.0)

    @model_validator(mode="after")
    def _fits(self) -> Stage:
        if self.is_probe:
            stray = [
                name for name, value in self if name not in ("epochs", "l2", "hand_over") and value != _default(name)
            ]
            if stray:
                raise ValueError(f"a stage without unfreeze_from is the probe and takes no {', '.join(stray)}")
        elif self.l2:
            raise ValueError("l2 belongs to the probe, the stage without unfreeze_from; here use weight_decay")
        elif self.hand_over != "score":
            raise ValueError("hand_over belongs to the probe, the stage without unfreeze_from")
        elif isinstance(self.unfreeze_from, float) and not 0 < self.unfreeze_from <= 1:
            raise ValueError('unfreeze_from as a share lies in (0, 1]; or name a layer, or say "all"')
        return self


def _default(name: str) -> object:
    return Stage.model_fields[name].default
