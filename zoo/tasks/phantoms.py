"""Questions about pictures that were drawn here, for which every answer is known."""

from __future__ import annotations

from zoo.tasks.chest import CHEST, RADIOGRAPH
from zoo.tasks.task import Kind, Task

PHANTOM_CHEST = Task(
    name="phantom-chest",
    question="Which of these did we draw into this procedurally generated chest radiograph?",
    labels=("nodule", "consolidation", "effusion", "cardiomegaly", "pneumothorax"),
    kind=Kind.MULTILABEL,
    modalities=RADIOGRAPH,
    body_parts=CHEST,
    not_for="any patient: the model has seen no patient, only generated pictures",
)
