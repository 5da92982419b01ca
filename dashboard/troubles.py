"""Errors and refusals as a person is told of them: what was found, what was expected, what to do. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dashboard.i18n import _, n_
from zoo import errors
from zoo.errors import Reason


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What a person is told when there is no result.

    Attributes:
        title: what happened, in a few words.
        code: for programs and support: a `Reason`, or the name of the error.
        found: what was found.
        expected: what was expected; empty where there is nothing to say.
        action: what to do.
        passes: True where asking again later may succeed.
    """

    title: str
    code: str
    found: str
    expected: str
    action: str
    passes: bool = False


# Reason: (what is expected, what to do where the message does not say).
REFUSALS: dict[Reason, tuple[str, str]] = {
    Reason.EMPTY: (n_("A file with a picture in it."), n_("Export the picture again and send it.")),
    Reason.NOT_AN_IMAGE: (
        n_("A DICOM, PNG or JPEG file."),
        n_("Export the picture in one of these and send it again."),
    ),
    Reason.DAMAGED: (n_("A whole, undamaged file."), n_("Export the picture again; the file may have been cut short.")),
    Reason.TOO_LARGE: (n_("One picture within the size limit."), n_("Send one picture, not a whole series.")),
    Reason.TOO_SMALL: (n_("A picture at its original size."), n_("Send the original, not a thumbnail.")),
    Reason.UNREADABLE_TRANSFER_SYNTAX: (
        n_("An uncompressed DICOM file, or one in a common compression."),
        n_("Export the picture uncompressed (Explicit VR Little Endian)."),
    ),
    Reason.UNSUPPORTED_PIXELS: (n_("Grey or RGB pixels."), n_("Export the picture as plain grey or RGB.")),
    Reason.MULTIPLE_FRAMES: (n_("A single frame."), n_("Choose one frame of the series and send that.")),
    Reason.WRONG_MODALITY: (n_("A picture of the modality this model was made for."), n_("Choose a question for it.")),
    Reason.WRONG_BODY_PART: (
        n_("A picture of the body part this model was made for."),
        n_("Choose a question for it."),
    ),
    Reason.WRONG_VIEW: (n_("The view this model was made for."), n_("Send that view, or choose another question.")),
    Reason.WRONG_SHAPE: (
        n_("A picture of about the usual shape."),
        n_("Send one picture, neither a strip nor a collage."),
    ),
    Reason.COLOUR: (n_("A grey picture."), n_("Send the original, not a photograph of a screen.")),
    Reason.GREY: (
        n_("A colour picture."),
        n_("Send the original in colour, or choose a question for grey pictures."),
    ),
    Reason.BLANK: (n_("A picture with something in it."), n_("Check the exposure and the window, and send it again.")),
    Reason.SATURATED: (
        n_("A picture with shades of grey."),
        n_("Check the exposure and the window, and send it again."),
    ),
    Reason.INVERTED: (
        n_("Black where nothing was in the beam."),
        n_("Send the original, not a picture turned to its negative."),
    ),
    Reason.TOO_FEW_BITS: (n_("A picture of 256 shades or more."), n_("Send the original, not a drawing or a mask.")),
    Reason.OUT_OF_DISTRIBUTION: (
        n_("A picture like those the model learnt from."),
        n_("Check that it is of the kind the question names; do not rely on this model for it."),
    ),
}

# Error: (title, what was expected, what to do, whether it may pass by itself).
TROUBLES: dict[type[errors.KerascopeError], tuple[str, str, str, bool]] = {
    errors.ModelNotReady: (
        n_("No answer for now"),
        n_("A running gateway and model server."),
        n_("Nothing: this page keeps trying and goes on by itself. If it lasts, ask whoever runs the gateway."),
        True,
    ),
    errors.BackendTimeout: (
        n_("The answer took too long"),
        n_("An answer in time."),
        n_("Try again in a moment."),
        True,
    ),
    errors.UnknownModel: (
        n_("This model is not served any more"),
        n_("A model of the list."),
        n_("Choose another question."),
        False,
    ),
    errors.Unauthenticated: (
        n_("The gateway does not know you"),
        n_("A login that is still valid."),
        n_("Log out and log in again. Where there is no login, ask whoever runs the gateway."),
        False,
    ),
    errors.Forbidden: (
        n_("This is not for your role"),
        n_("A role that may ask this."),
        n_("Ask whoever gives out the roles."),
        False,
    ),
    errors.TooManyRequests: (n_("The gateway is busy"), n_("A free place."), n_("Try again in a moment."), True),
    errors.StoreNotReady: (
        n_("The store does not answer for now"),
        n_("A store that answers."),
        n_("Try again in a moment."),
        True,
    ),
    errors.UnknownRecord: (n_("This is not there"), "", n_("Choose something else."), False),
    errors.BadRequest: (n_("This cannot be asked"), "", n_("Choose something else."), False),
    errors.InternalError: (
        n_("Something went wrong at the gateway"),
        "",
        n_("Try again; if it happens twice, report the reference."),
        True,
    ),
}
OTHER = (n_("Something is wrong with this installation"), "", n_("Ask whoever runs the gateway."), False)


def trouble(error: errors.KerascopeError) -> Trouble:
    """An error as a person is told of it."""
    found, advice = _split(str(error))
    if isinstance(error, (errors.BadImage, errors.ImageRefused)):
        read = isinstance(error, errors.ImageRefused)
        expected, action = REFUSALS[error.reason]
        title = _("This picture is not for this model") if read else _("This file could not be read as a picture")
        return Trouble(
            title=title, code=error.reason.value, found=found, expected=_(expected), action=advice or _(action)
        )
    title, expected, action, passes = TROUBLES.get(type(error), OTHER)
    return Trouble(
        title=_(title),
        code=type(error).__name__,
        found=str(error),
        expected=_(expected) if expected else "",
        action=_(action),
        passes=passes,
    )


def refused(reason: str, detail: str) -> Trouble:
    """A refusal as the store tells of it."""
    known = reason in Reason.__members__
    return trouble(errors.ImageRefused(detail, Reason[reason]) if known else errors.BadRequest(detail))


def _split(message: str) -> tuple[str, str]:
    """Our messages say what was found first; what follows the first full stop is what to do."""
    found, *advice = re.split(r"(?<=[.?]) (?=[A-Z])", message, maxsplit=1)
    return found, advice[0] if advice else ""
