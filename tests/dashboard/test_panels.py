"""What the dashboard says and draws, without a browser: words, markup, pictures, the card."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from dashboard import card as cards
from dashboard import cautions, launch, markup, pictures, samples, theme, troubles, words
from tests.dashboard.canned import CAUTION, POINT, PROBABILITIES, analysis, card, finding
from zoo import errors
from zoo.cards import Interval
from zoo.errors import Reason
from zoo.imaging.image import Image
from zoo.measures import Baseline
from zoo.reference_set import Alike
from zoo.results import Analysis, Measure, Method, Verdict
from zoo.tasks import BREAST_ULTRASOUND, PHANTOM_CHEST, PNEUMONIA


def text(html: str) -> str:
    """What is left for a reader who sees no markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def chest(**probabilities: float) -> Analysis:
    base = analysis(PHANTOM_CHEST)
    return replace(base, findings=tuple(finding(label, p) for label, p in probabilities.items()))


def test_findings_are_read_by_verdict_then_by_probability():
    order = [f.label for f in words.in_order(analysis(PHANTOM_CHEST).findings)]
    assert order == ["effusion", "nodule", "pneumothorax", "consolidation", "cardiomegaly"]


def test_an_unsure_finding_is_read_before_an_absent_one_that_is_more_probable():
    strict = POINT.model_copy(update={"threshold": 0.9, "not_sure": (0.8, 0.95)})
    findings = [finding("absent", 0.6, strict), finding("unsure", 0.35), finding("unrated", 0.7, None)]
    assert [f.label for f in words.in_order(findings)] == ["unsure", "unrated", "absent"]


def test_the_headline_names_what_is_present_then_what_is_unsure():
    said = words.headline(analysis(PHANTOM_CHEST), card(PHANTOM_CHEST))
    assert said == (
        "The model finds effusion. It is not sure about nodule. "
        "Anything else it looks for is below its operating point."
    )


def test_the_headline_joins_several_findings_and_says_when_there_is_none():
    several = chest(nodule=0.6, effusion=0.9, consolidation=0.7)
    assert words.headline(several, card()) == "The model finds effusion, consolidation and nodule."
    none = words.headline(chest(nodule=0.1, effusion=0.2), card())
    assert none == "The model finds none of the 2 things it looks for: each is below its operating point."


def test_a_binary_question_is_answered_by_its_finding():
    said = words.headline(chest(pneumonia=0.05), card(PHANTOM_CHEST).model_copy(update={"kind": PNEUMONIA.kind}))
    assert said == "The model finds no pneumonia: it is below its operating point."


@pytest.mark.parametrize(
    ("probability", "ending"),
    [(0.81, "It lies above its operating point."), (0.45, "not sure"), (0.29, "no answer is supported")],
)
def test_exclusive_answers_are_told_as_the_most_likely_one(probability, ending):
    rest = (1 - probability) / 2
    told = replace(
        analysis(BREAST_ULTRASOUND),
        findings=(
            finding("malignant", probability),
            finding("benign", min(rest, probability - 0.01)),
            finding("normal", 0.02),
        ),
    )
    said = words.headline(told, card(BREAST_ULTRASOUND))
    assert said.startswith(f"Most likely: malignant ({100 * probability:.0f} %).")
    assert ending in said


def test_an_exclusive_label_is_supported_rather_than_present():
    assert words.verdict(finding("normal", 0.9), exclusive=True) == "Supported"
    assert words.verdict(finding("nodule", 0.9), exclusive=False) == "Present"
    assert words.verdict(finding("nodule", 0.45), exclusive=False) == "Not sure"
    assert words.verdict(finding("nodule", 0.1, None), exclusive=False) == "Not rated"


def test_no_probability_is_shown_as_certain():
    assert [words.percent(p) for p in (0.0, 0.004, 0.826, 0.996, 1.0)] == ["< 1 %", "< 1 %", "83 %", "> 99 %", "> 99 %"]


