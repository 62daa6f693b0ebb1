"""A small transformer encoder, and a revision of it: two more layers, and grouped-query attention."""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """Self-attention; ``groups`` heads share each key and value."""

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, heads // groups, width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, self.kv_heads * self.size)
        self.value = nn.Linear(width, self.kv_heads * self.size)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        query = self.query(x).view(batch, length, self.heads, self.size).transpose(1, 2)
        key = self.key(x).view(batch, length, self.kv_heads, self.size).transpose(1, 2)
        value = self.value(x).view(batch, length, self.kv_heads, self.size).transpose(1, 2)
        mixed = scaled_dot_product_attention(query, key, value, enable_gqa=self.heads != self.kv_heads)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention, then a feed-forward network, each with a norm before it and a residual around both."""

    def __init__(self, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, groups)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """Classifies sequences of tokens."""

    def __init__(self, layers: int = 6, width: int = 256, heads: int = 8, groups: int = 1) -> None:
        super().__init__()
        self.tokens = nn.Embedding(8000, width)
        self.positions = nn.Parameter(torch.zeros(128, width))
        self.blocks = nn.ModuleList(Block(width, heads, groups) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids) + self.positions[: ids.size(1)]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x.mean(1)))


def revised() -> Encoder:
    """Return the encoder with two more layers, and four query heads to each key and value."""
    return Encoder(layers=8, groups=4)
