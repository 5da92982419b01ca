"""Load: asking a gateway or a model server from many places at once, and what it was like."""