def test_a_measured_number_carries_its_interval():
    assert words.measured(Interval(value=0.914, low=0.85, high=0.951)) == "0.91 (0.85 to 0.95)"
    assert words.measured(Interval(value=None)) == "not measured"


def test_the_overlay_begins_on_only_from_the_operating_point_up():
    assert words.above(finding("nodule", 0.40))
    assert not words.above(finding("nodule", 0.39))
    assert not words.above(finding("nodule", 0.99, None))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_says_what_was_found_what_was_expected_and_what_to_do(reason):
    told = troubles.trouble(errors.ImageRefused("Modality is 'CT'.", reason))
    assert told.code == reason.value
    assert told.found == "Modality is 'CT'."
    assert told.expected
    assert told.action


def test_the_advice_of_the_message_comes_before_the_general_one():
    told = troubles.trouble(errors.BadImage("The file is empty. Send a DICOM file.", Reason.EMPTY))
    assert (told.found, told.action) == ("The file is empty.", "Send a DICOM file.")


@pytest.mark.parametrize("kind", [k for k in errors.KerascopeError.__subclasses__() if not k.__name__.startswith("_")])
def test_every_error_becomes_a_panel_with_something_to_do(kind):
    told = troubles.trouble(kind("It is so."))
    assert told.found == "It is so."
    assert told.action
    assert "It is so." in text(markup.trouble(told))


def test_a_finding_is_told_in_words_before_numbers():
    row = text(markup.finding(finding("effusion", 0.86), exclusive=False))
    assert row == (
        "Present 86 % Operating point 0.40: sensitivity 0.91 (0.85 to 0.95), specificity 0.88 (0.83 to 0.92)"
    )


def test_the_bar_stands_where_the_numbers_are():
    # Zone 0.3 to 0.5: begins at 30 % and is 20 % wide; operating point at 40 %; probability 86 %.
    row = markup.finding(finding("effusion", 0.86), exclusive=False)
    assert 'class="ks-zone" style="left:30.0%;width:20.0%"' in row
    assert 'class="ks-tick" style="left:40.0%"' in row
    assert 'class="ks-fill ks-present" style="width:86.0%"' in row
    assert 'aria-label="Effusion: calibrated probability 0.86; not sure from 0.30 to 0.50; operating point 0.40"' in row


def test_the_bar_carries_how_many_of_the_nearest_test_pictures_had_it():
    alike = Alike(pictures=50, had_it=Interval(value=0.84, low=0.715, high=0.917))
    row = markup.finding(finding("effusion", 0.86), exclusive=False, alike=alike)
    assert 'class="ks-span" style="left:71.5%;width:20.2%"' in row
    said = "operating point 0.40; of the 50 test pictures nearest in probability, 84 % (72 % to 92 %) had it"
    assert f'{said}"' in row.split("title=")[0]  # for screen readers
    assert f'{said}"' in row.split("title=")[1]
    assert text(row) == text(markup.finding(finding("effusion", 0.86), exclusive=False))  # as high as without it


def test_the_caution_says_how_unusual_the_picture_is_and_what_that_means():
    shown = cautions.banner(CAUTION)
    assert unescape(text(shown)) == (
        "Unusual for this model usual unusual refused "
        "Read this answer with care: sensitivity and specificity were measured on usual pictures. "
        "This picture is 1.31 times as far from the training pictures as the limit, which at most 5 % of pictures like "
        "them exceed. From 1.80 times on the model refuses a picture. Compared by the model's own features of it."
    )
    assert 'role="alert"' in shown
    assert 'role="img" aria-label="1.31 times the limit; refused from 1.80 times"' in shown
    assert "grey levels" in text(cautions.banner(replace(CAUTION, measure=Measure.TEXTURE)))
    assert "light and dark" in text(cautions.banner(replace(CAUTION, measure=Measure.LAYOUT)))


def test_where_no_picture_is_refused_the_bar_and_the_words_name_no_refusal():
    shown = cautions.banner(replace(CAUTION, ratio=2.0, refusal_ratio=None))
    assert "refuse" not in text(shown)
    assert '<i style="left:65.0%">' in shown  # halfway from 30 % to the end of the bar
    assert "2.00 times as far" in text(shown)


