"""GP: the default strategy. A Gaussian process, log expected improvement, constraints and failures respected."""

from dataclasses import dataclass

from bbo.strategies.model_based import ModelBased


@dataclass(frozen=True, kw_only=True)
class GP(ModelBased):
    """`ModelBased` with an exact Gaussian process, log expected improvement and a Sobol design first.

    Surrogate: see `bbo.surrogates.exact_gp`. Acquisition: Ament et al., "Unexpected improvements to expected
    improvement", NeurIPS 2023, times the probability of feasibility.
    """
