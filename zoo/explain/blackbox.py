"""LIME and SHAP: explanations of whatever answers, seen only through its answers to altered pictures.

Both hide superpixels of the picture and fit a sum of one weight per superpixel to the answers. The question goes
through a `Predict`, so that the same code explains a Keras model (`zoo.explain.methods`) and a served one
(`serving.blackbox`). Nothing here needs TensorFlow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lime.lime_image import LimeImageExplainer
from skimage.segmentation import slic

from zoo import errors
from zoo.explain.seeds import seeded

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
Segments = npt.NDArray[np.int64]
Predict = Callable[[Pixels], FloatArray]
"""Asked with uint8 [B, H, W, C], 1 <= B <= BATCH, answers float32 [B, L]; logits, here, as everywhere."""

BATCH = 32
SEGMENTS = 64  # superpixels asked for; SLIC makes about as many
EVALUATIONS = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """What each superpixel does for one label.

    Attributes:
        segments: int [H, W], the superpixel of each pixel, from 0.
        weight: float32 [S], of each superpixel, signed, in the unit of the answers.
        hidden: the answer to the picture with all superpixels hidden: what the weights are added to.
        evaluations: pictures asked about.
    """

    segments: Segments
    weight: FloatArray
    hidden: float
    evaluations: int

    @property
    def map(self) -> FloatArray:
        """Each pixel with the weight of its superpixel, float32 [H, W]."""
        return np.asarray(self.weight[self.segments], np.float32)


def superpixels(pixels: Pixels, count: int = SEGMENTS) -> Segments:
    """About `count` patches of even grey or colour: uint8 [H, W, C] gives int [H, W], numbered from 0.

    Source: SLIC, Achanta et al. 2012, https://doi.org/10.1109/TPAMI.2012.120, by scikit-image; it draws nothing.
    """
    found: Segments = slic(_rgb(pixels), n_segments=count, compactness=10, sigma=1, start_label=0, channel_axis=-1)
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def lime(
    predict: Predict,
    pixels: Pixels,
    label: int,
    *,
    evaluations: int = EVALUATIONS,
    segments: Segments | None = None,
    seed: int = 0,
) -> Weights:
    """LIME: the weights of a linear model fitted to the answers near the picture.

    ::

        weights = argmin_w  sum_z  pi(z) (f(x_z) - w0 - w . z)^2 + |w|^2,    pi(z) = sqrt(exp(-d(z, 1)^2 / 0.25^2))

    z in {0, 1}^S says which superpixels are seen, x_z is the picture with the others hidden under their own mean
    colour, d is the cosine distance.

    Args:
        predict: whom to ask.
        pixels: x, uint8 [height, width, channels].
        label: index of the answer.
        evaluations: pictures asked about, the whole one among them; every z is drawn evenly.
        segments: int [height, width]; None for `superpixels`.
        seed: of the draw.

    Source: Ribeiro et al. 2016, eq. 1 and 2, https://arxiv.org/abs/1602.04938, by the library `lime` with its own
        kernel and ridge regression. Departures: SLIC in place of quickshift, and logits in place of probabilities.
    """
    patches = superpixels(pixels) if segments is None else segments
    explainer = _Lime(pixels.shape[-1], random_state=seed)
    found = explainer.explain_instance(
        _rgb(pixels),
        predict,
        labels=(label,),
        top_labels=None,
        num_samples=evaluations,
        segmentation_fn=lambda _: patches,
    )
    weight = np.zeros(int(patches.max()) + 1, np.float32)
    for patch, value in found.local_exp[label]:
        weight[patch] = value
    return Weights(
        segments=patches, weight=weight, hidden=float(found.intercept[label]), evaluations=explainer.evaluations
    )


def shap(
    predict: Predict,
    pixels: Pixels,
    label: int,
    *,
    evaluations: int = EVALUATIONS,
    segments: Segments | None = None,
    seed: int = 0,
) -> Weights:
    """SHAP: the Shapley value of every superpixel, by Kernel SHAP.

    ::

        phi_i = sum over sets z without i of  |z|! (S - |z| - 1)! / S!  (f(x_z and i) - f(x_z))

    estimated by a weighted regression over drawn sets. The values add up: f(x) = f(all hidden) + sum phi_i, exactly.
    What is hidden shows the mean colour of the whole picture.

    Args:
        predict: whom to ask.
        pixels: x, uint8 [height, width, channels].
        label: index of the answer.
        evaluations: sets drawn, at least one a superpixel; two more pictures are asked about, the whole one and the
            hidden one. Fewer where there are no more sets, and then the values are exact.
        segments: int [height, width]; None for `superpixels`.
        seed: of the draw.

    Raises:
        errors.BadRequest: if there are fewer evaluations than superpixels: the regression then has no single answer.

    Source: Lundberg and Lee 2017, eq. 4 and theorem 2, https://arxiv.org/abs/1705.07874, by the library `shap`,
        without its selection of few features. Departure: logits in place of probabilities.
    """
    import shap as library

    patches = superpixels(pixels) if segments is None else segments
    count = int(patches.max()) + 1
    if evaluations < count:
        raise errors.BadRequest(
            f"{evaluations} evaluations do not settle the SHAP values of {count} superpixels: ask for {count} or more."
        )
    asked = 0

    def answers(seen: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        nonlocal asked
        asked += len(seen)
        return _ask(predict, pixels, patches, seen > 0, _mean_colour(pixels))[:, label].astype(np.float64)

    nothing, everything = np.zeros((1, count)), np.ones((1, count))
    with seeded(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = library.KernelExplainer(answers, nothing)
        values = explainer.shap_values(everything, nsamples=evaluations, l1_reg=False, silent=True)
    return Weights(
        segments=patches,
        weight=np.asarray(values, np.float32).reshape(count),
        hidden=float(np.ravel(explainer.expected_value)[0]),
        evaluations=asked,
    )


class _Lime(LimeImageExplainer):
    """The library's LIME with its loop over the pictures replaced: theirs draws a progress bar, and is slow."""

    def __init__(self, channels: int, random_state: int) -> None:
        super().__init__(random_state=np.random.RandomState(random_state), feature_selection="none")
        self._channels = channels
        self.evaluations = 0

    def data_labels(
        self,
        image: Pixels,
        fudged_image: Pixels,
        segments: Segments,
        classifier_fn: Predict,
        num_samples: int,
        **_: int,
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Draws the sets, as the library does, and asks about them: int [N, S] and float32 [N, L]."""
        count = int(segments.max()) + 1
        data = self.random_state.randint(0, 2, num_samples * count).reshape(num_samples, count)
        data[0] = 1
        self.evaluations = num_samples
        hidden = fudged_image[..., : self._channels]
        return data, _ask(classifier_fn, image[..., : self._channels], segments, data > 0, hidden)


def _rgb(pixels: Pixels) -> Pixels:
    """Grey as RGB: LIME takes nothing else, and SLIC weighs colour against distance on the scale of CIELAB."""
    return pixels if pixels.shape[-1] == 3 else np.repeat(pixels, 3, axis=-1)


def _mean_colour(pixels: Pixels) -> Pixels:
    return np.broadcast_to(np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8), pixels.shape)


def _ask(
    predict: Predict, pixels: Pixels, segments: Segments, seen: npt.NDArray[np.bool_], hidden: Pixels
) -> FloatArray:
    """The answers to the picture with some superpixels hidden: bool [N, S] gives float32 [N, L]."""
    answers = []
    for start in range(0, len(seen), BATCH):
        shown = seen[start : start + BATCH][:, segments][..., None]
        answers.append(predict(np.where(shown, pixels, hidden)))
    return np.concatenate(answers)