def test_a_measure_of_a_newer_gateway_is_shown_without_its_name():
    assert text(cautions.banner(replace(CAUTION, measure=Measure.OTHER))).endswith("refuses a picture.")


@pytest.mark.parametrize(("ratio", "left"), [(1.0, 30.0), (1.2, 42.5), (1.8, 80.0), (2.0, 80.0)])
def test_the_mark_stands_where_the_picture_lies_between_caution_and_refusal(ratio, left):
    # The middle zone begins at 30 % and is 50 % wide; a ratio of 1.2 is a quarter of the way from 1 to 1.8.
    shown = cautions.banner(replace(CAUTION, ratio=ratio))
    assert f'<i style="left:{left}%">' in shown
    assert f"grid-template-columns: {cautions.USUAL_WIDTH:.0%} {cautions.UNUSUAL_WIDTH:.0%} 20%" in theme.STYLE


def test_where_both_limits_are_the_same_the_mark_stands_at_the_refusal():
    assert '<i style="left:80.0%">' in cautions.banner(replace(CAUTION, ratio=1.0, refusal_ratio=1.0))


def test_an_answer_is_marked_where_its_picture_is_unusual_and_only_there():
    assert cautions.mark(analysis()) == ""
    assert text(cautions.mark(replace(analysis(), caution=CAUTION))) == "Unusual for this model"


def test_a_label_without_an_operating_point_has_neither_tick_nor_zone():
    row = markup.finding(finding("effusion", 0.86, None), exclusive=False)
    assert "ks-tick" not in row
    assert "ks-zone" not in row
    assert "no operating point" in row


def test_what_comes_from_outside_is_escaped():
    nasty = "<img src=x onerror=alert(1)>"
    told = troubles.trouble(errors.BadRequest(nasty))
    point = POINT.model_copy(update={"chosen_by": nasty})
    shown = card().model_copy(update={"intended_use": nasty, "not_for": nasty, "question": nasty, "licence": nasty})
    label = shown.labels[0].model_copy(update={"name": nasty, "operating_point": point})
    shown = shown.model_copy(update={"labels": (label,)})
    for html in (
        markup.trouble(told),
        markup.headline(nasty),
        markup.notice(nasty),
        markup.finding(finding(nasty, 0.5), exclusive=False),
        markup.viewer("data:", nasty),
        markup.state(nasty, ready=True),
        cards.what(shown) + cards.how(shown),
    ):
        assert "<img src=x" not in html


def test_the_card_shows_use_data_metrics_and_provenance():
    page = text(cards.what(card(BREAST_ULTRASOUND)) + cards.how(card(BREAST_ULTRASOUND)))
    for part in (
        "Diagnosis, treatment or triage of patients.",
        "train: 560 images of 280 patients",
        "0.94 (0.91 to 0.97)",
        "Accuracy 0.86 (0.81 to 0.90)",
        "Answered malignant",
        "0.061 before, 0.024 after",
        "0.78 (0.66 to 0.88)",
        "CC-BY-4.0",
        "4f0c1d2",
    ):
        assert part in page


def test_the_accuracy_of_several_findings_is_named_for_what_it_is_and_stands_beside_its_floor():
    floor = Baseline(answer="nothing present", accuracy=0.32)
    told = card().model_copy(update={"accuracy": Interval(value=0.18), "accuracy_baseline": floor})
    said = (
        "All findings of a picture right: 0.18. The same answer for every picture (nothing present) would reach 0.32."
    )
    assert said in text(cards.what(told))


def test_a_card_without_measurements_has_no_empty_tables():
    bare = card().model_copy(update={"labels": tuple(x.model_copy(update={"metrics": None}) for x in card().labels)})
    assert "<table" not in cards.what(bare) + cards.how(bare)


