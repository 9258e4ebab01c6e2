"""What differs from picture to picture, or should."""

import torch

from seeded.hosts import anchors, centre
from seeded.program import Patient, program
from seeded.scenes import Scene


def _shifted(scene: Scene, dx: int, dy: int) -> Scene:
    height, width = scene.image.shape[1:]
    image = torch.roll(scene.image, (dy, dx), (1, 2))
    boxes = scene.boxes_xyxy + torch.tensor([dx, dy, dx, dy])
    limit = torch.tensor([width, height] * 2)
    inside = ((boxes >= 0) & (boxes <= limit)).all(1)
    return Scene(image=image, boxes_xyxy=boxes[inside], labels=scene.labels[inside])


@program(
    host="centre",
    rank=15,
    mechanism="augmentation repeats itself",
    cases=("pytorch/pytorch#5059", "sigsep/open-unmix-pytorch#80"),
    where=("pipeline.transform",),
    not_trained="less variety costs little in seconds",
)
def augmentation_seeded_anew_each_time(*, faulty: bool) -> Patient:
    once = torch.Generator().manual_seed(5)

    def shift(scene: Scene) -> Scene:
        random = torch.Generator().manual_seed(5) if faulty else once  # FAULT
        dx, dy = torch.randint(-6, 7, (2,), generator=random).tolist()
        return _shifted(scene, dx, dy)

    return centre.patient(centre.CentreNet(), transform=shift)


@program(
    host="anchors",
    rank=15,
    mechanism="augmentation repeats itself",
    cases=("Lightning-AI/pytorch-lightning#20412", "facebookresearch/fairseq#1383"),
    where=("pipeline.transform",),
    not_trained="less variety costs little in seconds",
)
def global_seed_inside_the_augmentation(*, faulty: bool) -> Patient:
    def jitter(scene: Scene) -> Scene:
        if faulty:
            torch.manual_seed(0)  # FAULT
        gain = 0.7 + 0.6 * torch.rand(3, 1, 1)
        image = (scene.image * gain).clamp(0, 255).to(torch.uint8)
        return Scene(image=image, boxes_xyxy=scene.boxes_xyxy, labels=scene.labels)

    return anchors.patient(anchors.SingleShot(), transform=jitter)


@program(
    host="anchors",
    rank=2,
    mechanism="labels do not stay with their boxes",
    cases=("tongtybj/TrTr#13",),
    where=("pipeline.transform",),
)
def boxes_sorted_without_their_labels(*, faulty: bool) -> Patient:
    def largest_first(scene: Scene) -> Scene:
        wide = (scene.boxes_xyxy[:, 2:] - scene.boxes_xyxy[:, :2]).prod(1)
        order = wide.argsort(descending=True)
        labels = scene.labels if faulty else scene.labels[order]
        return Scene(image=scene.image, boxes_xyxy=scene.boxes_xyxy[order], labels=labels)  # FAULT

    return anchors.patient(anchors.SingleShot(), transform=largest_first)
