"""Towards the hospital: DICOM in, coded results out."""
