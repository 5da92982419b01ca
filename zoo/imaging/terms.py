"""The words of the standard that the gate goes by. Anything else is not quoted: it could be a patient's name."""

from __future__ import annotations

import re

# Modality (PS3.3 C.7.3.1.1.1), the common terms.
RADIOLOGY = ("CR", "CT", "DX", "IO", "MG", "MR", "NM", "PT", "PX", "RF", "US", "XA")
MODALITIES = (*RADIOLOGY, "ECG", "ES", "GM", "OCT", "OP", "OT", "SC", "SM", "SR", "XC")

# Body Part Examined (PS3.16 annex L, table L-1), the common terms.
BODY_PARTS = (
    *("ABDOMEN", "ABDOMENPELVIS", "ANKLE", "ARM", "BLADDER", "BRAIN", "BREAST", "CALCANEUS", "CALF", "CHEST"),
    *("CHESTABDOMEN", "CHESTABDPELVIS", "CLAVICLE", "COCCYX", "CSPINE", "ELBOW", "EXTREMITY", "EYE", "FEMUR"),
    *("FINGER", "FOOT", "FOREARM", "HAND", "HEAD", "HEADNECK", "HIP", "HUMERUS", "JAW", "KNEE", "LEG", "LIVER"),
    *("LSPINE", "MANDIBLE", "MAXILLA", "NECK", "ORBIT", "PATELLA", "PELVIS", "PROSTATE", "SCALP", "SCAPULA"),
    *("SHOULDER", "SKIN", "SKULL", "SPINE", "SSPINE", "STERNUM", "TEETH", "THIGH", "THUMB", "TIBIA", "TOE"),
    *("TSPINE", "WRIST", "ZYGOMA"),
)
_SAME = {"THORAX": "CHEST", "LUNG": "CHEST", "LUNGS": "CHEST", "MAMMA": "BREAST", "CRANIUM": "SKULL"}

# View Position of radiographs (PS3.3 C.8.7.1.1 and C.8.11.1), then of mammograms (PS3.16 CID 4014, short names).
VIEWS = (
    *("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO"),
    *("CC", "MLO", "ML", "LM", "LMO", "FB", "SIO", "XCC", "XCCL", "XCCM"),
)
_LATERAL = {"LAT": "LL", "LATERAL": "LL"}


def body_part(text: str) -> str:
    """`Chest PA` -> `CHEST`; empty where no word is one of the standard's."""
    return next((part for word in _words(text) if (part := _SAME.get(word, word)) in BODY_PARTS), "")


def view(text: str) -> str:
    """`Lateral` -> `LL`; likewise."""
    return next((found for word in _words(text) if (found := _LATERAL.get(word, word)) in VIEWS), "")


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Z]+", text.upper())[:8]
