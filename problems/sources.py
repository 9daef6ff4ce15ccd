"""Sources that problems of several files cite."""

YU = (
    'Yu, Picard & Ahmed, "Fast and accurate Bayesian optimization with pre-trained transformers for constrained '
    'engineering problems" (2024)'
)
YU_DOI = "arXiv:2404.04495"
