"""What one user has open and asked. It lives in that user's session only."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard import account, gateway, intake
from dashboard.samples import Sample
from dashboard.studies import Outcome, Study
from serving.client import ModelSummary
from zoo import errors
from zoo.results import Analysis, Explanation, Method

UPLOAD = "upload"
SAMPLE = "sample"
USER = "user"
QUESTION = "question"  # the name of the model that is asked
SETTLED = "question-settled"  # True once the question stays where it is
STUDY_PAGE = "study-page"
ACCEPTED = "accepted"
WAITING = "waiting"  # True where the page has to be drawn again once a model answers
MOST_STUDIES = 200
MOST_PRIORS = 8
MOST_BYTES = 64 << 20  # of what is kept open; the oldest studies go first


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands around the page, as far as a page needs it.

    Attributes:
        error: why the gateway does not answer, or None.
        models: those to choose from.
        model: the one chosen; None where there is none to choose.
        samples: whether there are samples to take.
    """

    error: errors.KerascopeError | None
    models: tuple[ModelSummary, ...]
    model: ModelSummary | None
    samples: bool


def begin_with(models: tuple[ModelSummary, ...]) -> None:
    """Puts the question to the first model that answers, once there is one; from then on only the user moves it."""
    here = st.session_state.get(QUESTION) in {model.name for model in models}
    ready = next((model.name for model in models if model.ready), None)
    if ready is not None and not (here and st.session_state.get(SETTLED)):
        choose_question(ready)


def choose_question(name: str) -> None:
    """Asks this model, and leaves it so."""
    st.session_state[QUESTION] = name
    question_chosen()


def question_chosen() -> None:
    """The question stays where it is, whether its model answers or not."""
    st.session_state[SETTLED] = True


def user() -> str:
    """Who is logged in, or who this user says they are; empty where they have not."""
    who = account.current()
    return who.name if who else str(st.session_state.get(USER) or "").strip()


def set_frame(around: Frame) -> None:
    """Keeps the frame for the page that is drawn next."""
    st.session_state["frame"] = around


def frame() -> Frame:
    """The frame of this run."""
    around: Frame = st.session_state["frame"]
    return around


def opened() -> list[Study]:
    """Everything this user has opened and that is still kept, newest first."""
    studies: list[Study] = st.session_state.setdefault("studies", [])
    return studies


def current() -> Study | None:
    """The study this user looks at."""
    study: Study | None = st.session_state.get("study")
    return study


def look_at(study: Study | None) -> None:
    """Makes a study the one looked at; None closes it. What was decoded of the one before is let go."""
    before = current()
    if before is not None and before is not study:
        before.let_go()
    st.session_state["study"] = study


def priors(study: Study) -> list[Study]:
    """What this user has open of the same patient, the oldest first, the study itself last; at most `MOST_PRIORS`."""
    others = [each for each in opened() if each is not study and each.same_patient(study) and not each.refusal]
    return [*sorted(others, key=lambda each: each.when)[-MOST_PRIORS:], study]


def _keep(new: list[Study]) -> None:
    """Adds studies to those opened, the first of them in sight; the oldest go where it is too much."""
    kept = opened()
    new = [_known(study, kept) or study for study in new]
    kept[:] = [*new, *(study for study in kept if study not in new)]
    while len(kept) > len(new) and (len(kept) > MOST_STUDIES or sum(s.size_bytes for s in kept) > MOST_BYTES):
        kept.pop()
    look_at(new[0])


def _known(study: Study, kept: list[Study]) -> Study | None:
    """The same files, opened before: what was asked of them is not asked again."""
    if study.refusal is not None:
        return None
    hashes = [scan.sha256 for scan in study.scans]
    return next((each for each in kept if [scan.sha256 for scan in each.scans] == hashes), None)


def uploader_key() -> str:
    """The uploader's key; it changes to empty the uploader."""
    return f"{UPLOAD}-{st.session_state.setdefault('uploads', 0)}"


def empty_uploader() -> None:
    """Puts a new uploader in the place of the old one; Streamlit then lets go of what the old one held."""
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1


def uploaded() -> None:
    """Opens what was just uploaded, and empties the uploader, which would keep the files, and show their names."""
    new = st.session_state.get(uploader_key()) or []
    st.session_state[SAMPLE] = None
    if new:
        _keep(intake.studies(file.getvalue() for file in new))
        _forget(new)
        empty_uploader()


def _forget(files: list[UploadedFile]) -> None:
    """Streamlit would keep what was uploaded as long as the session lives, whatever becomes of its uploader."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def sampled(offered: list[Sample]) -> None:
    """Opens the sample just chosen, if any, and empties the uploader."""
    empty_uploader()
    look_at(None)
    for sample in offered:
        if sample.title == st.session_state.get(SAMPLE):
            _keep([Study(title=sample.title, scans=(intake.scan(sample.read()),))])


def ask_about(number: int) -> None:
    """Makes another slice the one that the models are asked about."""
    study = current()
    if study is not None and 0 <= number < len(study.scans):
        study.asked = number


def analysis(study: Study, model: str, version: int) -> Outcome:
    """The model's answer on the study, asked for once; an error that may pass is asked about again."""
    if study.refusal is not None:
        return study.refusal
    key = (study.scan.sha256, model, version)
    if key in study.outcomes:
        return study.outcomes[key]
    asked = study.scan.data
    outcome: Outcome = gateway.attempt(
        lambda: gateway.client().analyze(asked, model=model, version=version, embedding=True)
    )
    st.session_state[WAITING] = isinstance(outcome, errors.ModelNotReady)
    if isinstance(outcome, (Analysis, errors.BadImage, errors.ImageRefused)):
        study.outcomes[key] = outcome
    return outcome


def explanation(study: Study, model: str, version: int, label: str, method: Method) -> Explanation | None:
    """The map already asked for, if it was."""
    return study.explanations.get((study.scan.sha256, model, version, label, method))


def explain(study: Study, model: str, version: int, label: str, method: Method) -> Explanation | errors.KerascopeError:
    """Asks for a map by another method, which may take a while, and keeps it with the study."""
    client, asked = gateway.client(), study.scan
    made = gateway.attempt(lambda: client.explain(asked.data, model=model, method=method, label=label, version=version))
    if isinstance(made, Explanation):
        study.explanations[asked.sha256, model, version, label, method] = made
    return made
