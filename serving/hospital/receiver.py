"""What comes in by DICOM: C-ECHO and C-STORE. A sender hears success only when the disk holds what it sent."""

from __future__ import annotations

import logging
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from serving.hospital.bounds import Bounds
from serving.hospital.config import NodeConfig
from serving.hospital.intake import NOT_UNDERSTOOD, Intake
from serving.hospital.network import image_classes, server_context, transfer_syntaxes
from zoo import errors

log = logging.getLogger(__name__)


class Receiver:
    """A storage SCP.

    Attributes:
        port: the one it listens on, also where 0 was asked for.

    Args:
        config: the node's.
        intake: takes what comes.

    Raises:
        BadConfig: the port is taken, or TLS files cannot be used.
    """

    def __init__(self, config: NodeConfig, intake: Intake) -> None:
        self._config, self._intake = config, intake
        self._ae = self._entity()
        try:
            self._server = self._ae.start_server(
                (config.host, config.port),
                block=False,
                ssl_context=server_context(config.tls) if config.tls else None,
                evt_handlers=[
                    (evt.EVT_C_STORE, self._on_store),
                    (evt.EVT_REJECTED, self._on_rejected),
                    *Bounds().handlers(),
                ],
            )
        except OSError as error:
            raise errors.BadConfig(
                f"The DICOM node cannot listen on {config.host}:{config.port}: {error.strerror}. Name another port."
            ) from None
        self.port = int(self._server.socket.getsockname()[1])

    def stop(self) -> None:
        """Takes no more; images being received are dropped, and their senders hear no success."""
        self._ae.shutdown()

    def _entity(self) -> AE:
        entity = AE(ae_title=self._config.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = [] if self._config.allow_any else list(self._config.allow)
        entity.maximum_associations = self._config.associations
        entity.add_supported_context(Verification)
        syntaxes = transfer_syntaxes()
        for uid in image_classes():
            entity.add_supported_context(uid, syntaxes)
        return entity

    def _on_store(self, event: Any) -> int:
        """Answers a C-STORE (PS3.4 B.2.3)."""
        sender, address = _caller(event)
        try:
            data, announced = event.encoded_dataset(), str(event.request.AffectedSOPInstanceUID)
        except Exception as bug:  # pynetdicom's, of what the sender wrote
            log.error("an image from %s was not understood: %s", sender, type(bug).__name__)
            self._intake.record("receive", sender, address, f"failed:0x{NOT_UNDERSTOOD:04X}")
            return NOT_UNDERSTOOD
        return self._intake.take(data, sender=sender, peer=address, announced=announced).status

    def _on_rejected(self, event: Any) -> None:
        sender, address = _caller(event)
        log.warning("an association from %s at %s was turned away", sender, address)
        self._intake.record("connect", sender, address, "refused:ASSOCIATION")


def _caller(event: Any) -> tuple[str, str]:
    """AE title and address of the other side; the title only in characters that a log can hold."""
    requestor = event.assoc.requestor
    title = str(getattr(requestor, "ae_title", "") or "").strip()
    return "".join(each if each.isprintable() else "?" for each in title), str(requestor.address)
