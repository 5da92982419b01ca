"""Files of the embedded model server, and their generated code."""
