"""Whom a load asks: a gateway, with files; or a model server, with pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from serving.client import Client
from serving.load.loops import Ask
from zoo import errors
from zoo.bundles import Registry

GENERATED, SIDE = 16, 512
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Target:
    """Someone to ask.

    Attributes:
        ask: makes one call with one of the pictures.
        pictures: as this one takes them: files, or pixels.
    """

    ask: Ask
    pictures: Sequence[Any]


def pictures(folder: Path | None, *, seed: int = 0) -> list[bytes]:
    """Every file of a folder; without one, 16 grey PNG files of 512 x 512 smooth noise, drawn from `seed`.

    Raises:
        BadRequest: the folder has no file, or cannot be read.
    """
    if folder is None:
        return [_noise(np.random.default_rng([seed, number])) for number in range(GENERATED)]
    try:
        found = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    except OSError as error:
        raise errors.BadRequest(f"The pictures in {folder} cannot be read: {error.strerror}.") from None
    if not found:
        raise errors.BadRequest(f"There is no file in {folder}. Put DICOM, PNG or JPEG files into it.")
    return found


def _noise(rng: np.random.Generator) -> bytes:
    coarse = Pillow.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def gateway(address: str, model: str, version: int, files: Sequence[bytes]) -> Iterator[Target]:
    """`Analyze` of whole files; the answer's own timings are the stages, and what is left of the whole is the wire.

    Raises:
        KerascopeError: the first call fails, or no file is one that the model takes.
    """
    with Client(address, timeout_s=TIMEOUT_S) as client:

        def ask(file: bytes) -> Mapping[str, float]:
            return vars(client.analyze(file, model=model, version=version).timings)

        yield Target(ask, _taken(ask, files))


@contextmanager
def model_server(address: str, registry: Path, model: str, version: int, files: Sequence[bytes]) -> Iterator[Target]:
    """`Predict` of pixels, read and resized beforehand as the gateway does it; there are no stages.

    Raises:
        KerascopeError: the first call fails, or no file is one that the model takes.
    """
    from serving.tfserving import ModelServer
    from zoo.imaging.image import read
    from zoo.imaging.preprocess import preprocess

    card = Registry(registry).bundle(model, version or None).card
    server = ModelServer(address)

    def ask(pixels: np.ndarray) -> Mapping[str, float]:
        server.analyze(card, pixels, timeout_s=TIMEOUT_S, embedding=True)
        return {}

    try:
        yield Target(ask, _taken(ask, [preprocess(read(file), card.input) for file in files]))
    finally:
        server.close()


def _taken(ask: Ask, given: Sequence[Any]) -> list[Any]:
    """Those pictures that are answered: one that is refused would only measure how fast it is refused."""
    taken, refusal = [], ""
    for picture in given:
        try:
            ask(picture)
        except (errors.BadImage, errors.ImageRefused) as error:
            refusal = str(error)
        else:
            taken.append(picture)
    if not taken:
        raise errors.BadRequest(
            f"None of the {len(given)} pictures is answered: {refusal} Name others with --pictures."
        )
    return taken
