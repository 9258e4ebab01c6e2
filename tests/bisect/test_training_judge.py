"""What the training judge makes of noise, on made-up trainings whose truth is known."""

from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
import pytest

from pocketdet import recipes
from pocketdet.bisect.signals import SCORE, TRAINING
from pocketdet.bisect.training_judge import TrainingJudge
from pocketdet.bisect.verdict import Verdict
from pocketdet.model import CBAM, SE, DetectorConfig, GroupNorm, PeleeStem
from pocketdet.trial import TrialResult

HEALTHY = recipes.PELEE_TINY
FAULTY, HALF, SLIGHT = (
    replace(HEALTHY, attention=CBAM()),
    replace(HEALTHY, attention=SE()),
    replace(HEALTHY, norm=GroupNorm()),
)


@dataclass
class MadeUp:
    """Losses that fall from 10 as steps grow; a fault keeps a share of them from falling.

    `still`: weights that no step moves.
    """

    faults: dict[DetectorConfig, float]
    noise: float = 0.02
    end: float = 2.0
    diverges: tuple[DetectorConfig, ...] = ()
    trained: dict[tuple[DetectorConfig, int, int], TrialResult] = field(default_factory=dict)

    still: dict[DetectorConfig, tuple[str, ...]] = field(default_factory=dict)
    at_once: int = 1

    def __call__(self, trainings, *, steps: int) -> list[TrialResult]:
        return [self.train(config, seed, steps) for config, seed in trainings]

    def train(self, config: DetectorConfig, seed: int, steps: int) -> TrialResult:
        key = (config, seed, steps)
        if key not in self.trained:
            rng = np.random.default_rng([seed, steps, crc32(str(config).encode())])
            learned = min(1.0, steps / 160)
            loss = (
                10
                - (10 - self.end) * learned * (1 - self.faults.get(config, 0.0))
                + self.noise * float(rng.standard_normal())
            )
            self.trained[key] = TrialResult(
                outcome="diverged" if config in self.diverges else "trained",
                reason="the loss is nan" if config in self.diverges else "",
                num_steps=steps,
                history=(
                    {"step": 10.0, "loss": 10.0},
                    *({"step": 20.0 + place, "loss": loss} for place in range(4)),
                ),
                figures={"ap": float("nan"), "ap50": float("nan")},
                class_ap={},
                class_ap50={},
                held_out_loss=float("inf") if config in self.diverges else loss,
                seconds=0.0,
                device="cpu",
                detections=(),
                unmoved=self.still.get(config, ()),
            )
        return self.trained[key]

    def signals(self, one: DetectorConfig, other: DetectorConfig) -> tuple[str, ...]:
        return TRAINING, SCORE


def judge_of(trainer: MadeUp, **settings) -> TrainingJudge:
    return TrainingJudge(trainer=trainer, healthy=HEALTHY, **settings)


def test_the_budget_is_the_least_that_separates_the_ends() -> None:
    judge = judge_of(MadeUp({FAULTY: 0.5}))
    assert judge.open(FAULTY).verdict is Verdict.FAULTY
    assert judge.scales[0].steps == 40
    noisy = judge_of(MadeUp({FAULTY: 0.5}, noise=0.6))
    assert noisy.open(FAULTY).verdict is Verdict.FAULTY
    assert noisy.scales[0].steps > 40


def test_ends_that_differ_by_no_more_than_noise_are_said_to_be_the_same() -> None:
    judgement = judge_of(MadeUp({FAULTY: 0.0}), most_steps=80).open(FAULTY)
    assert judgement.verdict is Verdict.HEALTHY
    assert "differ by no more than seeds do" in judgement.why


def test_a_plainly_better_altered_end_is_not_trained_on_and_on() -> None:
    trainer = MadeUp({FAULTY: -0.5})
    judgement = judge_of(trainer).open(FAULTY)
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.why.startswith("better than the healthy end")
    assert max(steps for _, _, steps in trainer.trained) == 80


def test_one_seed_is_enough_where_it_is_plain_and_more_are_asked_where_it_is_close() -> None:
    trainer = MadeUp({FAULTY: 0.5, HALF: 0.27, SLIGHT: 0.02}, noise=0.15)
    judge = judge_of(trainer)
    judge.open(FAULTY)
    assert judge(SLIGHT).verdict is Verdict.HEALTHY
    close = judge(HALF)
    seeds = [sum(key[0] == config for key in trainer.trained) for config in (SLIGHT, HALF)]
    assert seeds[0] == 1
    assert seeds[1] > 1
    assert close.verdict in (Verdict.UNDECIDED, Verdict.FAULTY)


def test_what_stays_in_the_middle_is_undecided() -> None:
    judge = judge_of(MadeUp({FAULTY: 0.5, HALF: 0.25}, noise=0.0001))
    judge.open(FAULTY)
    assert judge(HALF).verdict is Verdict.UNDECIDED


