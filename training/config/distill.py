"""`[distill]`: a teacher for the network to learn from besides the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from training.config.section import Section


class Distill(Section):
    """Knowledge distillation (Hinton et al. 2015): the network is to answer as its teacher does, softly, and rightly.

    Attributes:
        teacher: a run folder, a bundle's folder (`<registry>/<model>/<version>`), `bundle:NAME` or
            `bundle:NAME@VERSION`; of the same labels and input. Several, in a list, teach by their logits' mean.
        temperature: both networks' logits are divided by it before they are compared; above 1 shows what the teacher
            thinks of the less likely answers.
        share: of the loss that is the teacher's, in (0, 1]; the labels have the rest.
    """

    teacher: tuple[Path, ...] = Field(min_length=1)
    temperature: float = Field(default=3.0, gt=0)
    share: float = Field(default=0.5, gt=0, le=1)

    @field_validator("teacher", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """One teacher may be written without a list."""
        return (value,) if isinstance(value, (str, Path)) else value
