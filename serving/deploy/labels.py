"""Which version of a model bears which label, before and after a change. Plain data: no protos, no server.

`stable` is what callers get who name no version; `canary` runs beside it for those who ask for it; `previous` is the
stable version before, kept loaded so that going back takes no loading.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoo import errors

STABLE, CANARY, PREVIOUS = "stable", "canary", "previous"

Labels = Mapping[str, int]


def promoted(before: Labels, version: int | None, *, keep_previous: bool = True) -> Labels:
    """`stable` moves to a version; without one, to the canary's.

    Raises:
        BadRequest: no version is named and there is no canary, or it is stable already.
    """
    chosen = version or before.get(CANARY)
    if chosen is None:
        raise errors.BadRequest("There is no canary to promote. Name a version with --version.")
    if chosen == before.get(STABLE):
        raise errors.BadRequest(f"Version {chosen} is stable already; nothing was changed.")
    after = {label: number for label, number in before.items() if label not in (STABLE, PREVIOUS)}
    if after.get(CANARY) == chosen:
        del after[CANARY]
    if keep_previous and STABLE in before:
        after[PREVIOUS] = before[STABLE]
    return {**after, STABLE: chosen}


def rolled_back(before: Labels, version: int | None) -> Labels:
    """`stable` goes back to `previous`, or to a version; the one it leaves bears no label any more.

    Raises:
        BadRequest: no version is named and there is no previous one, or it is stable already.
    """
    chosen = version or before.get(PREVIOUS)
    if chosen is None:
        raise errors.BadRequest("There is no version labelled `previous` to go back to. Name one with --version.")
    if chosen == before.get(STABLE):
        raise errors.BadRequest(f"Version {chosen} is stable already; nothing was changed.")
    left = (before.get(STABLE), chosen)
    kept = {label: number for label, number in before.items() if label not in (STABLE, PREVIOUS) and number not in left}
    return {**kept, STABLE: chosen}


def with_canary(before: Labels, version: int | None) -> Labels:
    """`canary` is a version beside `stable`; None takes the canary away.

    Raises:
        BadRequest: the version is the stable one, or there is no canary to take away.
    """
    if version is None and CANARY not in before:
        raise errors.BadRequest("There is no canary to take away; nothing was changed.")
    if version is not None and version == before.get(STABLE):
        raise errors.BadRequest(f"Version {version} is the stable one; a canary is another version beside it.")
    kept = {label: number for label, number in before.items() if label != CANARY}
    return kept if version is None else {**kept, CANARY: version}
