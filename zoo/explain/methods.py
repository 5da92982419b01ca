"""All methods that explain one label of one picture, by name and with one signature, to call one or to run them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt

from zoo import errors, keras_settings
from zoo.explain import evidence, finer, forward, gradients, occlusion, scorecam, visualizers
from zoo.models import classifier

if TYPE_CHECKING:
    from zoo.explain import blackbox

FloatMap = npt.NDArray[np.float32]
Run = Callable[[keras.Model, FloatMap, int, int], FloatMap]


class Needs(str, Enum):
    """What a method must be able to do with a model."""

    FEATURES = "features"  # one forward pass, and the tensor that feeds the pooling
    GRADIENTS = "gradients"  # the slopes of a logit
    ANSWERS = "answers"  # answers to many altered pictures


@dataclass(frozen=True)
class Method:
    """One way to explain a label of a picture.

    Attributes:
        name: on the command line and, where the gateway offers it, on the wire (`zoo.results.Method`).
        title: for people.
        needs: what it must be able to do with the model.
        run: run(model, pixels float32 [H, W, C] in [0, 255], label, seed) -> raw map float32 [rows, columns], signed
            where the method is, covering the whole picture. BadRequest where the network is none the method is for.
    """

    name: str
    title: str
    needs: Needs
    run: Run


def explain(model: keras.Model, pixels: npt.NDArray[np.generic], *, method: str, label: int, seed: int = 0) -> FloatMap:
    """Where one label's answer comes from, by one method.

    Args:
        model: a classifier that gives logits (`zoo.models.classifier.build`).
        pixels: [height, width, channels] in [0, 255], already preprocessed.
        method: a name of `METHODS`.
        label: index of the output.
        seed: of the methods that draw: SmoothGrad, LIME and SHAP.

    Returns:
        The raw map, float32 [rows, columns], covering the whole picture; its unit is the method's own, and it is not
        divided by its maximum. Whatever draws it shows the positive part (`zoo.imaging.overlay.heatmap`).

    Raises:
        BadRequest: no such method or label, or the network is none the method is for.
        BadConfig: Keras' global settings are not those that the network is written for.
    """
    keras_settings.check()
    chosen = get(method)
    forward.check_label(model, label)
    return chosen.run(model, np.asarray(pixels, np.float32), label, seed)


def get(name: str) -> Method:
    """The method of that name.

    Raises:
        BadRequest: there is none.
    """
    try:
        return METHODS[name]
    except KeyError:
        raise errors.BadRequest(f"No method is called {name!r}. There are: {', '.join(METHODS)}.") from None


def predictor(model: keras.Model) -> blackbox.Predict:
    """A Keras model as the black-box methods ask it: uint8 [B, H, W, C] to logits [B, L]."""
    from zoo.explain import blackbox

    return lambda images: forward.logits(model, images, batch=blackbox.BATCH)


def _evidence(model: keras.Model, pixels: FloatMap) -> FloatMap:
    """Evidence of every label, [h, w, L]."""
    kernel = classifier.head(model).get_weights()[0]
    return np.asarray(evidence.evidence(forward.features(model, pixels[None])[0], kernel), np.float32)


def _one_evidence(model: keras.Model, pixels: FloatMap, label: int, seed: int) -> FloatMap:
    return np.ascontiguousarray(_evidence(model, pixels)[..., label])


def _finer_cam(model: keras.Model, pixels: FloatMap, label: int, seed: int) -> FloatMap:
    maps = _evidence(model, pixels)
    values = evidence.logits(maps, classifier.head(model).get_weights()[1])
    similar = evidence.nearest_labels(values, label)
    return np.asarray(evidence.finer_cam(maps, label=label, similar=similar), np.float32)


def _smooth_grad(model: keras.Model, pixels: FloatMap, label: int, seed: int) -> FloatMap:
    return gradients.smooth_grad(model, pixels, label, seed=seed)


def _integrated(model: keras.Model, pixels: FloatMap, label: int, seed: int) -> FloatMap:
    return gradients.integrated_gradients(model, pixels, label).attribution


def _black_box(name: str) -> Run:
    def run(model: keras.Model, pixels: FloatMap, label: int, seed: int) -> FloatMap:
        from zoo.explain import blackbox  # a gateway offers neither, and has their libraries not installed

        method = {"lime": blackbox.lime, "shap": blackbox.shap}[name]
        rounded = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return method(predictor(model), rounded, label, seed=seed).map

    return run


def _drawing_nothing(method: Callable[[keras.Model, FloatMap, int], FloatMap]) -> Run:
    return lambda model, pixels, label, seed: method(model, pixels, label)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("evidence", "Evidence", Needs.FEATURES, _one_evidence),
        Method("finer-cam", "Finer-CAM", Needs.FEATURES, _finer_cam),
        Method("averaged-evidence", "Averaged evidence", Needs.FEATURES, _drawing_nothing(finer.averaged_evidence)),
        Method("fine-layer-cam", "Layer-CAM, finer layer", Needs.GRADIENTS, _drawing_nothing(finer.fine_layer_cam)),
        Method("grad-cam", "Grad-CAM", Needs.GRADIENTS, _drawing_nothing(visualizers.grad_cam)),
        Method("grad-cam++", "Grad-CAM++", Needs.GRADIENTS, _drawing_nothing(visualizers.grad_cam_plus_plus)),
        Method("layer-cam", "Layer-CAM", Needs.GRADIENTS, _drawing_nothing(visualizers.layer_cam)),
        Method("score-cam", "Score-CAM", Needs.ANSWERS, _drawing_nothing(scorecam.score_cam)),
        Method("faster-score-cam", "Faster Score-CAM", Needs.ANSWERS, _drawing_nothing(scorecam.faster_score_cam)),
        Method("saliency", "Saliency", Needs.GRADIENTS, _drawing_nothing(gradients.saliency)),
        Method("smooth-grad", "SmoothGrad", Needs.GRADIENTS, _smooth_grad),
        Method(
            "guided-backpropagation",
            "Guided backpropagation",
            Needs.GRADIENTS,
            _drawing_nothing(gradients.guided_backpropagation),
        ),
        Method("deconvnet", "DeconvNet", Needs.GRADIENTS, _drawing_nothing(gradients.deconvnet)),
        Method("integrated-gradients", "Integrated gradients", Needs.GRADIENTS, _integrated),
        Method("occlusion", "Occlusion", Needs.ANSWERS, _drawing_nothing(occlusion.occlusion)),
        Method("lime", "LIME", Needs.ANSWERS, _black_box("lime")),
        Method("shap", "SHAP", Needs.ANSWERS, _black_box("shap")),
    )
}
