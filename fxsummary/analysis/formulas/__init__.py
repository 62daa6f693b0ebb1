"""What a model costs as exact polynomials in the sizes of its inputs."""

from fxsummary.analysis.formulas.derive import formulas

__all__ = ["formulas"]
