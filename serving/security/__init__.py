"""Who may ask the gateway what, how often, and over which connection. Light: needs no TensorFlow."""
