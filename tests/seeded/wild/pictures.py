"""Classifiers, encoders, segmenters and depth estimators of transformers."""

from typing import Any

import torch
from torch import Tensor

from seeded.wild.build import LABELS, Later, add, images, picture


def class_loss(model: Any, inputs: Any) -> Tensor:
    count = len(inputs["pixel_values"])
    return model(**inputs, labels=torch.arange(count) % LABELS).loss


def map_loss(model: Any, inputs: Any) -> Tensor:
    n, _, h, w = inputs["pixel_values"].shape
    labels = (torch.arange(w)[None, :] * LABELS // w).expand(h, w)
    return model(**inputs, labels=labels.expand(n, h, w).contiguous()).loss


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
VIT = SMALL | {"intermediate_size": 64, "image_size": 64, "patch_size": 16}
CLASSES: dict[str, Any] = {"num_labels": LABELS, "loss": class_loss}
MAPS: dict[str, Any] = {"num_labels": LABELS, "loss": map_loss}
WIDTHS = [16, 24, 32, 48]
STAGES: dict[str, Any] = {"hidden_sizes": WIDTHS, "depths": [1, 1, 2, 1]}
RESIDUAL = STAGES | {"embedding_size": 16}
SWIN: dict[str, Any] = {
    "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4, "image_size": 64, "patch_size": 4,
}  # fmt: skip
PYRAMID: dict[str, Any] = {
    "depths": [1, 1, 1, 1], "hidden_sizes": WIDTHS, "num_attention_heads": [1, 2, 4, 4],
}  # fmt: skip
SEGFORMER = PYRAMID | {"decoder_hidden_size": 32}
MOBILE: dict[str, Any] = {
    "image_size": 64, "hidden_sizes": [24, 32, 40], "num_attention_heads": 4,
    "neck_hidden_sizes": [8, 12, 16, 24, 32, 40, 64],
}  # fmt: skip

for _name in (
    "ViT",
    "DeiT",
    "ViTMSN",
    "Dinov2",
    "Dinov2WithRegisters",
    "Data2VecVision",
    "IJepa",
    "Beit",
):
    picture(
        f"{_name} classifier", f"{_name}ForImageClassification", f"{_name}Config", **VIT, **CLASSES
    )
picture("Swin", "SwinForImageClassification", "SwinConfig", **SWIN, **CLASSES)
picture("SwinV2", "Swinv2ForImageClassification", "Swinv2Config", **SWIN, **CLASSES)
picture("Donut's Swin", "DonutSwinModel", "DonutSwinConfig", **SWIN)
picture("MaskFormer's Swin", "MaskFormerSwinModel", "MaskFormerSwinConfig", **SWIN)
picture("FocalNet", "FocalNetForImageClassification", "FocalNetConfig", image_size=64, embed_dim=16,
        depths=[1, 1], focal_levels=[2, 2], focal_windows=[3, 3], hidden_sizes=[16, 32], **CLASSES)  # fmt: skip
picture("ConvNeXt", "ConvNextForImageClassification", "ConvNextConfig", **STAGES, **CLASSES)
picture("ConvNeXtV2", "ConvNextV2ForImageClassification", "ConvNextV2Config", **STAGES, **CLASSES)
picture(
    "ResNet basic",
    "ResNetForImageClassification",
    "ResNetConfig",
    layer_type="basic",
    **RESIDUAL,
    **CLASSES,
)
picture(
    "ResNet bottleneck",
    "ResNetForImageClassification",
    "ResNetConfig",
    layer_type="bottleneck",
    **RESIDUAL,
    **CLASSES,
)
picture(
    "RegNet", "RegNetForImageClassification", "RegNetConfig", groups_width=8, **RESIDUAL, **CLASSES
)
picture("BiT", "BitForImageClassification", "BitConfig", num_groups=4, **RESIDUAL, **CLASSES)
picture(
    "MobileNetV1",
    "MobileNetV1ForImageClassification",
    "MobileNetV1Config",
    depth_multiplier=0.25,
    **CLASSES,
)
picture(
    "MobileNetV2",
    "MobileNetV2ForImageClassification",
    "MobileNetV2Config",
    depth_multiplier=0.25,
    **CLASSES,
)
picture(
    "MobileNetV2 segmenter",
    "MobileNetV2ForSemanticSegmentation",
    "MobileNetV2Config",
    depth_multiplier=0.25,
    **MAPS,
)
picture("MobileViT", "MobileViTForImageClassification", "MobileViTConfig", **MOBILE, **CLASSES)
picture(
    "MobileViT segmenter", "MobileViTForSemanticSegmentation", "MobileViTConfig", **MOBILE, **MAPS
)
picture(
    "MobileViTV2",
    "MobileViTV2ForImageClassification",
    "MobileViTV2Config",
    size=128,
    image_size=128,
    width_multiplier=0.25,
    **CLASSES,
)
picture("EfficientNet", "EfficientNetForImageClassification", "EfficientNetConfig",
        width_coefficient=0.25, depth_coefficient=0.3, hidden_dim=320, image_size=64, **CLASSES)  # fmt: skip
picture(
    "PVT",
    "PvtForImageClassification",
    "PvtConfig",
    image_size=64,
    sequence_reduction_ratios=[8, 4, 2, 1],
    **PYRAMID,
    **CLASSES,
)
picture("PVTv2", "PvtV2ForImageClassification", "PvtV2Config", image_size=64, **PYRAMID, **CLASSES)
picture(
    "PoolFormer",
    "PoolFormerForImageClassification",
    "PoolFormerConfig",
    depths=[1, 1, 1, 1],
    hidden_sizes=WIDTHS,
    **CLASSES,
)
picture("LeViT", "LevitForImageClassification", "LevitConfig", image_size=64, hidden_sizes=[32, 48, 64],
        num_attention_heads=[2, 3, 4], depths=[1, 1, 1], key_dim=[8, 8, 8], **CLASSES)  # fmt: skip
picture(
    "SwiftFormer",
    "SwiftFormerForImageClassification",
    "SwiftFormerConfig",
    depths=[1, 1, 1, 1],
    embed_dims=WIDTHS,
    **CLASSES,
)
picture("Hiera", "HieraForImageClassification", "HieraConfig", image_size=[64, 64], embed_dim=16, depths=[1, 1, 2, 1],
        num_heads=[1, 2, 4, 8], **CLASSES)  # fmt: skip
picture("TextNet", "TextNetForImageClassification", "TextNetConfig", **CLASSES)
picture("HGNetV2", "HGNetV2ForImageClassification", "HGNetV2Config", embedding_size=16, stem_channels=[3, 8, 16],
        stage_in_channels=[16, 24, 32, 48], stage_mid_channels=[8, 8, 16, 16], stage_out_channels=[24, 32, 48, 64],
        stage_num_blocks=[1, 1, 1, 1], hidden_sizes=[24, 32, 48, 64], depths=[1, 1, 1, 1], **CLASSES)  # fmt: skip
picture("PP-LCNet", "PPLCNetForImageClassification", "PPLCNetConfig", scale=0.25, num_labels=LABELS)
picture("CLIP classifier", "CLIPForImageClassification", "CLIPConfig", loss=class_loss, num_labels=LABELS,
        vision_config=VIT, text_config=SMALL | {"intermediate_size": 64})  # fmt: skip
picture("SigLIP classifier", "SiglipForImageClassification", "SiglipConfig", loss=class_loss, num_labels=LABELS,
        vision_config=VIT, text_config=SMALL | {"intermediate_size": 64})  # fmt: skip
picture(
    "SegFormer classifier",
    "SegformerForImageClassification",
    "SegformerConfig",
    **SEGFORMER,
    **CLASSES,
)
picture("SegFormer", "SegformerForSemanticSegmentation", "SegformerConfig", **SEGFORMER, **MAPS)
picture("GLPN", "GLPNForDepthEstimation", "GLPNConfig", **SEGFORMER)
picture("UperNet on ConvNeXt", "UperNetForSemanticSegmentation", "UperNetConfig", hidden_size=32, auxiliary_channels=16,
        auxiliary_in_channels=32, pool_scales=[1, 2], **MAPS,
        backbone_config=Later("ConvNextConfig", out_features=["stage1", "stage2", "stage3", "stage4"], **STAGES))  # fmt: skip
picture("DPT", "DPTForDepthEstimation", "DPTConfig", backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[16, 16, 16, 16],
        fusion_hidden_size=16, **(VIT | {"num_hidden_layers": 4}))  # fmt: skip
picture("DPT segmenter", "DPTForSemanticSegmentation", "DPTConfig", backbone_out_indices=[0, 1, 2, 3], num_labels=LABELS,
        neck_hidden_sizes=[16, 16, 16, 16], fusion_hidden_size=16, **(VIT | {"num_hidden_layers": 4}))  # fmt: skip
for _name in ("CLIP", "Siglip", "Blip"):
    picture(f"{_name} vision", f"{_name}VisionModel", f"{_name}VisionConfig", **VIT)
picture("ViT-MAE", "ViTMAEModel", "ViTMAEConfig", mask_ratio=0.0, **VIT)
picture("VitDet", "VitDetModel", "VitDetConfig", image_size=64, patch_size=16, **SMALL)
picture("DINOv3 ViT", "DINOv3ViTModel", "DINOv3ViTConfig", **VIT)
picture(
    "DINOv3 ConvNeXt",
    "DINOv3ConvNextModel",
    "DINOv3ConvNextConfig",
    hidden_sizes=WIDTHS,
    depths=[1, 1, 1, 1],
)
picture("SuperPoint", "SuperPointForKeypointDetection", "SuperPointConfig", encoder_hidden_sizes=[8, 16, 16, 16],
        decoder_hidden_size=16, descriptor_decoder_dim=16)  # fmt: skip
picture("Swin2SR", "Swin2SRForImageSuperResolution", "Swin2SRConfig", size=32, image_size=32, embed_dim=24, depths=[1, 1],
        num_heads=[2, 2], window_size=4, patch_size=1)  # fmt: skip
picture("ViTPose", "VitPoseForPoseEstimation", "VitPoseConfig", num_labels=5, scale_factor=2,
        backbone_config=Later("VitPoseBackboneConfig", image_size=[64, 64], patch_size=[16, 16], hidden_size=32,
                              num_hidden_layers=2, num_attention_heads=4, out_indices=[2]))  # fmt: skip
picture("VitMatte", "VitMatteForImageMatting", "VitMatteConfig", channels=4, hidden_size=32, fusion_hidden_sizes=[32, 16, 16, 8],
        convstream_hidden_sizes=[8, 16, 16],
        backbone_config=Later("VitDetConfig", image_size=64, patch_size=16, num_channels=4, out_features=["stage2"],
                              **SMALL))  # fmt: skip

add("CLIP both", "CLIPModel", "CLIPConfig",
    lambda: {"pixel_values": images(64), "input_ids": torch.tensor([[5, 6, 7, 63], [8, 9, 10, 63]])},
    allow={"batch-mixing": "its answer is the table of all pictures against all texts"},
    vision_config=VIT, projection_dim=16,
    text_config=SMALL | {"intermediate_size": 64, "vocab_size": 64, "eos_token_id": 63})  # fmt: skip
