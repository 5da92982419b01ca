"""Who asked what, and what became of it: a trail that cannot be changed unseen."""
