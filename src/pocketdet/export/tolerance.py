"""How far an exported file may be from the detector that it was made from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What still counts as the same detector.

    - `output`: of each raw output, the error's root mean square over the output's own;
    - `box`: largest shift of a side of a detection, in input pixels;
    - `score`: largest change of a detection's score;
    - `unmatched`: share of detections that only one of the two has, scores at the threshold aside;
    - `apart`: share of detections that may be further off in box or score.
    """

    output: float
    box: float
    score: float
    unmatched: float
    apart: float = 0.0


TOLERANCES = {
    # Sums in another order: measured 1e-6 to 1e-5 on trained detectors, 1e-4 where norms of single
    # places blow up what is nearly zero. Of two boxes whose overlap is at NMS's threshold, or whose
    # scores are equal, either may be kept.
    "fp32": Tolerance(output=1e-3, box=0.05, score=1e-3, unmatched=0.005),
    # 11 bits of mantissa, rounded in each of some hundred layers.
    "fp16": Tolerance(output=3e-2, box=1.0, score=2e-2, unmatched=0.02),
    # A quantised network in another runtime: a value on the edge of a step falls to either side.
    # Of crowded boxes NMS then keeps another one, so that a few of hundreds are far off: OpenVINO's
    # worst of 222 was off by 8.9 px, and AP was the same. Whether int8 is good enough at all is for
    # `evaluate` and `parity` to say.
    "int8": Tolerance(output=0.15, box=8.0, score=0.15, unmatched=0.1, apart=0.02),
}
