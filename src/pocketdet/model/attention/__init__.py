"""Gates that weigh channels or places of a map, one block a file."""

from pocketdet.model.attention.cbam import CBAM
from pocketdet.model.attention.coordinate import CoordAtt
from pocketdet.model.attention.efficient_channel import ECA
from pocketdet.model.attention.global_context import GlobalContext
from pocketdet.model.attention.identity_start import IdentityStart
from pocketdet.model.attention.non_local import NonLocal
from pocketdet.model.attention.placed import PlacedAttention
from pocketdet.model.attention.protocol import Attention, NoAttention
from pocketdet.model.attention.simam import SimAM
from pocketdet.model.attention.squeeze_excite import SE

ATTENTIONS = (NoAttention, CBAM, SE, ECA, CoordAtt, SimAM, GlobalContext, NonLocal)

__all__ = [
    "ATTENTIONS",
    "CBAM",
    "ECA",
    "SE",
    "Attention",
    "CoordAtt",
    "GlobalContext",
    "IdentityStart",
    "NoAttention",
    "NonLocal",
    "PlacedAttention",
    "SimAM",
]
