"""Every exception raised on purpose.

KerascopeError
├── BadImage            the bytes are no picture we can read
├── ImageRefused        a good picture, but not one this model was made for
├── BadRequest          the question itself cannot be answered as asked
├── Unauthenticated     the caller brought no valid token
├── Forbidden           the caller's role may not ask this
├── TooManyRequests     the caller asks too often, or more is asked than the gateway takes on
├── UnknownModel        no such model or version
├── ModelNotReady       the model exists, but no server answers for it now
├── BackendTimeout      a server did not answer in time
├── BadBundle           a bundle is damaged, or not one of ours
├── BadConfig           a training file or a setting says something impossible
├── MissingExtra        a package is needed that an extra of ours brings
├── BadManifest         a table of images is missing, or contradicts itself
├── BadRun              a run folder is not what a command needs
├── StoreNotReady       the store is away, full or locked
├── UnknownRecord       the store holds no such record
├── BrokenAudit         the audit trail was changed after it was written
└── InternalError       somebody else's bug; its cause is in a log, under a reference

A message says what was found, what was expected, and what to do, in that order, and never holds
a patient's name, identifier or date.
"""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """Why a picture was turned away; it travels with the refusal, for programs to act on."""

    EMPTY = "EMPTY"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    DAMAGED = "DAMAGED"
    TOO_LARGE = "TOO_LARGE"
    TOO_SMALL = "TOO_SMALL"
    UNREADABLE_TRANSFER_SYNTAX = "UNREADABLE_TRANSFER_SYNTAX"
    UNSUPPORTED_PIXELS = "UNSUPPORTED_PIXELS"
    MULTIPLE_FRAMES = "MULTIPLE_FRAMES"
    WRONG_MODALITY = "WRONG_MODALITY"
    WRONG_BODY_PART = "WRONG_BODY_PART"
    WRONG_VIEW = "WRONG_VIEW"
    WRONG_SHAPE = "WRONG_SHAPE"
    COLOUR = "COLOUR"
    GREY = "GREY"
    BLANK = "BLANK"
    SATURATED = "SATURATED"
    INVERTED = "INVERTED"
    TOO_FEW_BITS = "TOO_FEW_BITS"
    OUT_OF_DISTRIBUTION = "OUT_OF_DISTRIBUTION"


class KerascopeError(Exception):
    """The root: catch it to catch all of ours and nothing else."""


class _Turned(KerascopeError):
    """A picture turned away, with the reason as a code beside the words."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class BadImage(_Turned):
    """The bytes are no picture we can read: empty, damaged, not an image, an unreadable transfer syntax."""


class ImageRefused(_Turned):
    """The picture is readable but not one this model was made for: view, shape, blank, unlike all it knows."""


class BadRequest(KerascopeError):
    """The question cannot be answered as asked: an unknown method or label, say."""


class Unauthenticated(KerascopeError):
    """The caller brought no token, or one that is not valid now."""


class Forbidden(KerascopeError):
    """The caller is known, but none of its roles may ask this."""


class TooManyRequests(KerascopeError):
    """The caller asks more often than one client may, or more is asked at once than the gateway takes on; asking later
    will succeed."""


class UnknownModel(KerascopeError):
    """No model, or no version of it, has this name."""


class ModelNotReady(KerascopeError):
    """The model exists, but no server answers for it now; asking again later may succeed."""


class BackendTimeout(KerascopeError):
    """A server did not answer within the time given."""


class BadBundle(KerascopeError):
    """A bundle is damaged or not one of ours; nothing of it is used."""


class BadConfig(KerascopeError):
    """A training file or a setting has an unknown key or an impossible value."""


class MissingExtra(KerascopeError):
    """A package is not installed that one of our extras brings; the message names it and the command to install it."""


class BadManifest(KerascopeError):
    """A manifest is missing, unreadable, or contradicts itself."""


class BadRun(KerascopeError):
    """A run folder is not what the command needs: missing, unfinished, or of another configuration."""


class StoreNotReady(KerascopeError):
    """The store is away, full or locked; asking again later may succeed."""


class UnknownRecord(KerascopeError):
    """The store holds no analysis, study or file of this name, or no longer."""


class BrokenAudit(KerascopeError):
    """A record of the audit trail was changed, removed or put in after it was written."""


class InternalError(KerascopeError):
    """A bug that is not the caller's; the log has its cause under the reference in the message."""
