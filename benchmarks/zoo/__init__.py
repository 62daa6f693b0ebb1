"""The zoo benchmark: fxsummary on real models, built from configs, beside an independent truth.

Run with ``make zoo``, or ``python -m benchmarks.zoo --family timm --only resnet``.
"""
