"""Receptive fields: what they say is where gradients are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import fxsummary
from fxsummary.errors import InputError, UnknownNameError
from zoo.extents import averaged, expected, extent, outputs_of
from zoo.operators import define_torchvision_operators

define_torchvision_operators()


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.bottom = nn.Conv2d(4, 4, 3, padding=1)
        self.up2, self.up1 = nn.ConvTranspose2d(4, 4, 2, stride=2), nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1)
        self.out2, self.out1 = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.avg_pool2d(first, 2))
        inner = self.bottom(F.avg_pool2d(second, 2))
        inner = self.out2(torch.cat([self.up2(inner), second], 1))
        return self.out1(torch.cat([self.up1(inner), first], 1))


class Odd(nn.Module):
    """Sizes that do not divide: a decoder that resizes to the size of its encoder."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.stem, self.down = nn.Conv2d(1, 2, 3, 2), nn.Conv2d(2, 2, 3, 2, padding=1)
        self.mode = mode
        self.out = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.stem(x)
        options: dict[str, Any] = {} if self.mode == "nearest" else {"align_corners": False}
        return self.out(F.interpolate(self.down(first), size=first.shape[2:], mode=self.mode, **options) + first)


class Branches(nn.Module):
    """Asymmetric kernels and padding, dilation, slices, padding, pixel shuffle, a permuted layout."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.tall = nn.Conv2d(2, 4, (1, 7), padding=(0, 3)), nn.Conv2d(2, 4, (5, 1), padding=(2, 0))
        self.dilated = nn.Conv2d(4, 4, 3, padding=4, dilation=4)
        self.last = nn.Conv2d(4, 4, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.dilated(self.wide(x) + self.tall(x))
        y = F.pad(y, (2, 0, 1, 0))[:, :, 1:, ::2]
        y = self.last(y).permute(0, 2, 3, 1)
        return F.pixel_shuffle(y.mul(2).permute(0, 3, 1, 2), 2)


class Focus(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1))


SMALL: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "unet": (UNet, (1, 1, 48, 48)),
    "nearest": (lambda: Odd("nearest"), (1, 1, 37, 37)),
    "bilinear": (lambda: Odd("bilinear"), (1, 1, 37, 37)),
    "bicubic": (lambda: Odd("bicubic"), (1, 1, 37, 37)),
    "branches": (Branches, (1, 2, 48, 40)),
    "focus": (Focus, (1, 1, 32, 32)),
    "one": (lambda: nn.Sequential(
        nn.Conv1d(1, 4, 9, 4, 2), nn.ReLU(), nn.MaxPool1d(3, 2), nn.Conv1d(4, 4, 3, dilation=2)), (1, 1, 400)),
    "three": (lambda: nn.Sequential(
        nn.Conv3d(1, 4, (3, 5, 3), (1, 2, 2), 1), nn.BatchNorm3d(4), nn.MaxPool3d((1, 2, 2)), nn.Conv3d(4, 4, 3)),
        (1, 1, 9, 32, 40)),
    "transposed": (lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, 3), nn.ConvTranspose2d(4, 4, 5, 3, 1, dilation=2), nn.Conv2d(4, 4, 3)), (1, 1, 45, 45)),
    "adaptive": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d((5, 7))), (1, 1, 33, 40)),
    "cropped": (lambda: nn.Sequential(nn.Conv2d(1, 4, 4, 4), nn.AdaptiveAvgPool2d(1)), (1, 1, 35, 35)),
    "flattened": (lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3, 2), nn.Flatten(2), nn.Unflatten(2, (15, 15)), nn.Conv2d(4, 4, 3)), (1, 1, 31, 31)),
}  # fmt: skip


@pytest.mark.parametrize("trace", ["auto", "record", "exported"])
@pytest.mark.parametrize("name", SMALL)
def test_sizes_are_the_largest_extents_of_gradients(name: str, trace: str) -> None:
    """Law: the largest extent over all positions, apart from those whose extent the edge of the input cuts."""
    model, x, extents = gradients_of(name)
    if trace == "exported":
        graph = fxsummary.graph(torch.export.export(model, (x.detach(),)))
    else:
        graph = fxsummary.graph(model, x.detach(), trace=trace)
    (found,) = graph.receptive_field().head.values()
    assert found is not None
    for dim, (size, of) in enumerate(zip(found.size, found.of, strict=True)):
        ends = {each[dim] for each in extents if each}
        inside = {high - low + 1 for low, high in ends if low > 0 and high < of - 1}
        assert max(inside or {high - low + 1 for low, high in ends}) == size, (dim, sorted(ends))


@cache
def gradients_of(name: str) -> tuple[nn.Module, Tensor, list[Any]]:
    """A model, its input, and where along each dimension the gradients of positions of its output are."""
    make, shape = SMALL[name]
    model = averaged(make())
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    output = model(x)
    return model, x, [extent(output, x, tuple(place)) for place in _places(output)]


def _places(output: Tensor) -> list[list[int]]:
    """Return positions along each dimension through the middle, and the middle."""
    middle = [size // 2 for size in output.shape[2:]]
    rows = [
        [*middle[:dim], at, *middle[dim + 1 :]] for dim in range(len(middle)) for at in range(output.shape[2 + dim])
    ]
    return [middle, *rows]


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: pytest.importorskip("timm").create_model(name)


def _vision(name: str, **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        from torchvision import models

        home = models.segmentation if "deeplab" in name else models.video if "3d" in name else models
        made: nn.Module = getattr(home, name)(weights=None, **options)
        return made

    return make


REAL: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str, tuple[int, ...], int]] = {
    "resnet18": (_timm("resnet18"), (1, 3, 224, 224), "layer3", (211, 211), 16),
    "resnet50": (_timm("resnet50"), (1, 3, 224, 224), "layer2", (91, 91), 8),
    "vgg11": (_timm("vgg11_bn"), (1, 3, 224, 224), "features", (150, 150), 32),
    "mobilenet": (_timm("mobilenetv2_100"), (1, 3, 224, 224), "blocks.3", (171, 171), 16),
    "inception": (_timm("inception_v3"), (1, 3, 299, 299), "Mixed_7c", (1311, 1311), 32),
    "densenet": (_timm("densenet121"), (1, 3, 224, 224), "features.denseblock1", (59, 59), 4),
    "convnext": (_timm("convnext_atto"), (1, 3, 224, 224), "stages.0", (52, 52), 4),
    "dla": (_timm("dla34"), (1, 3, 224, 224), "level3", (159, 159), 8),
    "alexnet": (_vision("alexnet"), (1, 3, 224, 224), "features", (195, 195), 32),
    "squeezenet": (_vision("squeezenet1_1"), (1, 3, 224, 224), "features.7", (63, 63), 8),
    "shufflenet": (_vision("shufflenet_v2_x0_5"), (1, 3, 224, 224), "stage2", (63, 63), 8),
    "deeplab": (
        _vision("deeplabv3_resnet50", weights_backbone=None),
        (1, 3, 224, 224),
        "backbone.layer3",
        (267, 267),
        8,
    ),
    "r3d": (_vision("r3d_18"), (1, 3, 8, 64, 64), "layer2", (25, 51, 51), 4),
}


@pytest.mark.parametrize("name", REAL)
def test_published_nets(name: str) -> None:
    """Sizes and strides that gradients confirm (``python -m benchmarks.receptive``)."""
    make, shape, path, size, stride = REAL[name]
    found = fxsummary.graph(make().eval(), torch.empty(shape, device="meta")).receptive_field()
    (seen,) = found.at(path).values()
    assert seen is not None
    assert (seen.size, seen.stride[-1]) == (size, stride)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet"])
def test_each_module_of_a_published_net_sees_where_gradients_are(name: str) -> None:
    model = averaged(REAL[name][0]())
    x = torch.rand(1, 3, 256, 256, dtype=torch.float64).add(0.5).requires_grad_()
    found = fxsummary.graph(model, x.detach()).receptive_field()
    outputs = {path: each for path, each in outputs_of(model, x).items() if each.dim() == 4 and path in found.last}
    for path, output in list(outputs.items())[::5]:
        (seen,) = found.at(path).values()
        assert seen is not None
        place = tuple(size // 2 for size in output.shape[2:])
        if seen.is_whole or any(size > 200 for size in seen.size):
            continue  # the edge cuts it
        assert extent(output, x, place) == expected(seen.size, seen.stride, seen.start, seen.of, place), path


@pytest.mark.parametrize(
    "norm, text",
    [
        (nn.BatchNorm2d(4).eval(), "5×5 /1"),
        (nn.BatchNorm2d(4).train(), "all"),
        (nn.GroupNorm(2, 4), "all"),
        (nn.InstanceNorm2d(4), "all"),
        (nn.InstanceNorm2d(4, track_running_stats=True).eval(), "5×5 /1"),
        (nn.LayerNorm([4, 14, 14]), "all"),
        (nn.LayerNorm(14), "5×16 /1×0"),
        (nn.Softmax(dim=1), "5×5 /1"),
        (nn.Softmax2d(), "5×5 /1"),
        (nn.Softmax(dim=2), "16×5 /0×1"),
        (nn.Dropout2d().train(), "5×5 /1"),
    ],
)  # fmt: skip
def test_norms_over_space_see_everything(norm: nn.Module, text: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Conv2d(1, 4, 3), norm, nn.Conv2d(4, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.norm(self.first(x)))

    found = fxsummary.graph(Net(), torch.empty(2, 1, 16, 16)).receptive_field()
    assert found.text("last") == text


def test_attention_over_positions_sees_everything_and_attention_over_channels_does_not() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.attention = nn.Conv2d(3, 8, 4, 4), nn.MultiheadAttention(8, 2, batch_first=True)
            self.token = nn.Parameter(torch.zeros(1, 1, 8))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.patches(x).flatten(2).transpose(1, 2)
            channels = F.scaled_dot_product_attention(*[y.transpose(1, 2).softmax(1)] * 2, y.transpose(1, 2))
            y = torch.cat([self.token, y], 1)
            return self.attention(y, y, y)[0], channels

    found = fxsummary.graph(Net(), torch.empty(1, 3, 16, 16)).receptive_field()
    assert found.text("patches") == "4×4 /4"
    assert found.text("attention") == "all"
    assert found.head["x"] is not None and found.head["x"].is_whole


def test_what_is_not_known_is_not_told() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)

        def forward(self, x: Tensor, grid: Tensor) -> tuple[Tensor, ...]:
            y = self.conv(x)
            z = torch.zeros_like(y)
            z[:, :, 2:5] = y[:, :, 2:5]
            return F.grid_sample(y, grid), z, y.mean((2, 3), keepdim=True) + y

    graph = fxsummary.graph(Net(), torch.empty(1, 1, 9, 9), torch.empty(1, 7, 7, 2), trace="record")
    found = graph.receptive_field()
    assert found.head == {"x": None}
    assert "the output sees ? of 9×9 px of x" in str(found)
    assert found.text("zeros_like") == ""
    assert found.at("add")["x"] is not None and found.text("add") == "all"
    assert "?" in graph.to_text(columns="receptive_field", view="operations")


def test_each_input_has_its_own_field() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(1, 4, 5, padding=2)

        def forward(self, image: Tensor, depth: Tensor, scale: Tensor) -> Tensor:
            return self.a(image) * scale + self.b(depth)

    shapes = (1, 1, 16, 16), (1, 1, 16, 16), (1, 4, 1, 1)
    found = fxsummary.graph(Net(), *map(torch.empty, shapes)).receptive_field()
    assert {name: str(each) for name, each in found.head.items()} == {"image": "3×3 /1", "depth": "5×5 /1"}
    assert found.text("add") == "image 3×3 /1, depth 5×5 /1"
    assert found.text("b") == "5×5 /1"


def test_the_column_shows_the_field_at_the_end_of_each_module() -> None:
    block = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(3)]
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Sequential(*block), nn.Flatten(), nn.Linear(4 * 16 * 16, 2)).eval()
    graph = fxsummary.graph(net, torch.empty(1, 3, 32, 32))
    text = graph.to_text(columns="shape,receptive_field")
    rows = {" ".join(line.split()[:3]): line for line in text.splitlines()}
    assert rows["├ 1 Sequential"].endswith("15×15 /2")
    assert rows["│ └ 0…2"].endswith("15×15 /2")
    assert rows["├ 0 Conv2d"].endswith("3×3 /2")
    assert "Sees       the output sees all of 32×32 px of input" in text
    assert "receptive" not in graph.to_text() and "Sees" not in graph.to_text()


def test_nets_without_windows_have_no_receptive_field() -> None:
    found = fxsummary.graph(nn.Linear(4, 4), torch.empty(2, 4)).receptive_field()
    assert not found.operations and "no convolution" in str(found)


def test_errors_name_the_remedy() -> None:
    graph = fxsummary.graph(nn.Conv2d(1, 1, 3), torch.empty(1, 1, 8, 8))
    with pytest.raises(UnknownNameError, match="unknown operation or module 'cov'"):
        graph.receptive_field().at("cov")
    with pytest.raises(InputError, match="call receptive_field"):
        fxsummary.graph(nn.Conv2d(1, 1, 3), torch.empty(1, 1, 8, 8)).copy().receptive_field()


def test_strides_below_one_are_those_of_larger_results() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2))
    (found,) = fxsummary.graph(net, torch.empty(1, 1, 8, 8)).receptive_field().head.values()
    assert found is not None
    assert (found.size, found.stride, str(found)) == ((3, 3), (Fraction(1, 2),) * 2, "3×3 /0.5")
