"""A small CNN: two stages of convolution, ReLU and pooling, then one linear layer.

Run as a script, it prints the summary and renders ``cnn.svg``.
"""

import torch
from torch import nn

import fxsummary


class CNN(nn.Module):
    """Classifies 1×3×28×28 images into 10 classes."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1)
        self.relu1 = nn.ReLU()
        self.maxpool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.relu2 = nn.ReLU()
        self.maxpool2 = nn.MaxPool2d(2)
        self.fc = nn.Linear(32 * 7 * 7, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool1(self.relu1(self.conv1(x)))
        x = self.maxpool2(self.relu2(self.conv2(x)))
        x = x.view(x.size(0), -1)
        return self.fc(x)


def main() -> None:
    graph = fxsummary.graph(CNN(), torch.empty(1, 3, 28, 28))
    print(graph)
    print(f"picture: {graph.render('cnn.svg')}")


if __name__ == "__main__":
    main()
