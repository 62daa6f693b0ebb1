"""Models of images that no library has, for the gallery."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn


class CNN(nn.Module):
    """Two convolutions, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(64 * 7 * 7, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Return two 3×3 convolutions, each with norm and activation."""
    layers = [(nn.Conv2d(i, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()) for i in (inputs, outputs)]
    return nn.Sequential(*(layer for three in layers for layer in three))


class UNet(nn.Module):
    """One encoder and one decoder of four levels, with a skip on each."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512)) -> None:
        super().__init__()
        self.enc = nn.ModuleList(double(i, o) for i, o in pairwise((3, *widths)))
        self.pool, self.mid = nn.MaxPool2d(2), double(widths[-1], 2 * widths[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[::-1])
        self.dec = nn.ModuleList(double(2 * width, width) for width in widths[::-1])
        self.head = nn.Conv2d(widths[0], 21, 1)

    def forward(self, image: Tensor) -> Tensor:
        x, skips = image, []
        for enc in self.enc:
            x = enc(x)
            skips.append(x)
            x = self.pool(x)
        x = self.mid(x)
        for up, dec, skip in zip(self.up, self.dec, reversed(skips), strict=True):
            x = dec(torch.cat([up(x), skip], 1))
        return self.head(x)


class TwoBranchUNet(nn.Module):
    """Encoders for colour and depth, one decoder with skips from both."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64)) -> None:
        super().__init__()
        self.enc_a = nn.ModuleList(double(i, o) for i, o in pairwise((3, *widths)))
        self.enc_b = nn.ModuleList(double(i, o) for i, o in pairwise((1, *widths)))
        self.pool = nn.MaxPool2d(2)
        channels = 2 * widths[-1]
        self.mid = double(channels, channels)
        self.up, self.dec = nn.ModuleList(), nn.ModuleList()
        for width in reversed(widths):
            self.up.append(nn.ConvTranspose2d(channels, width, 2, stride=2))
            self.dec.append(double(3 * width, width))
            channels = width
        self.head = nn.Conv2d(channels, 2, 1)

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        skips = []
        for a, b in zip(self.enc_a, self.enc_b, strict=True):
            rgb, depth = a(rgb), b(depth)
            skips.append((rgb, depth))
            rgb, depth = self.pool(rgb), self.pool(depth)
        x = self.mid(torch.cat([rgb, depth], 1))
        for up, dec, (a, b) in zip(self.up, self.dec, reversed(skips), strict=True):
            x = dec(torch.cat([up(x), a, b], 1))
        return self.head(x)


class UNetPlusPlus(nn.Module):
    """Nodes of a triangle: each reads all nodes left of it on its level, and the one below, upsampled."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 256)) -> None:
        super().__init__()
        self.pool, self.up = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear")
        self.nodes = nn.ModuleDict({f"{level}_0": double(i, o) for level, (i, o) in enumerate(pairwise((3, *widths)))})
        for column in range(1, len(widths)):
            for level, (width, below) in enumerate(pairwise(widths[: len(widths) - column + 1])):
                self.nodes[f"{level}_{column}"] = double(column * width + below, width)
        self.levels, self.head = len(widths), nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        rows: list[list[Tensor]] = []
        for level in range(self.levels):
            rows.append([self.nodes[f"{level}_0"](self.pool(rows[-1][0]) if rows else image)])
            for column, row in enumerate(reversed(rows[:-1]), start=1):
                below = self.up(rows[level - column + 1][-1])
                row.append(self.nodes[f"{level - column}_{column}"](torch.cat([*row, below], 1)))
        return self.head(rows[0][-1])


class SwinUNet(nn.Module):
    """Torchvision's Swin blocks as encoder and decoder, with skips."""

    def __init__(self, widths: tuple[int, ...] = (96, 192, 384)) -> None:
        super().__init__()
        from torchvision.models.swin_transformer import PatchMerging

        self.patches = nn.Conv2d(3, widths[0], 4, stride=4)
        self.enc = nn.ModuleList(self._pair(width) for width in widths)
        self.merge = nn.ModuleList(PatchMerging(width) for width in widths)
        self.mid = self._pair(2 * widths[-1])
        self.expand = nn.ModuleList(nn.Linear(2 * width, 4 * width) for width in widths[::-1])
        self.fuse = nn.ModuleList(nn.Linear(2 * width, width) for width in widths[::-1])
        self.dec = nn.ModuleList(self._pair(width) for width in widths[::-1])
        self.head = nn.ConvTranspose2d(widths[0], 9, 4, stride=4)

    @staticmethod
    def _pair(width: int) -> nn.Sequential:
        from torchvision.models.swin_transformer import SwinTransformerBlock

        return nn.Sequential(*(SwinTransformerBlock(width, width // 32, [7, 7], [shift] * 2) for shift in (0, 3)))

    def forward(self, image: Tensor) -> Tensor:
        x, skips = self.patches(image).permute(0, 2, 3, 1), []
        for enc, merge in zip(self.enc, self.merge, strict=True):
            x = enc(x)
            skips.append(x)
            x = merge(x)
        x = self.mid(x)
        for expand, fuse, dec, skip in zip(self.expand, self.fuse, self.dec, reversed(skips), strict=True):
            x = F.pixel_shuffle(expand(x).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
            x = dec(fuse(torch.cat([x, skip], -1)))
        return self.head(x.permute(0, 3, 1, 2))


class ConvUnit(nn.Sequential):
    """Convolution, norm and activation."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), nn.SiLU())


class C2f(nn.Module):
    """Half of the channels pass through bottlenecks, and all intermediate results are joined."""

    def __init__(self, inputs: int, outputs: int, depth: int = 1) -> None:
        super().__init__()
        half = outputs // 2
        self.start, self.end = ConvUnit(inputs, outputs, 1), ConvUnit((2 + depth) * half, outputs, 1)
        self.blocks = nn.ModuleList(nn.Sequential(ConvUnit(half, half), ConvUnit(half, half)) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.start(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        return self.end(torch.cat(parts, 1))


class SPPF(nn.Module):
    """Three poolings in a row, joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.start, self.end = ConvUnit(width, width // 2, 1), ConvUnit(2 * width, width, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.start(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.end(torch.cat(parts, 1))


class Detect(nn.Module):
    """A branch for boxes and one for classes."""

    def __init__(self, width: int, classes: int = 80) -> None:
        super().__init__()
        self.box = nn.Sequential(ConvUnit(width, 64), ConvUnit(64, 64), nn.Conv2d(64, 64, 1))
        self.kind = nn.Sequential(ConvUnit(width, 80), ConvUnit(80, 80), nn.Conv2d(80, classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.box(x), self.kind(x)], 1).flatten(2)


class YOLO(nn.Module):
    """A backbone, a pyramid down and up again, and heads on three levels."""

    def __init__(self, a: int = 64, b: int = 128, c: int = 256) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvUnit(3, 16, stride=2), ConvUnit(16, 32, stride=2), C2f(32, 32))
        self.stage3 = nn.Sequential(ConvUnit(32, a, stride=2), C2f(a, a, 2))
        self.stage4 = nn.Sequential(ConvUnit(a, b, stride=2), C2f(b, b, 2))
        self.stage5 = nn.Sequential(ConvUnit(b, c, stride=2), C2f(c, c), SPPF(c))
        self.up = nn.Upsample(scale_factor=2)
        self.top4, self.top3 = C2f(b + c, b), C2f(a + b, a)
        self.down3, self.down4 = ConvUnit(a, a, stride=2), ConvUnit(b, b, stride=2)
        self.out4, self.out5 = C2f(a + b, b), C2f(b + c, c)
        self.heads = nn.ModuleList(map(Detect, (a, b, c)))

    def forward(self, image: Tensor) -> Tensor:
        c3 = self.stage3(self.stem(image))
        c4 = self.stage4(c3)
        c5 = self.stage5(c4)
        p4 = self.top4(torch.cat([self.up(c5), c4], 1))
        p3 = self.top3(torch.cat([self.up(p4), c3], 1))
        n4 = self.out4(torch.cat([self.down3(p3), p4], 1))
        n5 = self.out5(torch.cat([self.down4(n4), c5], 1))
        return torch.cat([head(x) for head, x in zip(self.heads, (p3, n4, n5), strict=True)], 2)


class GAN(nn.Module):
    """The generator and the discriminator of DCGAN, which sees a made image and a real one."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sizes = [8 * width, 4 * width, 2 * width, width]
        up = [nn.ConvTranspose2d(100, sizes[0], 4), nn.BatchNorm2d(sizes[0]), nn.ReLU()]
        down = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for wide, narrow in pairwise(sizes):
            up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1), nn.BatchNorm2d(narrow), nn.ReLU()]
        for narrow, wide in pairwise(sizes[::-1]):
            down += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
        self.generator = nn.Sequential(*up, nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh())
        self.discriminator = nn.Sequential(*down, nn.Conv2d(sizes[0], 1, 4), nn.Flatten())

    def forward(self, noise: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.discriminator(self.generator(noise)), self.discriminator(image)
