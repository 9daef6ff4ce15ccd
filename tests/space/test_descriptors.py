import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from bbo.space import Categorical, Float, Space
from bbo.space.descriptors import SPREAD, spots

CHOICES = ["water", "DMF", "toluene", "THF"]
KNOWN = {"boiling": [100.0, 153.0, 111.0, 66.0], "polarity": [10.2, 6.4, 2.4, 4.0]}


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 30), k=st.integers(1, 12))
def test_distances_are_those_of_standardized_descriptors_up_to_a_common_factor(seed, n, k):
    Z = np.random.default_rng(seed).standard_normal((k, n)) * 10.0 ** np.arange(k)[:, None]
    at = spots({str(j): z for j, z in enumerate(Z)})
    standardized = (Z - Z.mean(1, keepdims=True)) / Z.std(1, keepdims=True)
    likeness = np.abs(np.corrcoef(Z)).reshape(k, k) - np.eye(k)
    assert (pdist(at) ** 2).mean() == pytest.approx(SPREAD)
    if likeness.max() < 0.97:
        ratio = pdist(standardized.T) / pdist(at)
        assert ratio == pytest.approx(ratio[0], rel=1e-6)


def test_a_descriptor_that_is_constant_or_tells_what_another_does_changes_nothing():
    more = KNOWN | {
        "kelvin": [v + 273.15 for v in KNOWN["boiling"]],
        "phase": [1.0] * 4,
        "minus": [-v for v in KNOWN["polarity"]],
    }
    assert spots(more) == pytest.approx(spots(KNOWN))
    assert spots({"phase": [1.0] * 4}).shape == (4, 0)


def test_a_table_is_read_by_its_index_in_any_order_and_survives_json():
    table = pd.DataFrame(KNOWN, index=CHOICES).loc[["THF", "water", "toluene", "DMF"]]
    of_table, of_lists = Categorical("s", CHOICES, descriptors=table), Categorical("s", CHOICES, descriptors=KNOWN)
    assert of_table == of_lists
    space = Space([of_table, Float("x", 0, 1)])
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert again.structure.spots[0][0] == pytest.approx(space.structure.spots[0][0])
    assert "boiling" in space.difference(Space([Categorical("s", CHOICES), Float("x", 0, 1)]))


def test_tables_that_do_not_fit_are_refused_with_the_culprit():
    with pytest.raises(ValueError, match="\\['THF'\\]"):
        Categorical("s", CHOICES, descriptors=pd.DataFrame(KNOWN, index=[*CHOICES[:3], "thf"]))
    with pytest.raises(ValueError, match="'boiling' has 3 values for 4 choices"):
        Categorical("s", CHOICES, descriptors={"boiling": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="boiling"):
        Categorical("s", CHOICES, descriptors={"boiling": [1.0, 2.0, 3.0, float("nan")]})
