"""`kerascope dicom-pull`: images from a PACS by QIDO-RS and WADO-RS (PS3.18 10.6, 10.4) into the node's queue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from serving.audit.trail import Audit
from serving.hospital import header
from serving.hospital.config import NodeConfig
from serving.hospital.dicomweb import Found, Service
from serving.hospital.intake import OUT_OF_RESOURCES, STORED, Intake
from serving.hospital.network import image_classes
from serving.hospital.results.identity import SERIES_DESCRIPTION
from serving.store.store import Store
from zoo import errors, terminal

_DATES = re.compile(r"\d{8}(-\d{8})?|\d{8}-|-\d{8}")  # PS3.4 C.2.2.2.5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which images; what is empty matches all.

    Attributes:
        studies: Study Instance UIDs.
        modality: Modality (0008,0060).
        body_part: Body Part Examined (0018,0015).
        dates: Study Date (0008,0020): a day, YYYYMMDD, or a range of them, YYYYMMDD-YYYYMMDD, of which one may be left
            out.
    """

    studies: tuple[str, ...] = ()
    modality: str = ""
    body_part: str = ""
    dates: str = ""

    def check(self) -> None:
        """Returns if this can be asked.

        Raises:
            BadRequest: nothing is named, or something that is no UID or date.
        """
        if not (self.studies or self.modality or self.body_part or self.dates):
            raise errors.BadRequest("Say which images: --study, --modality, --body-part or --date, one at least.")
        if not all(header.is_uid(uid) for uid in self.studies):
            raise errors.BadRequest("A --study is no UID: digits and dots, 64 at most (PS3.5 section 9.1).")
        if self.dates and not _DATES.fullmatch(self.dates):
            raise errors.BadRequest("--date is a day, 20260131, or a range: 20260101-20260131, 20260101- or -20260131.")

    def fits(self, about: header.Header) -> bool:
        """Whether an image is one of them, by its own words: a PACS may have ignored what it was asked."""
        wanted = ((self.modality, about.modality), (self.body_part, about.body_part))
        return all(not asked or asked.upper() == said for asked, said in wanted)


@dataclass
class Pulled:
    """How many images were fetched into the queue, were there before, were others than asked for, were not taken."""

    fetched: int = 0
    before: int = 0
    others: int = 0
    not_taken: int = 0


class Puller:
    """Fetches from one archive. Whatever ends it, the same call goes on where it was.

    Args:
        config: the node's; the node itself may be running.
        archive: the name of one of its archives.
        most: stops after so many images; 0 for no limit.

    Raises:
        BadConfig: no such archive, or a file of it cannot be read.
        StoreNotReady: the store is away.
    """

    def __init__(self, config: NodeConfig, archive: str, *, most: int = 0) -> None:
        peer = config.archive_named(archive)
        self._peer, self._most = peer, most
        self._service = Service(archive, peer, config.tls)
        self._store = Store(config.store, spool=config.spool)
        if self._store.spool is None:
            raise errors.BadConfig("Received files need a folder: name it as `spool` in the node's file.")
        audit = None if config.audit is None else Audit(config.audit, "dicom-pull")
        self._intake = Intake(config, self._store, audit)
        self.pulled = Pulled()

    def pull(self, wanted: Wanted) -> Pulled:
        """Fetches what is wanted and not here yet.

        Raises:
            BadRequest: `wanted` says nothing that could be asked, or a study of it is not in the archive.
            StoreNotReady: the store takes no more.
            As `Service` otherwise.
        """
        wanted.check()
        todo = list(self._missing(wanted))[: self._most or None]
        with _progress() as progress:
            bar = progress.add_task(f"from {self._service.name}", total=len(todo))
            for study, series, instance in todo:
                self._fetch(wanted, study, series, instance)
                progress.advance(bar)
        return self.pulled

    def close(self) -> None:
        """Ends the store's connections."""
        self._store.close()

    def _missing(self, wanted: Wanted) -> Iterator[tuple[str, str, str]]:
        """Study, series and instance UID of each image that is wanted and not here."""
        classes = set(image_classes())
        for study in self._studies(wanted):
            for series in self._service.series(study, **({"Modality": wanted.modality} if wanted.modality else {})):
                if not _worth(series, wanted):
                    continue
                uid = series["SeriesInstanceUID"]
                found = self._service.instances(study, uid)
                images = [each["SOPInstanceUID"] for each in found if each["SOPClassUID"] in classes | {""}]
                here = self._store.queue.known(images)
                self.pulled.before += len(here)
                yield from ((study, uid, image) for image in images if image not in here)

    def _studies(self, wanted: Wanted) -> Iterator[str]:
        asked = {"StudyDate": wanted.dates, "ModalitiesInStudy": wanted.modality}
        asked = {keyword: value for keyword, value in asked.items() if value}
        for uid in wanted.studies or ("",):
            found = self._service.studies(**asked, **({"StudyInstanceUID": uid} if uid else {}))
            if uid and not found:
                raise errors.BadRequest(f"{self._service.name} has no study {uid} of that date and modality.")
            yield from (each["StudyInstanceUID"] for each in found)

    def _fetch(self, wanted: Wanted, study: str, series: str, instance: str) -> None:
        data = self._service.fetch(study, series, instance)
        if not wanted.fits(header.read(data)):
            self.pulled.others += 1
            return
        name, where = self._service.name, self._peer.where
        taken = self._intake.take(data, sender=name, peer=where, announced=instance, study=study)
        if taken.status == OUT_OF_RESOURCES:
            raise errors.StoreNotReady("The store or the spool takes no more. Make room; the same command goes on.")
        self.pulled.fetched += taken.status == STORED
        self.pulled.not_taken += taken.status != STORED


def pull(config: NodeConfig, archive: str, wanted: Wanted, *, most: int = 0) -> int:
    """Fetches, and says how it went; the command's status, 1 where an image was not taken."""
    puller = Puller(config, archive, most=most)
    try:
        pulled = puller.pull(wanted)
    except errors.KerascopeError:
        if puller.pulled.fetched:
            terminal.say(f"{puller.pulled.fetched} images are in the queue; the same command goes on after them.")
        raise
    finally:
        puller.close()
    others = f", {pulled.others} others than asked for" if pulled.others else ""
    terminal.say(
        f"{pulled.fetched} images fetched into the queue, {pulled.before} here before, {pulled.not_taken} not "
        f"taken{others}."
    )
    return int(pulled.not_taken > 0)


def _worth(series: Found, wanted: Wanted) -> bool:
    """Whether a series may hold what is wanted, by what the search says of it; our own results never do."""
    part = series["BodyPartExamined"].strip().upper()
    return SERIES_DESCRIPTION not in series["SeriesDescription"] and part in ("", wanted.body_part.upper() or part)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=terminal.console())
