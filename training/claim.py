"""A run folder belongs to one configuration, one set of images and, at any time, one process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from training.config import RunConfig
from training.runs import Run
from zoo import errors


@contextmanager
def alone(run: Run) -> Iterator[None]:
    """Holds the run's lock: a file beside its folder that the system frees when the process ends, however it ends.

    Raises:
        BadRun: another process holds it.
    """
    path = run.path.parent / f".{run.path.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())
        except OSError:
            mine = False
        if not mine:  # locked, or removed by one that just ended
            raise errors.BadRun(
                f"Another process is training {run.path} now. Wait for it, or choose another name (--set name=...)."
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def claim(run: Run, config: RunConfig) -> None:
    """Makes the folder, or makes sure that it is this very run's.

    Raises:
        BadRun: it holds something else, or a run of another configuration; what differs is named.
    """
    wanted = config.model_dump(mode="json")
    held = {path.name for path in run.path.iterdir() if not path.name.startswith(".")} if run.path.exists() else set()
    if held <= {"config.json"}:  # nothing, or a run that was refused before it had split its images
        run.write_json("config.json", wanted)
        return
    if "config.json" not in held:
        raise errors.BadRun(f"{run.path} holds something that is no run. Choose another name or --runs folder.")
    found = run.config.model_dump(mode="json")
    if differences := _differences(found, wanted):
        raise errors.BadRun(
            f"{run.path} is a run of another configuration: {'; '.join(differences)}. "
            "Choose another name (--set name=...) or remove that folder."
        )


def same_images(run: Run, key: str) -> None:
    """Refuses to go on with other images than the run was begun with.

    Raises:
        BadRun: their fingerprint is not `key`.
    """
    if (run.path / "environment.json").is_file() and run.environment["fingerprint"] != key:
        raise errors.BadRun(
            f"The images or labels changed since {run.path} was begun. Choose another name (--set name=...) or "
            "remove that folder."
        )


def _differences(found: object, wanted: object, place: str = "") -> list[str]:
    """Where two configurations differ, in words."""
    if found == wanted:
        return []
    if isinstance(found, dict) and isinstance(wanted, dict):
        pairs = [(str(key), found.get(key), wanted.get(key)) for key in {**found, **wanted}]
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = [(str(n), a, b) for n, (a, b) in enumerate(zip(found, wanted, strict=True), start=1)]
    else:
        return [f"{place} is {found!r} there and {wanted!r} here"]
    return [words for key, a, b in pairs for words in _differences(a, b, f"{place}.{key}".lstrip("."))]
