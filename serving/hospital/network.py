"""What the node speaks: storage classes and transfer syntaxes it can read, TLS, and a quiet pynetdicom."""

from __future__ import annotations

import logging
import ssl

from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)
from pynetdicom.presentation import AllStoragePresentationContexts

from serving.hospital.endpoints import Tls
from zoo import errors

# At lower levels pynetdicom writes data sets into the log, and they name patients.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
_COMPRESSED = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes, *RLETransferSyntaxes)


def image_classes() -> list[str]:
    """Every storage SOP class of an image (PS3.4 table B.5-1); what is no single picture the gateway refuses."""
    return [
        str(context.abstract_syntax)
        for context in AllStoragePresentationContexts
        if "Image Storage" in context.abstract_syntax.name
    ]


def transfer_syntaxes() -> list[str]:
    """The transfer syntaxes whose pixels can be decoded here, those without compression first."""
    return [*_PLAIN, *(syntax for syntax in _COMPRESSED if _decodable(syntax))]


def _decodable(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS for those who connect; with an authority they must show a certificate it signed (PS3.15 B.1).

    Raises:
        BadConfig: a file is missing or no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, tls)
    if tls.authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """TLS towards a PACS: it must show a certificate of the authority's, for its host; ours is shown to it.

    Raises:
        BadConfig: as `server_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, tls)
    return context


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.authority is not None:
            context.load_verify_locations(tls.authority)
    except (OSError, ssl.SSLError) as error:
        raise errors.BadConfig(
            f"TLS: {tls.certificate}, {tls.key} or {tls.authority} cannot be used: "
            f"{error.strerror or type(error).__name__}. Expected are PEM files, the key not encrypted and fitting its "
            "certificate."
        ) from None
