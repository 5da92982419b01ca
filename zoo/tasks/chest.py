"""Questions about chest radiographs.

None is ever mirrored or turned upside down: the side of the heart, of the stomach's air and of the liver is itself a
finding (situs), and gravity shows in every effusion and air-fluid level. A patient stands or lies askew by a few
degrees.
"""

from __future__ import annotations

from zoo.tasks import codes
from zoo.tasks.task import Kind, Task

RADIOGRAPH = ("CR", "DX")
CHEST = ("CHEST",)
FRONTAL = ("PA", "AP")

CHEST_FINDINGS = Task(
    name="chest-findings",
    question="Which of these 14 findings does this frontal chest radiograph show?",
    # In the order of the paper and of most code for NIH ChestX-ray14: Wang et al. 2017, https://arxiv.org/abs/1705.02315
    labels=(
        "Atelectasis",
        "Cardiomegaly",
        "Effusion",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pneumonia",
        "Pneumothorax",
        "Consolidation",
        "Edema",
        "Emphysema",
        "Fibrosis",
        "Pleural_Thickening",
        "Hernia",
    ),
    kind=Kind.MULTILABEL,
    modalities=RADIOGRAPH,
    body_parts=CHEST,
    views=FRONTAL,
    not_for="diagnosis, treatment or triage of patients; lateral views; labels were read from reports by a program",
    codes={
        "Atelectasis": codes.ATELECTASIS,
        "Cardiomegaly": codes.CARDIOMEGALY,
        "Effusion": codes.EFFUSION,
        "Infiltration": codes.INFILTRATE,
        "Mass": codes.LUNG_MASS,
        "Nodule": codes.LUNG_NODULE,
        "Pneumonia": codes.PNEUMONIA,
        "Pneumothorax": codes.PNEUMOTHORAX,
        "Consolidation": codes.CONSOLIDATION,
        "Edema": codes.OEDEMA,
        "Emphysema": codes.EMPHYSEMA,
        "Fibrosis": codes.FIBROSIS,
    },
)

CHEXPERT = Task(
    name="chexpert",
    question="Which of CheXpert's 14 observations does this chest radiograph show?",
    # Irvin et al. 2019, table 1, https://arxiv.org/abs/1901.07031
    labels=(
        "No Finding",
        "Enlarged Cardiomediastinum",
        "Cardiomegaly",
        "Lung Opacity",
        "Lung Lesion",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
        "Pneumothorax",
        "Pleural Effusion",
        "Pleural Other",
        "Fracture",
        "Support Devices",
    ),
    kind=Kind.MULTILABEL,
    modalities=RADIOGRAPH,
    body_parts=CHEST,
    views=("PA", "AP", "LL"),
    uncertain=True,
    not_for="diagnosis, treatment or triage of patients; labels were read from reports by a program",
    codes={
        "Cardiomegaly": codes.CARDIOMEGALY,
        "Edema": codes.OEDEMA,
        "Consolidation": codes.CONSOLIDATION,
        "Pneumonia": codes.PNEUMONIA,
        "Atelectasis": codes.ATELECTASIS,
        "Pneumothorax": codes.PNEUMOTHORAX,
        "Pleural Effusion": codes.EFFUSION,
        "Fracture": codes.FRACTURE,
    },
)

CHEST_COVID = Task(
    name="chest-covid",
    question="Does this frontal chest radiograph show COVID-19, another pneumonia, or neither?",
    labels=("Covid-19", "No_findings", "Pneumonia"),
    kind=Kind.MULTICLASS,
    modalities=RADIOGRAPH,
    body_parts=CHEST,
    views=FRONTAL,
    negative="No_findings",
    not_for="diagnosis, treatment or triage of patients; children; lateral views",
    codes={"Covid-19": codes.COVID_19, "Pneumonia": codes.PNEUMONIA},
)

PNEUMONIA = Task(
    name="pneumonia",
    question="Does this child's frontal chest radiograph show pneumonia?",
    labels=("pneumonia",),
    kind=Kind.BINARY,
    modalities=RADIOGRAPH,
    body_parts=CHEST,
    views=FRONTAL,
    not_for="diagnosis, treatment or triage of patients; adults; lateral views",
    codes={"pneumonia": codes.PNEUMONIA},
)

TUBERCULOSIS = Task(
    name="tuberculosis",
    question="Does this frontal chest radiograph show signs of pulmonary tuberculosis?",
    labels=("tuberculosis",),
    kind=Kind.BINARY,
    modalities=RADIOGRAPH,
    body_parts=CHEST,
    views=FRONTAL,
    not_for="diagnosis, treatment or triage of patients; lateral views; telling active from healed disease",
    codes={"tuberculosis": codes.TUBERCULOSIS},
)
