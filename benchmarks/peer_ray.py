"""Ray Serve on a SavedModel, in an environment of its own: `python peer_ray.py FOLDER PORT BATCH TIMEOUT_S`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

# Ray gives an actor's libraries one thread unless told; and waits 5 s for its proxy, which a busy machine exceeds.
os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")

import numpy as np
import ray
import tensorflow as tf
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

FOLDER, PORT, BATCH, TIMEOUT_S = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
class Analyze:
    """The signature `analyze`, as Ray Serve's documentation writes a service with dynamic batching."""

    def __init__(self, folder: str, batch: int, timeout_s: float) -> None:
        self.model = tf.saved_model.load(folder)
        self.analyze = self.model.signatures["analyze"]
        self.shape = self.analyze.structured_input_signature[1]["image"].shape[1:]
        self.answer.set_max_batch_size(batch)
        self.answer.set_batch_wait_timeout_s(timeout_s)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.0)
    async def answer(self, pictures: list[np.ndarray]) -> list[bytes]:
        return await asyncio.to_thread(self.compute, np.stack(pictures))

    def compute(self, pixels: np.ndarray) -> list[bytes]:
        answers = self.analyze(image=tf.constant(pixels))
        rows = np.concatenate([answers[name].numpy().reshape(len(pixels), -1) for name in sorted(answers)], 1)
        return [row.tobytes() for row in rows]

    async def __call__(self, request: Request) -> Response:
        pixels = np.frombuffer(await request.body(), np.uint8).reshape(self.shape)
        return Response(await self.answer(pixels))


def _start(tries: int = 3) -> None:
    """Ray's own wait for its proxy, a minute, is not always enough on a busy machine."""
    for left in reversed(range(tries)):
        try:
            serve.start(http_options={"host": "127.0.0.1", "port": PORT})
            return
        except (TimeoutError, ray.exceptions.RayError):
            if not left:
                raise


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # Ray ends its own processes on the way out
    ray.init(num_cpus=max(2, os.cpu_count() or 2), include_dashboard=False, configure_logging=False)
    _start()
    serve.run(Analyze.bind(FOLDER, BATCH, TIMEOUT_S), route_prefix="/predict")
    while True:
        time.sleep(60)
