"""What comes in: C-ECHO and C-STORE. A sender hears success only when the disk holds what it sent."""

from __future__ import annotations

import logging
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from serving.audit.access import SUCCESS
from serving.audit.trail import Audit
from serving.hospital import header
from serving.hospital.config import NodeConfig
from serving.hospital.network import image_classes, server_context, transfer_syntaxes
from serving.hospital.results.identity import SERIES_DESCRIPTION
from serving.store.store import Store
from zoo import errors

log = logging.getLogger(__name__)

# Statuses of C-STORE: PS3.4 table B.2-1; of any DIMSE: PS3.7 annex C.
STORED, OUT_OF_RESOURCES, NO_MATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000


class Receiver:
    """A storage SCP.

    Attributes:
        port: the one it listens on, also where 0 was asked for.

    Args:
        config: the node's.
        store: takes what comes, with a spool.
        audit: one record an image, and one a caller turned away; None for none.

    Raises:
        BadConfig: the port is taken, or TLS files cannot be used.
    """

    def __init__(self, config: NodeConfig, store: Store, audit: Audit | None) -> None:
        assert store.spool is not None
        self._config, self._store, self._spool, self._audit = config, store, store.spool, audit
        self._ae = self._entity()
        try:
            self._server = self._ae.start_server(
                (config.host, config.port),
                block=False,
                ssl_context=server_context(config.tls) if config.tls else None,
                evt_handlers=[(evt.EVT_C_STORE, self._on_store), (evt.EVT_REJECTED, self._on_rejected)],
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
        status, subject = NOT_UNDERSTOOD, ""
        try:
            status, subject = self._receive(event, sender)
        except errors.StoreNotReady as away:
            log.error("an image from %s was not taken: %s", sender, away)
            return OUT_OF_RESOURCES  # the sender keeps it and tries again
        except Exception as bug:  # whatever the data set does to the parser; its words may quote a patient
            log.error("an image from %s was not understood: %s", sender, type(bug).__name__)
        outcome = SUCCESS if status == STORED else f"failed:0x{status:04X}"
        return status if self._recorded("receive", sender, address, subject, outcome) else OUT_OF_RESOURCES

    def _receive(self, event: Any, sender: str) -> tuple[int, str]:
        data = event.encoded_dataset()
        about = header.read(data)
        if not (about.study_uid and about.instance_uid and about.sop_class_uid):
            log.warning("an image from %s names no study, instance or class as PS3.5 section 9.1 has it", sender)
            return NOT_UNDERSTOOD, ""
        if about.instance_uid != event.request.AffectedSOPInstanceUID:
            log.warning("an image from %s is not the one its sender announced", sender)
            return NO_MATCH, ""
        digest = self._spool.put(data)
        own = SERIES_DESCRIPTION in about.description  # a PACS that forwards all sends our overlays back to us
        models = [] if own else self._config.models(about)
        new = self._store.queue.receive(about, digest, sender=sender, models=models)
        log.info("received sha256:%s from %s for %s, %d new", digest[:12], sender, ", ".join(models) or "nobody", new)
        return STORED, f"sha256:{digest}"

    def _on_rejected(self, event: Any) -> None:
        sender, address = _caller(event)
        log.warning("an association from %s at %s was turned away", sender, address)
        self._recorded("connect", sender, address, "", "refused:ASSOCIATION")

    def _recorded(self, action: str, sender: str, address: str, subject: str, outcome: str) -> bool:
        if self._audit is None:
            return True
        try:
            self._audit.write(action=action, user=sender, peer=address, subject=subject, outcome=outcome)
        except errors.KerascopeError as away:
            log.error("%s", away)
            return False
        return True


def _caller(event: Any) -> tuple[str, str]:
    """AE title and address of the other side; the title only in characters that a log can hold."""
    requestor = event.assoc.requestor
    title = str(getattr(requestor, "ae_title", "") or "").strip()
    return "".join(each if each.isprintable() else "?" for each in title), str(requestor.address)
