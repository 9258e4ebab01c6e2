"""Layouts, stems and linear stacks that are right."""

import torch
from torch import nn
from torch.nn import functional as F

from seeded.hosts import anchors, centre, classify, free, pyramid
from seeded.program import Patient, look_alike


@look_alike(likes="convolutions with nothing between them")
def linear_bottleneck() -> Patient:
    class Inverted(nn.Module):
        def __init__(self, c, wide):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(c, wide, 1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU6(),
                nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU6(),
                nn.Conv2d(wide, c, 1, bias=False),
                nn.BatchNorm2d(c),
            )

        def forward(self, x):
            return x + self.body(x)

    return anchors.patient(
        anchors.SingleShot(middle=nn.Sequential(Inverted(48, 96), Inverted(48, 96)))
    )


@look_alike(likes="convolutions with nothing between them")
def depthwise_then_pointwise() -> Patient:
    class Separable(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.deep = nn.Conv2d(c, c, 3, padding=1, groups=c)
            self.point = nn.Conv2d(c, c, 1)

        def forward(self, x):
            return F.relu(self.point(self.deep(x)))

    return anchors.patient(anchors.SingleShot(middle=nn.Sequential(Separable(48), Separable(48))))


@look_alike(likes="convolutions with nothing between them")
def branches_that_fold_into_one() -> Patient:
    class Reparameterised(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.wide, self.narrow = (
                nn.Sequential(nn.Conv2d(c, c, k, padding=k // 2, bias=False), nn.BatchNorm2d(c))
                for k in (3, 1)
            )
            self.same = nn.BatchNorm2d(c)

        def forward(self, x):
            return F.relu(self.wide(x) + self.narrow(x) + self.same(x))

    return anchors.patient(anchors.SingleShot(middle=Reparameterised(48)))


@look_alike(likes="convolutions with nothing between them")
def factored_convolution() -> Patient:
    """A low-rank stand-in for one convolution: narrow in the middle, and nothing between."""
    middle = nn.Sequential(
        nn.Conv2d(48, 8, (3, 1), padding=(1, 0), bias=False),
        nn.Conv2d(8, 48, (1, 3), padding=(0, 1)),
        nn.ReLU(),
    )
    return anchors.patient(anchors.SingleShot(middle=middle))


@look_alike(likes="channels and places scrambled")
def space_to_depth_stem() -> Patient:
    class Focus(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = free.Cbs(48, 32, 3)

        def forward(self, x):
            return self.conv(F.pixel_unshuffle(x, 4))

    return free.patient(free.FreeNet(stem=Focus()))


@look_alike(likes="channels and places scrambled")
def shuffled_channels() -> Patient:
    class Shuffle(nn.Module):
        def __init__(self, c, groups):
            super().__init__()
            self.groups = groups
            self.conv = nn.Conv2d(c, c, 3, padding=1, groups=groups)

        def forward(self, x):
            n, c, h, w = x.shape
            y = F.relu(self.conv(x))
            return y.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(x.shape)

    return anchors.patient(anchors.SingleShot(middle=nn.Sequential(Shuffle(48, 4), Shuffle(48, 4))))


@look_alike(likes="channels and places scrambled")
def windows_cut_and_put_back() -> Patient:
    class Windows(nn.Module):
        """Attention within windows of 4 x 4."""

        def __init__(self, c):
            super().__init__()
            self.norm = nn.LayerNorm(c)
            self.attend = classify.Attention(c, 2)

        def forward(self, x):
            n, c, h, w = x.shape
            cut = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
            cut = self.attend(self.norm(cut)).view(n, h // 4, w // 4, 4, 4, c)
            return x + cut.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)

    return centre.patient(centre.CentreNet(neck=Windows(32)))


@look_alike(likes="a merge that shifts one side")
def windows_rolled_there_and_back() -> Patient:
    class Rolled(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.pool = nn.Conv2d(c, c, 4, stride=4)

        def forward(self, x):
            rolled = torch.roll(x, (-2, -2), (2, 3))
            coarse = F.interpolate(self.pool(rolled), scale_factor=4, mode="nearest")
            return x + torch.roll(coarse, (2, 2), (2, 3))

    return centre.patient(centre.CentreNet(neck=Rolled(32)))


@look_alike(likes="rows out of order")
def coordinates_as_channels() -> Patient:
    class WithPlaces(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = anchors.conv_bn_relu(5, 16, stride=2)

        def forward(self, x):
            h, w = x.shape[-2:]
            y = torch.linspace(-1, 1, h).view(1, 1, h, 1).expand(len(x), 1, h, w)
            z = torch.linspace(-1, 1, w).view(1, 1, 1, w).expand(len(x), 1, h, w)
            return self.conv(torch.cat((x, y, z), 1))

    return anchors.patient(anchors.SingleShot(stem=WithPlaces()))


@look_alike(likes="a merge that shifts one side")
def samples_taken_where_the_network_says() -> Patient:
    """Deformable-like: each place reads at a learnt offset, which begins at zero."""

    class Deform(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.offset = nn.Conv2d(c, 2, 3, padding=1)
            self.conv = nn.Conv2d(c, c, 1)
            nn.init.normal_(self.offset.weight, std=1e-3)
            nn.init.zeros_(self.offset.bias)

        def forward(self, x):
            n, _, h, w = x.shape
            ys, xs = torch.meshgrid(
                (torch.arange(h) + 0.5) / h * 2 - 1,
                (torch.arange(w) + 0.5) / w * 2 - 1,
                indexing="ij",
            )
            grid = torch.stack((xs, ys), -1).expand(n, h, w, 2)
            grid = grid + self.offset(x).permute(0, 2, 3, 1)
            return x + self.conv(F.grid_sample(x, grid, align_corners=False))

    return anchors.patient(anchors.SingleShot(middle=Deform(48)))


@look_alike(likes="softmax over a size of one")
def maps_of_one_place_at_this_size_only() -> Patient:
    """The deepest map is 1 x 1 for small pictures, and a norm over places would be empty then."""

    class Pooled(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv = nn.Conv2d(c, c, 3, padding=1)

        def forward(self, x):
            coarse = F.adaptive_avg_pool2d(x, (max(x.shape[2] // 6, 1), max(x.shape[3] // 6, 1)))
            share = self.conv(coarse).flatten(2).softmax(-1).view_as(coarse)
            return x + F.interpolate(share * coarse, size=x.shape[2:])

    patient = classify.patient(classify.ConvNet(Pooled(64)), size=(96, 96))
    patient.inputs = patient.inputs[..., ::2, ::2]
    return patient


@look_alike(likes="one part under several names")
def heads_shared_by_the_levels() -> Patient:
    """Tied towers with a norm of its own for each level."""

    class Head(nn.Module):
        def __init__(self, outputs, bias=0.0):
            super().__init__()
            self.conv = nn.Conv2d(32, 32, 3, padding=1)
            self.norms = nn.ModuleList(nn.BatchNorm2d(32) for _ in range(3))
            self.out = nn.Conv2d(32, 2 * outputs, 3, padding=1)
            self.outputs = outputs
            nn.init.normal_(self.out.weight, std=0.01)
            nn.init.constant_(self.out.bias, bias)

        def forward(self, x, level):
            y = self.out(F.relu(self.norms[level](self.conv(x))))
            return y.permute(0, 2, 3, 1).reshape(len(x), -1, self.outputs)

    class Net(pyramid.Retina):
        def forward(self, images):
            maps = self.neck(self.backbone(images))
            return {
                "logits": torch.cat([self.cls_head(m, i) for i, m in enumerate(maps)], 1),
                "deltas": torch.cat([self.box_head(m, i) for i, m in enumerate(maps)], 1),
            }

    return pyramid.patient(Net(classes=Head(3, -3.9), boxes=Head(4)))


@look_alike(likes="one part under several names")
def layers_repeated_on_purpose() -> Patient:
    """One layer applied again and again, as ALBERT does."""

    class Again(classify.Tokens):
        def forward(self, images):
            x = self.embed(images).flatten(2).transpose(1, 2)
            for _ in range(4):
                x = self.layers[0](x)
            return self.head(self.norm(x).mean(1))

    net = Again(depth=1)
    del net.place
    return classify.patient(net)


@look_alike(likes="a path that is lost in a merge")
def weighted_merge_that_may_close_a_path() -> Patient:
    """BiFPN-like weights through a ReLU."""

    class Neck(pyramid.TopDown):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.ones(2, 2))

        def forward(self, maps):
            laid = [line(m) for line, m in zip(self.lateral, maps)]
            share = F.relu(self.weights)
            share = share / (share.sum(1, keepdim=True) + 1e-4)
            for i in (1, 0):
                laid[i] = share[i, 0] * laid[i] + share[i, 1] * self.up(laid[i + 1], laid[i])
            return [smooth(m) for smooth, m in zip(self.smooth, laid)]

    return pyramid.patient(pyramid.Retina(neck=Neck()))
