"""PeleeNet, the image classifier whose layers are Pelee's backbone."""

from torch import Tensor, nn

from pocketdet.model.activation import ReLU
from pocketdet.model.config import PELEE_STAGES
from pocketdet.model.layers import Layers
from pocketdet.model.norm import BatchNorm
from pocketdet.model.stem import PeleeStem


class PeleeNet(nn.Module):
    """PeleeNet (Wang et al. 2018, arXiv 1804.06882, table 1): 2.8 M parameters, 508 M MACs.

    Its module names are those of a detector's backbone, so trained weights carry over. Batch
    norm and dropout (0.05) are those of the authors' PyTorch classifier.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        layers = Layers(norm=BatchNorm(eps=1e-5, momentum=0.1), activation=ReLU())
        self.stem = PeleeStem().build(layers)
        self.stages = nn.ModuleList()
        channels = PeleeStem().channels
        for stage in PELEE_STAGES:
            self.stages.append(stage.build(channels, layers))
            channels += stage.num_layers * stage.growth
        self.dropout = nn.Dropout(0.05)
        self.classifier = nn.Linear(channels, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Give (b, num_classes) logits for normalised (b, 3, H, W) pictures."""
        features = self.stem(images)
        for stage in self.stages:
            features = stage(features)
        return self.classifier(self.dropout(features.mean(dim=(2, 3))))
