"""From the bytes a hospital sends to the pixels a model takes, and back to a picture."""
