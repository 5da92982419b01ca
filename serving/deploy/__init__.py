"""TensorFlow Serving in production: its files written from a registry, its versions promoted and rolled back."""
