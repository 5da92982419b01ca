"""The worklist's lines: from what this user opened and from the gateway's store, in their order, and filtered. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from dashboard import troubles, words
from dashboard.i18n import _, n_
from dashboard.studies import Outcome, Study
from serving.client import Status, StoredAnalysis
from serving.client import Study as Received
from zoo import errors
from zoo.results import Analysis, Verdict

STATUSES = {
    "opened": n_("Opened"),
    Status.RECEIVED.value: n_("Waiting"),
    Status.ANALYSING.value: n_("At work"),
    Status.DONE.value: n_("Done"),
    Status.REFUSED.value: n_("Refused"),
    Status.FAILED.value: n_("Failed"),
}


class Order(Enum):
    """What comes first."""

    URGENT = n_("Urgent first")
    NEWEST = n_("Newest first")


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One study and one model.

    Attributes:
        key: for widgets.
        title: what to call it.
        when: opened or received, UTC.
        model: its name; empty where none was asked.
        status: a key of `STATUSES`.
        analysis: the answer, where there is one.
        reason: why it was refused or failed.
        said: what people said of it.
        study: where this user has it open.
        stored: where it is in the store.
    """

    key: str
    title: str
    when: datetime
    model: str
    status: str
    analysis: Analysis | None = None
    reason: str = ""
    said: int = 0
    study: Study | None = None
    stored: StoredAnalysis | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Of the leading finding."""
        return self.analysis.leading.verdict if self.analysis else None

    @property
    def urgency(self) -> int:
        """0 is the most urgent: what is present, then what is unsure, what waits for a person, the rest."""
        if self.verdict is not None:
            return 2 * words.ORDER[self.verdict]
        return 3 if self.status in (Status.REFUSED.value, Status.FAILED.value) else 5


def of_session(studies: Iterable[Study]) -> list[Row]:
    """A line for each study and each model that was asked about it; one for a study that no model was asked about."""
    found = []
    for study in studies:
        asked = {model: study.outcome(model) for _sha, model, _version in study.outcomes}
        for model, outcome in (asked or {"": study.refusal}).items():
            found.append(_opened(study, model, outcome))
    return found


def _opened(study: Study, model: str, outcome: Outcome | None) -> Row:
    facts = f"{study.title} {study.scan.facts}".strip()
    key = f"own-{study.key}-{model}"
    if isinstance(outcome, Analysis):
        said = sum(review.analysis_id == outcome.provenance.analysis_id for review in study.reviews)
        return Row(
            key=key,
            title=facts,
            when=study.received,
            model=model,
            status="done",
            analysis=outcome,
            study=study,
            said=said,
        )
    reason = troubles.trouble(outcome).found if isinstance(outcome, errors.KerascopeError) else ""
    status = "refused" if reason else "opened"
    return Row(key=key, title=facts, when=study.received, model=model, status=status, reason=reason, study=study)


def of_store(received: Iterable[tuple[Received, dict[str, StoredAnalysis]]]) -> list[Row]:
    """A line for each image and model in the store.

    Args:
        received: studies, each with its stored answers by their identifier.
    """
    found = []
    for study, answers in received:
        for at, item in enumerate(study.items):
            stored = answers.get(item.analysis_id)
            found.append(
                Row(
                    key=f"store-{study.number}-{at}",
                    title=_("Study {number}").format(number=study.number),
                    when=stored.created if stored else study.received,
                    model=item.model,
                    status=item.status.value,
                    analysis=stored.analysis if stored else None,
                    reason=(stored.detail if stored else "") or item.reason,
                    said=len(stored.reviews) if stored else 0,
                    stored=stored,
                )
            )
    return found


def merged(own: list[Row], stored: list[Row]) -> list[Row]:
    """Both, an answer that is in both once, with the picture of the one and the reviews of the other."""
    kept = {row.analysis.provenance.analysis_id: row for row in stored if row.analysis}
    mine = []
    for row in own:
        same = kept.pop(row.analysis.provenance.analysis_id, None) if row.analysis else None
        mine.append(row if same is None else _joined(row, same))
    rest = [row for row in stored if row.analysis is None or row.analysis.provenance.analysis_id in kept]
    return [*mine, *rest]


def _joined(own: Row, stored: Row) -> Row:
    return Row(**{**vars(own), "said": stored.said, "stored": stored.stored})


def ordered(rows: Iterable[Row], order: Order) -> list[Row]:
    """The rows in an order; within the same urgency the newest first."""
    newest = sorted(rows, key=lambda row: row.when, reverse=True)
    return sorted(newest, key=lambda row: row.urgency) if order is Order.URGENT else newest


def filtered(
    rows: Iterable[Row],
    *,
    model: str | None = None,
    finding: str | None = None,
    verdict: Verdict | None = None,
    status: str | None = None,
    within: timedelta | None = None,
    now: datetime,
) -> list[Row]:
    """The rows that pass every filter that is set.

    Args:
        finding: a label; kept are the rows where it is present or not sure, or has the verdict asked for.
        verdict: of `finding`, or of the leading finding.
        within: how long ago at most.
    """
    return [
        row
        for row in rows
        if (model is None or row.model == model)
        and (status is None or row.status == status)
        and (within is None or now - row.when <= within)
        and _finds(row, finding, verdict)
    ]


def _finds(row: Row, finding: str | None, verdict: Verdict | None) -> bool:
    if finding is None:
        return verdict is None or row.verdict is verdict
    found = next((f for f in row.analysis.findings if f.label == finding), None) if row.analysis else None
    wanted = {verdict} if verdict else {Verdict.PRESENT, Verdict.NOT_SURE}
    return found is not None and found.verdict in wanted
