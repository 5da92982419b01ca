"""From the text of a training file, and of `--set`, to plain values."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from zoo import errors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


SHIPPED = Path(__file__).parents[1] / "configs"


def read(path: Path) -> dict[str, Any]:
    """The file's values.

    Raises:
        BadConfig: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(_found(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadConfig(
            f"{path} cannot be read: {error.strerror}. Give a training file (TOML), or one of those that come along: "
            f"{', '.join(f'training/configs/{each.name}' for each in sorted(SHIPPED.glob('*.toml')))}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.BadConfig(f"{path} is not TOML: {error}.") from None


def _found(path: Path) -> Path:
    """The file itself; where it is not there and its name is that of one of the package's, the package's."""
    shipped = SHIPPED / path.name
    return shipped if path.parts[-3:-1] == ("training", "configs") and not path.exists() else path


def override(values: dict[str, Any], change: str) -> None:
    """Applies one `key=value`; the value is TOML, or else plain text."""
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise errors.BadConfig(f"--set {change!r}: expected key=value, for example --set stage.2.epochs=3.")
    *parents, last = key.strip().split(".")
    inner: Any = values
    for part in parents:
        inner = _inside(inner, part, change)
    if not isinstance(inner, dict):
        raise errors.BadConfig(f"--set {change!r}: {'.'.join(parents)} has no keys of its own.")
    inner[last] = _value(text.strip())


def _inside(values: Any, part: str, change: str) -> Any:
    if isinstance(values, list):
        if not part.isdigit() or not 1 <= int(part) <= len(values):
            raise errors.BadConfig(f"--set {change!r}: stages are counted from 1 to {len(values)}, got {part!r}.")
        return values[int(part) - 1]
    if not isinstance(values, dict):
        raise errors.BadConfig(f"--set {change!r}: nothing lies below {part!r}.")
    return values.setdefault(part, {})


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def resolve_paths(values: dict[str, Any], base: Path) -> None:
    """Fills in environment variables and makes paths absolute."""
    _resolve(values, "manifest", base)
    if values.get("weights") not in ("imagenet", "none"):
        _resolve(values, "weights", base)
    if isinstance(values.get("distill"), dict):
        _resolve(values["distill"], "teacher", base)


def _resolve(values: dict[str, Any], key: str, base: Path) -> None:
    value = values.get(key)
    if isinstance(value, str):
        values[key] = _resolved(key, value, base)
    elif isinstance(value, list):
        values[key] = [_resolved(key, text, base) if isinstance(text, str) else text for text in value]


def _resolved(key: str, text: str, base: Path) -> str:
    if text.startswith("bundle:"):
        return text
    filled = os.path.expanduser(os.path.expandvars(text))
    if missing := re.search(r"\$\{?(\w+)", filled):
        raise errors.BadConfig(
            f"{key} = {text!r} needs the environment variable {missing[1]}, which is not set. "
            f"Set it, or give --set {key}=PATH."
        )
    return str(Path(os.path.normpath(base / filled)))
