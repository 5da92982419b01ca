"""Strangers that need no data set: photographs that come with libraries, noise, and pictures made of a set's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from benchmarks.gate.sets import MODALITIES, Images, of_files
from training.pipeline import Pixels

PICTURES = {
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
    "skimage": (
        "data",
        ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"),
    ),
}
CROPS = 12  # of each photograph, beside the whole
NOISES = 20  # of each kind
_SHAPE = (320, 300)

Floats = npt.NDArray[np.floating]


def photographs(folder: Path, seed: int) -> Images:
    """The photographs of scikit-learn and scikit-image that are installed, and random crops of each."""
    rng = np.random.default_rng(seed)
    for source in _installed():
        with Pillow.open(source) as opened:
            picture = opened.convert("RGB") if opened.mode not in ("L", "RGB") else opened.copy()
        picture.save(_made(folder) / f"{source.stem}.png")
        for number in range(CROPS):
            side = int(rng.integers(min(picture.size) // 3, min(picture.size)))
            left, top = (int(rng.integers(0, length - side + 1)) for length in picture.size)
            picture.crop((left, top, left + side, top + side)).save(folder / f"{source.stem}-{number}.png")
    return of_files("photographs", MODALITIES["photographs"], sorted(folder.glob("*.png")))


def _installed() -> Iterator[Path]:
    for package, (folder, names) in PICTURES.items():
        if (found := find_spec(package)) and found.origin:
            paths = (Path(found.origin).parent / folder / name for name in names)
            yield from (path for path in paths if path.is_file())


def noise(folder: Path, seed: int) -> Images:
    """Grey noise: uniform, normal, three that are smooth at different grains, and one of spectrum 1 / f."""
    rng = np.random.default_rng(seed)
    for kind, draw in NOISE.items():
        for number in range(NOISES):
            Pillow.fromarray(draw(rng)).save(_made(folder) / f"{kind}-{number}.png")
    return of_files("noise", None, sorted(folder.glob("*.png")))


def _smooth(cells: int) -> Callable[[np.random.Generator], Pixels]:
    """Uniform noise of cells x cells, enlarged."""

    def draw(rng: np.random.Generator) -> Pixels:
        small = Pillow.fromarray(rng.integers(0, 256, (cells, cells)).astype(np.uint8))
        return np.asarray(small.resize(_SHAPE, Pillow.Resampling.BICUBIC))

    return draw


def _one_over_f(rng: np.random.Generator) -> Pixels:
    rows, columns = (np.fft.fftfreq(length) for length in _SHAPE)
    frequency = np.hypot(rows[:, None], columns[None])
    frequency[0, 0] = 1
    drawn = np.fft.ifft2(np.fft.fft2(rng.normal(size=_SHAPE)) / frequency).real
    return np.asarray((drawn - drawn.min()) / np.ptp(drawn) * 255, np.uint8)


NOISE: dict[str, Callable[[np.random.Generator], Pixels]] = {
    "uniform": lambda rng: rng.integers(0, 256, _SHAPE).astype(np.uint8),
    "normal": lambda rng: rng.normal(128, 40, _SHAPE).clip(0, 255).astype(np.uint8),
    "coarse": _smooth(8),
    "middle": _smooth(24),
    "fine": _smooth(75),
    "one-over-f": _one_over_f,
}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _quarter(pixels: Pixels) -> Pixels:
    """The upper left quarter of each picture, enlarged to the whole's size."""
    height, width = pixels.shape[1:3]
    quarters = np.ascontiguousarray(pixels[:, : height // 2, : width // 2])
    squeezed = quarters[..., 0] if pixels.shape[-1] == 1 else quarters
    enlarged = [Pillow.fromarray(one).resize((width, height), Pillow.Resampling.BILINEAR) for one in squeezed]
    return np.stack([np.asarray(one) for one in enlarged]).reshape(pixels.shape)


CHANGED: dict[str, Callable[[Pixels], Pixels]] = {
    "its negatives": lambda pixels: 255 - pixels,
    "its vertical flips": lambda pixels: pixels[:, ::-1],
    "its quarter crops": _quarter,
}
"""Held-out images of the set itself, changed after preprocessing: uint8 [N, H, W, C] to the same."""