def test_divergence_is_a_fault_with_its_own_word() -> None:
    judge = judge_of(MadeUp({FAULTY: 0.5}, diverges=(HALF,)))
    judge.open(FAULTY)
    judgement = judge(HALF)
    assert judgement.verdict is Verdict.FAULTY
    assert judgement.why.startswith("diverged")
    whole = judge_of(MadeUp({}, diverges=(HALF, FAULTY)))
    assert whole.open(HALF).why.startswith("diverged")
    assert whole(FAULTY).verdict is Verdict.FAULTY
    assert whole(SLIGHT).verdict is Verdict.HEALTHY


def test_a_healthy_end_that_diverges_is_refused() -> None:
    with pytest.raises(ValueError, match="healthy end must train"):
        judge_of(MadeUp({}, diverges=(HEALTHY,))).open(FAULTY)


def test_a_rest_that_is_slightly_worse_is_healthy_beside_the_first_fault() -> None:
    judge = judge_of(MadeUp({FAULTY: 0.5, SLIGHT: 0.04, HALF: 0.3}, noise=0.01))
    judge.open(FAULTY)
    assert judge.open(SLIGHT).verdict is Verdict.HEALTHY
    assert judge.open(HALF).verdict is Verdict.FAULTY
    assert judge(HALF).verdict is Verdict.FAULTY


def test_weights_that_no_step_moves_are_a_fault_that_one_seed_shows() -> None:
    trainer = MadeUp({SLIGHT: 0.5}, still={FAULTY: ("gate", "old"), HEALTHY: ("old",)})
    judge = judge_of(trainer)
    judgement = judge.open(FAULTY)
    assert judgement.verdict is Verdict.FAULTY
    assert judgement.measured["unmoved"] == ["gate"]
    assert judge(FAULTY).verdict is Verdict.FAULTY
    assert judge(SLIGHT).verdict is Verdict.HEALTHY
    assert {seed for _, seed, _ in trainer.trained} == {0}
    assert judge.open(SLIGHT).why.startswith("worse than the healthy end")
    assert judge(SLIGHT).verdict is Verdict.FAULTY


def test_seeds_that_run_side_by_side_are_judged_together() -> None:
    trainer = MadeUp({FAULTY: 0.5, SLIGHT: 0.02}, at_once=2)
    judge = judge_of(trainer)
    judge.open(FAULTY)
    assert "2 seeds" in judge(SLIGHT).why


def test_a_rest_that_is_not_shown_to_keep_a_quarter_of_the_fault_ends_the_search() -> None:
    trainer = MadeUp({FAULTY: 0.5, SLIGHT: 0.125}, noise=0.0001)
    judge = judge_of(trainer)
    judge.open(FAULTY)
    assert judge.open(SLIGHT).verdict is Verdict.UNDECIDED
    assert max(steps for _, _, steps in trainer.trained) == 40


def test_what_is_learnt_by_heart_is_not_trained_further() -> None:
    """Losses that have all but vanished say nothing of who learns better."""
    trainer = MadeUp({FAULTY: 0.003}, noise=0.03, end=0.5)
    assert judge_of(trainer).open(FAULTY).verdict is Verdict.HEALTHY
    assert max(steps for _, _, steps in trainer.trained) == 160


def test_where_longer_trainings_draw_level_the_length_that_told_most_is_taken() -> None:
    class DrawingLevel(MadeUp):
        def train(self, config: DetectorConfig, seed: int, steps: int) -> TrialResult:
            self.noise = 0.05 if steps == 40 else 0.5
            return super().train(config, seed, steps)

    judge = judge_of(DrawingLevel({FAULTY: 0.15}), most_steps=80)
    judgement = judge.open(FAULTY)
    assert judgement.verdict is Verdict.FAULTY
    assert judge.scales[0].steps == 40


def test_seeds_that_are_good_or_bad_for_both_ends_are_paired() -> None:
    """The digits of the month: seeds scatter as much as the ends differ, and the same way."""

    class Paired(MadeUp):
        def train(self, config: DetectorConfig, seed: int, steps: int) -> TrialResult:
            result = super().train(config, seed, steps)
            shift = (0.0, 0.45, 0.5, -0.2, 0.3)[seed]
            rows = tuple({**row, "loss": row["loss"] + shift} for row in result.history)
            return replace(result, history=rows, held_out_loss=result.held_out_loss + shift)

    trainer = Paired({FAULTY: 0.1, SLIGHT: 0.0}, noise=0.01)
    judge = judge_of(trainer, most_steps=160)
    judgement = judge.open(FAULTY)
    assert judgement.verdict is Verdict.FAULTY
    assert len(judge.scales[0].seeds) > 3  # three were not enough to be sure
    assert judge(FAULTY).verdict is Verdict.FAULTY
    assert judge(SLIGHT).verdict is Verdict.HEALTHY


def test_ends_that_are_the_same_are_seldom_called_different() -> None:
    ends = [replace(HEALTHY, stem=PeleeStem(channels=8 + number)) for number in range(200)]
    judges = [judge_of(MadeUp({}, noise=0.3), most_steps=160) for _ in ends]
    said = [judge.open(end).verdict for judge, end in zip(judges, ends, strict=True)]
    assert sum(verdict is Verdict.FAULTY for verdict in said) <= 20
