"""Who calls, and which role may call which method: one table, and what is not in it is nobody's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import grpc

from zoo import errors


class Role(str, Enum):
    """What a token's holder is.

    A system sends images and reads answers back (the DICOM node, a PACS); a clinician works with studies and reviews;
    an engineer tries models and sees no study; an admin may do all but review, which is a clinician's word.
    """

    SYSTEM = "system"
    CLINICIAN = "clinician"
    ENGINEER = "engineer"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """The holder of a valid token.

    Attributes:
        subject: its `sub`; the audit trail's "who".
        roles: one at least.
        name: what people call them: its `name`, else its `preferred_username`; empty where it has neither.
    """

    subject: str
    roles: frozenset[Role]
    name: str = ""


EVERYONE = frozenset(Role)
READERS = EVERYONE - {Role.ENGINEER}
# By the method's own name; the last one is reflection's (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
ALLOWED: Mapping[str, frozenset[Role]] = {
    "ListModels": EVERYONE,
    "GetModel": EVERYONE,
    "GetReferenceSet": EVERYONE,
    "Analyze": EVERYONE,
    "AnalyzeStream": EVERYONE,
    "AnalyzeStudy": EVERYONE,
    "Explain": EVERYONE,
    "GetAnalysis": READERS,
    "ListAnalyses": READERS,
    "ListStudies": READERS,
    "GetStudy": READERS,
    "FindSimilar": READERS,
    "Watch": READERS,
    "SubmitReview": frozenset({Role.CLINICIAN}),
    "ServerReflectionInfo": frozenset({Role.ENGINEER, Role.ADMIN}),
}


def role_of(name: str) -> Role:
    """The role of a name.

    Raises:
        BadConfig: there is no such role.
    """
    try:
        return Role(name)
    except ValueError:
        raise errors.BadConfig(f"No role is called {name!r}. There are: {_names(EVERYONE)}.") from None


def check_role(caller: Caller, method: str) -> None:
    """Returns if one of the caller's roles may call the method.

    Raises:
        Forbidden: none may, or the table has no such method.
    """
    allowed = ALLOWED.get(method, frozenset())
    if allowed.isdisjoint(caller.roles):
        raise errors.Forbidden(
            f"{method} is not for {_names(caller.roles)}; it is for {_names(allowed) or 'nobody'}. "
            "Ask whoever gave you the token for one with such a role."
        )


def set_caller(context: grpc.ServicerContext, caller: Caller) -> None:
    """Leaves on a call who makes it."""
    context.kerascope_caller = caller


def caller_of(context: grpc.ServicerContext) -> Caller | None:
    """Who makes a call; None where the gateway asks for no tokens."""
    return getattr(context, "kerascope_caller", None)


def set_pace(context: grpc.ServicerContext, wait_s: Callable[[], float]) -> None:
    """Leaves on a call what counts its further images: it gives 0, or the seconds until there may be one more."""
    context.kerascope_pace = wait_s


def pace_of(context: grpc.ServicerContext) -> Callable[[], float]:
    """What counts the further images of a call; without a limit it always gives 0."""
    return getattr(context, "kerascope_pace", lambda: 0.0)


def _names(roles: frozenset[Role]) -> str:
    return ", ".join(role.value for role in Role if role in roles)
