"""Pictures that no chest model was made for, drawn here: enough like the real thing to try a gate on."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Greys = np.ndarray


def ankle(seed: int) -> Greys:
    """Soft tissue on black, two long bones, the talus and a foot; uint8 [360, 300]."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (300, 360), 0)
    pen = ImageDraw.Draw(picture)
    pen.polygon([(70, 0), (230, 0), (215, 220), (290, 300), (290, 360), (60, 360), (85, 220)], fill=70)
    pen.polygon([(110, 0), (165, 0), (175, 200), (150, 235), (105, 215)], fill=170)
    pen.polygon([(185, 0), (205, 0), (210, 230), (190, 235)], fill=150)
    pen.ellipse((100, 225, 210, 290), fill=160)
    pen.polygon([(80, 280), (260, 300), (270, 345), (80, 350)], fill=150)
    return _film(picture, rng)


def lateral(seed: int) -> Greys:
    """A chest from the side: one lung over the other, the heart in front, the spine behind; uint8 [340, 300]."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (300, 340), 5)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((40, 20, 270, 400), fill=110)
    pen.ellipse((70, 50, 235, 300), fill=60)
    pen.ellipse((70, 170, 170, 290), fill=140)
    for vertebra in range(12):
        pen.rectangle((222 - vertebra, 40 + vertebra * 25, 255 - vertebra, 58 + vertebra * 25), fill=190)
    pen.polygon([(60, 290), (240, 260), (270, 340), (50, 340)], fill=180)
    return _film(picture, rng)


def photo(seed: int) -> Greys:
    """A scene with the spectrum of natural pictures, amplitude as 1 / frequency (Field 1987); uint8 [256, 256]."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    frequency[0, 0] = 1
    scene = np.fft.ifft2(np.fft.fft2(rng.normal(size=(256, 256))) / frequency).real
    return (255 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)


def noise(seed: int) -> Greys:
    """No picture at all; uint8 [200, 200]."""
    return np.random.default_rng(seed).integers(0, 256, (200, 200), dtype=np.uint8)


def _film(picture: Image.Image, rng: np.random.Generator) -> Greys:
    """Askew by a few degrees, blurred and grained, as a detector has it."""
    turned = picture.rotate(float(rng.uniform(-8, 8))).filter(ImageFilter.GaussianBlur(3))
    grained = np.asarray(turned, np.float64) * rng.uniform(0.9, 1.1) + rng.normal(0, 4, (picture.height, picture.width))
    return grained.clip(0, 255).astype(np.uint8)
