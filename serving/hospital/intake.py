"""The one door: an image is on disk and in the queue before anybody hears that it was taken, whichever way it came."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property

from serving.audit.access import SUCCESS
from serving.audit.trail import Audit
from serving.hospital import header
from serving.hospital.config import NodeConfig
from serving.hospital.header import Header
from serving.hospital.network import image_classes, transfer_syntaxes
from serving.hospital.results.identity import SERIES_DESCRIPTION
from serving.store.store import Store
from zoo import errors

log = logging.getLogger(__name__)

# Of C-STORE (PS3.4 table B.2-1) and any DIMSE (PS3.7 annex C); STOW-RS has the same (PS3.18 table I.2-2).
STORED, OUT_OF_RESOURCES, NO_MATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
PROCESSING_FAILURE, CLASS_NOT_SUPPORTED, SYNTAX_NOT_SUPPORTED = 0x0110, 0x0122, 0xC122


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of an image.

    Attributes:
        status: 0x0000 where it is on disk and in the queue.
        header: what the file says of itself; empty where it could not be read.
    """

    status: int
    header: Header = field(default_factory=Header)


class Intake:
    """Takes images from whoever brings them.

    Args:
        config: the node's.
        store: with a spool.
        audit: one record an image, and one a caller turned away; None for none.
    """

    def __init__(self, config: NodeConfig, store: Store, audit: Audit | None) -> None:
        assert store.spool is not None
        self._config, self._store, self._spool, self._audit = config, store, store.spool, audit

    def take(self, data: bytes, *, sender: str, peer: str, announced: str = "", study: str = "") -> Taken:
        """Takes an image; nothing that it does raises.

        Args:
            data: a whole DICOM file.
            sender: who brings it: an AE title, a token's subject, an archive's name.
            peer: their address.
            announced: the SOP Instance UID that they said it has; empty where they said none.
            study: the Study Instance UID that they said, likewise.
        """
        taken, subject = Taken(status=NOT_UNDERSTOOD), ""
        try:
            taken = self._checked(data, sender, announced, study)
            if taken.status == STORED:
                subject = self._queued(data, taken.header, sender)
        except errors.StoreNotReady as away:
            log.error("an image from %s was not taken: %s", sender, away)
            taken = Taken(status=OUT_OF_RESOURCES, header=taken.header)  # the sender keeps it and tries again
        except Exception as bug:  # whatever the data set does to the parser; its words may quote a patient
            log.error("an image from %s was not understood: %s", sender, type(bug).__name__)
            taken = Taken(status=NOT_UNDERSTOOD, header=taken.header)
        outcome = SUCCESS if taken.status == STORED else f"failed:0x{taken.status:04X}"
        if self.record("receive", sender, peer, outcome, subject):
            return taken
        return Taken(status=OUT_OF_RESOURCES, header=taken.header)

    def record(self, action: str, sender: str, peer: str, outcome: str, subject: str = "") -> bool:
        """Writes a record of the trail; False where that failed, and then nothing may be answered as if it had not."""
        if self._audit is None:
            return True
        try:
            self._audit.write(action=action, user=sender, peer=peer, subject=subject, outcome=outcome)
        except errors.KerascopeError as away:
            log.error("%s", away)
            return False
        return True

    def _checked(self, data: bytes, sender: str, announced: str, study: str) -> Taken:
        about = header.read(data)
        if not (about.study_uid and about.instance_uid and about.sop_class_uid):
            log.warning("an image from %s names no study, instance or class as PS3.5 section 9.1 has it", sender)
            return Taken(status=NOT_UNDERSTOOD, header=about)
        if announced not in ("", about.instance_uid) or study not in ("", about.study_uid):
            log.warning("an image from %s is not the one its sender announced", sender)
            return Taken(status=NO_MATCH, header=about)
        if about.sop_class_uid not in self._classes:
            return Taken(status=CLASS_NOT_SUPPORTED, header=about)
        if about.transfer_syntax not in self._syntaxes:
            return Taken(status=SYNTAX_NOT_SUPPORTED, header=about)
        return Taken(status=STORED, header=about)

    def _queued(self, data: bytes, about: Header, sender: str) -> str:
        digest = self._spool.put(data)
        own = SERIES_DESCRIPTION in about.description  # a PACS that forwards all sends our overlays back to us
        models = [] if own else self._config.models(about)
        new = self._store.queue.receive(about, digest, sender=sender, models=models)
        log.info("received sha256:%s from %s for %s, %d new", digest[:12], sender, ", ".join(models) or "nobody", new)
        return f"sha256:{digest}"

    @cached_property
    def _classes(self) -> frozenset[str]:
        return frozenset(image_classes())

    @cached_property
    def _syntaxes(self) -> frozenset[str]:
        return frozenset(transfer_syntaxes())
