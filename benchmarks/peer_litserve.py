"""LitServe on a SavedModel, in an environment of its own: `python peer_litserve.py FOLDER PORT BATCH TIMEOUT_S`."""

from __future__ import annotations

import base64
import sys
from typing import Any

import litserve
import numpy as np
import tensorflow as tf


class Analyze(litserve.LitAPI):
    """The signature `analyze`, as LitServe's documentation writes a service with batching."""

    def setup(self, device: str) -> None:
        self.model = tf.saved_model.load(sys.argv[1])
        self.analyze = self.model.signatures["analyze"]
        self.shape = self.analyze.structured_input_signature[1]["image"].shape[1:]

    def decode_request(self, request: dict[str, str]) -> np.ndarray:
        return np.frombuffer(base64.b64decode(request["image"]), np.uint8).reshape(self.shape)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, pixels: np.ndarray) -> Any:
        alone = pixels.ndim == 3
        answers = self.analyze(image=tf.constant(pixels[None] if alone else pixels))
        rows = np.concatenate([answers[name].numpy().reshape(len(answers[name]), -1) for name in sorted(answers)], 1)
        return rows[0] if alone else rows

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict[str, str]:
        return {"answers": base64.b64encode(output.tobytes()).decode()}


if __name__ == "__main__":
    port, batch, timeout_s = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    api = Analyze(max_batch_size=batch, batch_timeout=timeout_s)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
