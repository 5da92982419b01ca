"""`[task_definition]`: a clinical question of one's own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.config.section import Section
from zoo.tasks import Code, Kind


class TaskDefinition(Section):
    """A clinical question of one's own; the fields are those of `zoo.tasks.Task`."""

    question: str
    labels: tuple[str, ...]
    kind: Kind
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    series: bool = False
    uncertain: bool = False
    channels: Literal[1, 3] = 1
    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation: float = 15.0
    colour_shift: bool = False
    negative: str | None = None
    not_for: str = "diagnosis, treatment or triage of patients"
    codes: dict[str, Code] = Field(default_factory=dict)
