import numpy as np
import pytest

from training import calibrate, operating
from training.operating import Rule
from zoo import errors
from zoo.cards import Calibration
from zoo.tasks import Kind


def drawn_logits(count: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times what the answers were drawn from, [count, 1] both."""
    rng = np.random.default_rng(seed)
    honest = rng.standard_normal((count, 1)) * 2
    truth = (rng.random((count, 1)) < 1 / (1 + np.exp(-honest))).astype(float)
    return honest * sharpness, truth


def test_nll_worked_out_by_hand():
    # sigmoid(log 3) = 3/4. Present at log 3 costs -log 3/4, absent at log 3 costs -log 1/4; unknown costs nothing.
    logits = np.full((3, 1), np.log(3))
    found = calibrate.negative_log_likelihood(logits, np.array([[1.0], [0.0], [np.nan]]), exclusive=False)
    assert found == pytest.approx(-(np.log(3 / 4) + np.log(1 / 4)) / 2)


def test_softmax_nll_worked_out_by_hand():
    # softmax(log 2, 0, 0) = (1/2, 1/4, 1/4); the second label holds.
    found = calibrate.negative_log_likelihood(np.array([[np.log(2), 0, 0]]), np.array([[0.0, 1, 0]]), exclusive=True)
    assert found == pytest.approx(np.log(4))
    assert calibrate.log_loss(np.array([[0.5, 0.25, 0.25]]), np.array([[0.0, 1, 0]]), exclusive=True) == found


def test_log_loss_of_probabilities_is_the_nll_of_their_logits():
    logits, truth = drawn_logits(50, 1.0)
    from_logits = calibrate.negative_log_likelihood(logits, truth, exclusive=False)
    from_probabilities = calibrate.log_loss(1 / (1 + np.exp(-logits)), truth, exclusive=False)
    assert from_probabilities == pytest.approx(from_logits)


def test_temperature_has_the_value_that_calculus_gives():
    # Logit 2 throughout, 3 of 4 right: without the prior sigmoid(2 / T) = 3/4, so T = 2 / log 3 = 1.8205.
    # Half of the images are mirrored (logit -2, absent 3 of 4), which changes nothing in the formula.
    logits = np.tile([[2.0], [2.0], [2.0], [2.0], [-2.0], [-2.0], [-2.0], [-2.0]], (1000, 1))
    truth = np.tile([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0], [0.0], [1.0]], (1000, 1))
    assert calibrate.temperature(logits, truth, exclusive=False) == pytest.approx(2 / np.log(3), rel=1e-3)


@pytest.mark.parametrize("sharpness", [0.5, 3.0])
def test_overconfidence_and_timidity_are_undone(sharpness):
    logits, truth = drawn_logits(4000, sharpness)
    assert calibrate.temperature(logits, truth, exclusive=False) == pytest.approx(sharpness, rel=0.1)


def test_one_temperature_for_softmax_and_one_per_label_for_sigmoids():
    logits, truth = drawn_logits(500, 3.0)
    pair = np.hstack([logits, np.zeros_like(logits)])  # softmax of (x, 0) is sigmoid of x
    exclusive = calibrate.fit(pair, np.hstack([truth, 1 - truth]), exclusive=True)
    several = calibrate.fit(np.hstack([logits, logits / 3]), np.hstack([truth, truth]), exclusive=False)
    assert len(exclusive.temperature) == 1
    assert exclusive.temperature[0] == pytest.approx(several.temperature[0], rel=1e-3)
    assert several.temperature[0] > 2 > 1.3 > several.temperature[1]


def test_a_handful_of_right_answers_does_not_buy_certainty():
    # Separable: the bare likelihood would drive T to the lower bound, 0.1; the prior holds it near 1.
    logits, truth = np.array([[1.0], [-1.0], [2.0], [-2.0]]), np.array([[1.0], [0.0], [1.0], [0.0]])
    assert 0.3 < calibrate.temperature(logits, truth, exclusive=False) < 1


def test_calibration_is_never_less_likely_on_validation_than_none():
    for seed in range(20):
        logits, truth = drawn_logits(12, 1.0, seed)
        found = calibrate.temperature(logits, truth, exclusive=False)
        after = calibrate.negative_log_likelihood(logits / found, truth, exclusive=False)
        assert after <= calibrate.negative_log_likelihood(logits, truth, exclusive=False)


def test_one_sided_validation_leaves_the_logits_alone():
    found = calibrate.fit(np.array([[1.0], [2.0]]), np.zeros((2, 1)), exclusive=False)
    assert found.temperature == (1.0,)
    assert calibrate.platt(np.array([1.0, 2.0]), np.zeros(2)) == (1.0, 0.0)


def test_unknown_answers_do_not_move_the_temperature():
    logits, truth = drawn_logits(300, 2.0)
    padded = np.vstack([logits, np.full((50, 1), 9.0)]), np.vstack([truth, np.full((50, 1), np.nan)])
    assert calibrate.fit(*padded, exclusive=False) == calibrate.fit(logits, truth, exclusive=False)


def test_platt_undoes_a_slope_and_a_shift():
    logits, truth = drawn_logits(4000, 1.0)
    slope, intercept = calibrate.platt((logits[:, 0] - 1) * 2, truth[:, 0])  # the honest logit is x / 2 + 1
    assert slope == pytest.approx(0.5, rel=0.1)
    assert intercept == pytest.approx(1.0, abs=0.1)


def test_platt_never_turns_the_ranking_round():
    logits, truth = drawn_logits(200, -1.0)
    assert calibrate.platt(logits[:, 0], truth[:, 0]) == (1.0, 0.0)


def test_platt_is_refused_where_labels_exclude_each_other():
    with pytest.raises(errors.BadConfig, match="add up to one"):
        calibrate.fit(np.zeros((2, 2)), np.eye(2), exclusive=True, method="platt")


def test_probabilities_follow_the_cards_formulas():
    logits = np.array([[np.log(9), 0.0]])
    half = Calibration(method="temperature", temperature=(2.0,))
    line = Calibration(method="platt", slope=(1.0, 1.0), intercept=(0.0, np.log(3)))
    plain = calibrate.probabilities(logits, Calibration(), Kind.MULTILABEL)
    assert plain.dtype == np.float32
    np.testing.assert_allclose(plain, [[0.9, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(calibrate.probabilities(logits, half, Kind.MULTICLASS), [[0.75, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(calibrate.probabilities(logits, line, Kind.MULTILABEL), [[0.9, 0.75]], rtol=1e-6)


def test_unknown_images_of_an_exclusive_task_are_left_out():
    logits, truth = np.array([[1.0, 0.0], [0.0, 3.0]]), np.array([[1.0, 0.0], [np.nan, np.nan]])
    both = calibrate.negative_log_likelihood(logits, truth, exclusive=True)
    assert both == calibrate.negative_log_likelihood(logits[:1], truth[:1], exclusive=True)
    assert len(calibrate.claims(logits, truth, exclusive=True)[0][0]) == 1


def test_ece_worked_out_by_hand():
    # Bin (12/15, 13/15]: 0.85 twice, one came true: |0.5 - 0.85| * 2/3. Bin (1/15, 2/15]: 0.1 once, false: 0.1 * 1/3.
    # Sum 0.2333 + 0.0333 = 0.2667.
    probability, truth = np.array([[0.85], [0.85], [0.1]]), np.array([[1.0], [0.0], [0.0]])
    assert calibrate.expected_calibration_error(probability, truth, exclusive=False) == pytest.approx(0.8 / 3)


def test_ece_of_a_softmax_judges_the_leading_label():
    # Leading 0.6 (wrong) and 0.9 (right): |0 - 0.6| / 2 + |1 - 0.9| / 2 = 0.35.
    probability, truth = np.array([[0.6, 0.4], [0.1, 0.9]]), np.array([[0.0, 1], [0, 1]])
    assert calibrate.expected_calibration_error(probability, truth, exclusive=True) == pytest.approx(0.35)


def test_ece_of_several_labels_is_their_mean_over_known_answers():
    # First label: 0.5 promised, 1 came true: 0.5. Second: 0.2 promised, 0 came true: 0.2. The third is unknown.
    probability, truth = np.array([[0.5, 0.2, 0.9]]), np.array([[1.0, 0.0, np.nan]])
    assert calibrate.expected_calibration_error(probability, truth, exclusive=False) == pytest.approx(0.35)


def chosen(probability: list[float], truth: list[float], rule: str) -> operating.Choice:
    groups = [str(i) for i in range(len(truth))]
    found = operating.choose(np.array(probability), np.array(truth), groups, Rule.parse(rule))
    assert found is not None
    return found


def test_youdens_threshold_lies_midway():
    # J at cuts: >=0.2 0, >=0.3 1/2, >=0.6 1 - hence midway between 0.3 and 0.6.
    found = chosen([0.2, 0.3, 0.6, 0.8], [0, 0, 1, 1], "youden")
    assert found.threshold == pytest.approx(0.45)
    assert found.chosen_by == "Youden's J on validation"


def test_of_equal_thresholds_youden_takes_the_more_sensitive():
    # Cut 0.3 (sensitivity 1, specificity 1/2) and cut 0.7 (1/2, 1) both have J = 1/2.
    assert chosen([0.1, 0.3, 0.5, 0.7], [0, 1, 0, 1], "youden").threshold == pytest.approx(0.2)


def test_a_wanted_sensitivity_takes_the_highest_threshold_that_reaches_it():
    probability, truth = [0.1, 0.2, 0.4, 0.6, 0.7, 0.9], [0, 1, 0, 1, 1, 1]
    assert chosen(probability, truth, "sensitivity>=0.75").threshold == pytest.approx(0.5)
    assert chosen(probability, truth, "sensitivity>=0.9").threshold == pytest.approx(0.15)


def test_a_wanted_specificity_takes_the_lowest_threshold_that_reaches_it():
    # The negatives are 0.1, 0.4 and 0.9: two thirds clear at 0.5; all of them only above 0.9, midway to 1.
    probability, truth = [0.1, 0.3, 0.4, 0.6, 0.7, 0.9], [0, 1, 0, 1, 1, 0]
    assert chosen(probability, truth, "specificity>=0.6").threshold == pytest.approx(0.5)
    assert chosen(probability, truth, "specificity>=0.9").threshold == pytest.approx(0.95)


@pytest.mark.parametrize("text", ["", "yuden", "sensitivity>0.9", "sensitivity>=90", "accuracy>=0.9"])
def test_an_unknown_rule_is_refused_with_the_ones_there_are(text):
    with pytest.raises(errors.BadConfig, match=r"youden, sensitivity>=0\.9 or specificity>=0\.9"):
        Rule.parse(text)


def test_the_zone_holds_the_threshold_and_stays_the_exception():
    rng = np.random.default_rng(0)
    for count in (12, 40, 300):
        truth = (np.arange(count) % 3 == 0).astype(float)
        probability = np.clip(rng.random(count) * 0.7 + truth * 0.3, 0, 1)
        found = chosen(list(probability), list(truth), "youden")
        low, high = found.not_sure
        assert 0 <= low <= found.threshold <= high <= 1
        assert ((probability >= low) & (probability <= high)).mean() <= 0.2


def test_the_zone_narrows_with_more_patients():
    def width(count: int) -> float:
        rng = np.random.default_rng(1)
        truth = (np.arange(count) % 2).astype(float)
        latent = rng.standard_normal(count) + 2.5 * truth - 1.25
        low, high = chosen(list(1 / (1 + np.exp(-latent))), list(truth), "youden").not_sure
        return high - low

    assert 0 < width(4000) < width(100)


def test_validation_with_one_answer_only_gives_no_operating_point():
    assert operating.choose(np.array([0.1, 0.9]), np.array([0.0, np.nan]), ["a", "b"], Rule("youden")) is None


def test_reliability_bins_are_a_fifteenth_wide():
    # 1/15 = 0.0667: 0 and 0.05 share the first bin, 0.07 opens the second, 1 is in the last.
    table = calibrate.reliability(np.array([0.0, 0.05, 0.07, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]))
    np.testing.assert_allclose(table, [[0.025, 0.5, 2], [0.07, 0, 1], [1, 1, 1]])


def test_an_image_that_was_not_drawn_does_not_move_the_threshold():
    # Without the negative at 0.3 the neighbours of the cut are 0.2 and 0.6.
    probability, truth = np.array([0.2, 0.3, 0.6]), np.array([0.0, 0.0, 1.0])
    weights = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    found = operating.thresholds(probability, truth, weights, Rule("youden"))
    np.testing.assert_allclose(found, [0.45, 0.4])
