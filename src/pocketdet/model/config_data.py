"""Write a config as plain data and read it back, for checkpoints and config files.

A part is stated by its class name (`CBAM`), by its name and what differs from its defaults
(`{CBAM: {reduction: 8}}`), or, for a part of the user's own, by its import path
(`my_parts:SpatialGate`). The choices stand in each part's file; there is no registry.
"""

from typing import Any, get_type_hints

from pocketdet.model.activation import ACTIVATIONS, Activation
from pocketdet.model.attention import ATTENTIONS, Attention
from pocketdet.model.config import DetectorConfig
from pocketdet.model.conv import CONVS, Conv
from pocketdet.model.extra import EXTRAS, Extra
from pocketdet.model.head import HEADS, Head
from pocketdet.model.nearest_name import known_name
from pocketdet.model.neck import NECKS, Neck
from pocketdet.model.norm import NORMS, Norm
from pocketdet.model.plain_data import PlainData
from pocketdet.model.scale import scaled
from pocketdet.model.stage import GRAPHS, STAGES, Graph, Stage
from pocketdet.model.stem import STEMS, Stem
from pocketdet.model.upsample import UPSAMPLES, Upsample

CHOICES: dict[Any, tuple[type, ...]] = {
    Activation: ACTIVATIONS,
    Attention: ATTENTIONS,
    Conv: CONVS,
    Extra: EXTRAS,
    Graph: GRAPHS,
    Head: HEADS,
    Neck: NECKS,
    Norm: NORMS,
    Stage: STAGES,
    Stem: STEMS,
    Upsample: UPSAMPLES,
}
"""For each part's protocol, the choices that have a name of their own."""

OTHER_NAMES = {
    "FPN": "TopDown",
    "PANet": "PAN",
    "SqueezeExcitation": "SE",
    "BatchNorm2d": "BatchNorm",
}
"""What people call some choices; a config is written with the second name."""

PARTS = PlainData(choices=CHOICES, other_names=OTHER_NAMES)

MULTIPLIERS = ("width", "depth")
"""What a config file may say beside the fields."""


def config_to_data(config: DetectorConfig) -> dict[str, Any]:
    """Write every field out, so that a later change of a default changes no saved detector."""
    return PARTS.write_fields(config)


def config_from_data(data: Any, *, base: DetectorConfig | None = None) -> DetectorConfig:
    """Read what `config_to_data` wrote, or only what differs from `base`.

    `width` and `depth`, which are no fields, multiply all of what results (see `scaled`). Raises
    `ValueError` that names the field and the nearest valid name.
    """
    given = dict(data) if isinstance(data, dict) else data
    factors: dict[str, Any] = {}
    if isinstance(given, dict):
        names = [*get_type_hints(DetectorConfig), *MULTIPLIERS]
        for name in given:
            known_name(str(name), names, "field of `config`")
        factors = {name: given.pop(name) for name in MULTIPLIERS if name in given}
    return scaled(PARTS.read_fields(given, base or DetectorConfig(), "config"), **factors)
