"""What computes a SavedModel's signatures on the CPU: TensorFlow, or OpenVINO in its place."""
