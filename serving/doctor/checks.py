"""What `kerascope doctor` finds: one fact or one test each."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """What a finding means. Only `wrong` makes the command end with status 1."""

    OK = "ok"
    UNUSUAL = "unusual"
    NOT_TESTED = "not tested"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        part: the heading that it stands under.
        name: what was looked at.
        found: what was found. No path, no user's name, no value of a variable that may hold either.
        state: what that means.
        fix: what to do about it; empty where there is nothing to do.
    """

    part: str
    name: str
    found: str
    state: State = State.OK
    fix: str = ""


def without_paths(text: str) -> str:
    """A text of somebody else's, with the home, the working and the temporary folder named by what they are."""
    folders = {os.path.expanduser("~"): "~", tempfile.gettempdir(): "TMPDIR"}
    with suppress(FileNotFoundError):  # the working folder was deleted
        folders[os.getcwd()] = "."
    for folder in sorted(folders, key=len, reverse=True):
        if len(folder) > 1:
            text = text.replace(folder, folders[folder])
    return text
