"""`kerascope deidentify`: files to copies that a training set may be made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from serving.hospital import header
from serving.hospital.deidentify import Deidentifier
from zoo import errors, terminal


def write(files: Iterable[Path], out: Path, secret: Path) -> int:
    """Writes a copy of each file into `out`, named by its new SOP Instance UID: a name may tell of a patient, too.

    Args:
        files: DICOM files; of a folder, every file in it.
        out: made if it is not there.
        secret: as `Deidentifier.by_file`.

    Returns:
        The command's status: 1 where a file was left out, and then which and why is said.

    Raises:
        BadConfig: the secret cannot be used, or `out` cannot be written.
    """
    deidentifier = Deidentifier.by_file(secret)
    written = left_out = 0
    for path in _each(files):
        try:
            copy = deidentifier.copy(path.read_bytes())
            _put(out, header.read(copy).instance_uid, copy)
            written += 1
        except OSError as error:
            terminal.say(f"left out: {path}: {error.strerror}.")
            left_out += 1
        except errors.BadImage as refusal:
            terminal.say(f"left out: {path}: {refusal}")
            left_out += 1
    terminal.say(f"{written} copies in {out}, {left_out} left out. Keep {secret} apart from them.")
    return int(left_out > 0)


def _each(files: Iterable[Path]) -> Iterator[Path]:
    for path in files:
        yield from sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]


def _put(out: Path, uid: str, copy: bytes) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{uid}.dcm").write_bytes(copy)
    except OSError as error:
        raise errors.BadConfig(f"{out} cannot be written: {error.strerror}. Name another folder.") from None
