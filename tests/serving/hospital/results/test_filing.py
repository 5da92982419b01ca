"""All the objects of an analysis: which there are, and that a retry sends the very same."""

from __future__ import annotations

from datetime import timedelta

from serving.hospital.results.filing import objects
from tests.serving.hospital.results.objects import AT, written


def test_a_radiographs_objects_are_report_overlay_and_pdf(cr, analysis, card):
    made = objects(cr, analysis, card, at=AT)
    assert [each.Modality for each in made] == ["SR", "OT", "DOC"]  # one finding alone is present


def test_a_slices_objects_have_a_map_too(ct, analysis, card):
    assert [each.Modality for each in objects(ct, analysis, card, at=AT)] == ["SR", "OT", "OT", "DOC"]


def test_a_retry_makes_the_same_objects_to_the_last_byte(ct, analysis, card):
    first, again = ([written(each) for each in objects(ct, analysis, card, at=AT)] for _ in range(2))
    assert first == again


def test_another_analysis_of_the_same_image_makes_other_objects(ct, analysis, another, card):
    first, other = (objects(ct, each, card, at=AT + timedelta(hours=1)) for each in (analysis, another))
    assert not {each.SOPInstanceUID for each in first} & {each.SOPInstanceUID for each in other}
    assert not {each.SeriesInstanceUID for each in first} & {each.SeriesInstanceUID for each in other}
    assert {each.StudyInstanceUID for each in (*first, *other)} == {"1.2.826.0.1.3680043.8.498.1"}


def test_every_object_says_research_use_only(ct, analysis, card):
    assert all("RESEARCH USE ONLY" in each.SeriesDescription for each in objects(ct, analysis, card, at=AT))
