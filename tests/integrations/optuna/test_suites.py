"""Optuna's own suites of samplers."""

import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from bbo.integrations.optuna import BBOSampler
from bbo.strategies import GP, RandomSearch, SobolSearch


class TestByDefault(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: BBOSampler(seed=0)


class TestForOneObjective(SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: BBOSampler(GP(), seed=0)


class TestWithoutAModel(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture(params=[RandomSearch, SobolSearch], ids=lambda strategy: strategy.__name__)
    def sampler(self, request):
        return lambda: BBOSampler(request.param(), seed=0)
