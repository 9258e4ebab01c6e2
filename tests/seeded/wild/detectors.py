"""Detectors and set-predicting segmenters of transformers, with their own losses."""

from typing import Any

import torch
from torch import Tensor

from seeded.wild.build import LABELS, Later, picture
from seeded.wild.pictures import STAGES, SWIN, VIT

BACKBONE = Later(
    "ResNetConfig",
    embedding_size=16,
    layer_type="basic",
    out_features=["stage2", "stage3", "stage4"],
    **STAGES,
)
LAST = Later(
    "ResNetConfig", embedding_size=16, layer_type="basic", out_features=["stage4"], **STAGES
)


def box_loss(model: Any, inputs: Any) -> Tensor:
    labels = [
        {
            "class_labels": torch.tensor([i % LABELS, 1]),
            "boxes": torch.tensor([[0.3, 0.4, 0.2, 0.3], [0.7, 0.6, 0.3, 0.2]]),
        }
        for i in range(len(inputs["pixel_values"]))
    ]
    return model(**inputs, labels=labels).loss


LAYERS: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_queries": 12,
}  # fmt: skip
DETECTS: dict[str, Any] = {"num_labels": LABELS, "loss": box_loss, "size": 96}
NO_TIMM: dict[str, Any] = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone": None,
}

picture(
    "DETR",
    "DetrForObjectDetection",
    "DetrConfig",
    backbone_config=LAST,
    **NO_TIMM,
    **LAYERS,
    **DETECTS,
)
picture(
    "Table Transformer",
    "TableTransformerForObjectDetection",
    "TableTransformerConfig",
    backbone_config=LAST,
    **NO_TIMM,
    **LAYERS,
    **DETECTS,
)
picture(
    "Conditional DETR",
    "ConditionalDetrForObjectDetection",
    "ConditionalDetrConfig",
    backbone_config=LAST,
    **NO_TIMM,
    **LAYERS,
    **DETECTS,
)
picture(
    "Deformable DETR",
    "DeformableDetrForObjectDetection",
    "DeformableDetrConfig",
    backbone_config=BACKBONE,
    num_feature_levels=3,
    **NO_TIMM,
    **LAYERS,
    **DETECTS,
)
picture("DAB-DETR", "DabDetrForObjectDetection", "DabDetrConfig", backbone_config=LAST, hidden_size=32, encoder_layers=1,
        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64,
        num_queries=12, **NO_TIMM, **DETECTS)  # fmt: skip
HYBRID: dict[str, Any] = {
    "encoder_hidden_dim": 32, "encoder_in_channels": [24, 32, 48], "feat_strides": [8, 16, 32], "encoder_ffn_dim": 64,
    "decoder_in_channels": [32, 32, 32], "decoder_ffn_dim": 64, "decoder_layers": 2, "d_model": 32, "num_queries": 12,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "hidden_expansion": 0.5, "num_denoising": 0,
}  # fmt: skip
RT = Later(
    "RTDetrResNetConfig",
    embedding_size=16,
    layer_type="basic",
    out_features=["stage2", "stage3", "stage4"],
    **STAGES,
)
picture(
    "RT-DETR", "RTDetrForObjectDetection", "RTDetrConfig", backbone_config=RT, **HYBRID, **DETECTS
)
picture(
    "RT-DETRv2",
    "RTDetrV2ForObjectDetection",
    "RTDetrV2Config",
    backbone_config=RT,
    **HYBRID,
    **DETECTS,
)
picture(
    "D-FINE",
    "DFineForObjectDetection",
    "DFineConfig",
    backbone_config=RT,
    decoder_n_points=[2, 2, 2],
    **HYBRID,
    **DETECTS,
)
picture(
    "YOLOS",
    "YolosForObjectDetection",
    "YolosConfig",
    num_detection_tokens=8,
    **(VIT | {"image_size": [96, 96]}),
    **DETECTS,
)

MASKS: dict[str, Any] = {"size": 64, "num_labels": LABELS}
picture("MaskFormer", "MaskFormerForInstanceSegmentation", "MaskFormerConfig", fpn_feature_size=32, mask_feature_size=32,
        backbone_config=Later("SwinConfig", out_features=["stage1", "stage2", "stage3", "stage4"],
                              **(SWIN | {"depths": [1, 1, 1, 1], "num_heads": [2, 2, 4, 4]})),
        decoder_config=Later("DetrConfig", backbone_config=LAST, **NO_TIMM, **LAYERS), **MASKS)  # fmt: skip
picture("Mask2Former", "Mask2FormerForUniversalSegmentation", "Mask2FormerConfig", feature_size=32, mask_feature_size=32,
        hidden_dim=32, encoder_feedforward_dim=64, dim_feedforward=64, encoder_layers=1, decoder_layers=3,
        num_attention_heads=4, num_queries=8,
        backbone_config=Later("SwinConfig", out_features=["stage1", "stage2", "stage3", "stage4"],
                              **(SWIN | {"depths": [1, 1, 1, 1], "num_heads": [2, 2, 4, 4]})), **MASKS)  # fmt: skip
