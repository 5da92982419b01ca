"""What a clinician sees."""