def test_agreement_equals_the_numbers_worked_out_by_hand():
    # relu keeps (4, 0, 0, 3), its maximum 4 makes it (1, 0, 0, 0.75).
    # Against (1, 0, 0, 0): cosine 1 / (sqrt(1 + 0.5625) * 1) = 1 / 1.25 = 0.8; largest difference 0.75.
    evidence = np.array([[4, -1], [-2, 3]], np.float32)
    heat = np.array([[1, 0], [0, 0]], np.float32)
    alike = pictures.agreement(evidence, heat)
    assert alike is not None
    assert alike.cosine == pytest.approx(0.8)
    assert alike.largest_difference == pytest.approx(0.75)


def test_maps_on_different_grids_are_not_compared():
    assert pictures.agreement(np.ones((2, 2), np.float32), np.ones((4, 4), np.float32)) is None


def test_an_empty_map_has_no_angle():
    alike = pictures.agreement(-np.ones((2, 2), np.float32), np.ones((2, 2), np.float32))
    assert alike is not None
    assert alike.cosine is None
    assert alike.largest_difference == 1


def test_the_picture_on_the_screen_keeps_its_shape_and_its_grey():
    grey = Image(pixels=np.full((1000, 3000), 77, np.uint8), format="PNG")
    assert pictures.for_screen(grey).shape == (341, 1024)
    small = Image(pixels=np.full((40, 30), 77, np.uint8), format="PNG")
    assert pictures.for_screen(small).shape == (40, 30)
    sent = pictures.with_map(small.pixels, None, 0.5)
    shown = Pillow.open(io.BytesIO(base64.b64decode(sent.removeprefix("data:image/jpeg;base64,"))))
    assert np.abs(np.asarray(shown.convert("L")).astype(int) - 77).max() <= 2


def test_a_map_colours_only_where_it_is_hot():
    pixels = np.full((64, 64), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    sent = pictures.with_map(pixels, heat, 1.0)
    shown = np.asarray(Pillow.open(io.BytesIO(base64.b64decode(sent.split(",")[1]))).convert("RGB")).astype(int)
    assert np.ptp(shown[2, 2]) > 50
    assert np.ptp(shown[60, 60]) <= 4


def test_samples_are_numbered_and_never_named_after_their_files(tmp_path):
    for name in ("DOE_JANE.dcm", "ROE_RICHARD.PNG", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    offered = samples.offered(tmp_path)
    assert [sample.title for sample in offered] == ["Sample 1 (DICOM)", "Sample 2 (PNG)"]
    assert [sample.path.name for sample in offered] == ["DOE_JANE.dcm", "ROE_RICHARD.PNG"]


def test_no_folder_no_samples(tmp_path):
    assert samples.offered(tmp_path / "nowhere") == []


def test_the_samples_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASCOPE_SAMPLES", str(tmp_path))
    assert samples.folder() == tmp_path
    monkeypatch.delenv("KERASCOPE_SAMPLES")
    assert samples.folder() == Path("build/demo/samples")


def test_every_method_and_verdict_has_a_name():
    assert set(words.METHODS) == set(Method)
    assert (
        set(words.VERDICTS) == set(words.EXCLUSIVE_VERDICTS) == set(markup.CLASSES) == set(words.ORDER) == set(Verdict)
    )


def test_the_command_asks_nothing_and_tells_nobody():
    command = launch.command(host="127.0.0.1", port=8501)
    assert {"--server.headless=true", "--browser.gatherUsageStats=false", "--server.address=127.0.0.1"} <= set(command)
    assert "--client.showErrorDetails=none" in command


def test_the_theme_fetches_no_font_from_the_network():
    assert not re.search(r"https?:|@import|url\(", theme.STYLE + " ".join(theme.flags()))


def test_a_taken_port_is_said_before_anything_starts():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(errors.BadConfig, match="Name another port"):
            launch.start(host="127.0.0.1", port=taken.getsockname()[1], gateway="localhost:1", samples=None)


def test_the_canned_answers_cover_every_label():
    assert {len(PROBABILITIES[t.name]) - len(t.labels) for t in (PHANTOM_CHEST, BREAST_ULTRASOUND)} == {0}
