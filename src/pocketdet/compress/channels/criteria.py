"""Every criterion by which channels are told apart: to add one, add a file and a name here."""

from pocketdet.compress.channels.discrimination import Discrimination
from pocketdet.compress.channels.lasso import Lasso
from pocketdet.compress.channels.scores import BNScale, ChannelScore, Magnitude, Taylor

SCORES: tuple[type[ChannelScore], ...] = (Magnitude, BNScale, Taylor, Lasso, Discrimination)
