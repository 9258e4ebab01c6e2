"""What joins the levels before the head reads them."""

from pocketdet.model.neck.bifpn import BiFPN
from pocketdet.model.neck.path_aggregation import PAN
from pocketdet.model.neck.protocol import Neck, NoNeck
from pocketdet.model.neck.top_down import TopDown

NECKS = (NoNeck, TopDown, PAN, BiFPN)

__all__ = ["NECKS", "PAN", "BiFPN", "Neck", "NoNeck", "TopDown"]
