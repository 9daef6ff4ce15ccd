"""Orders of items as features, in groups that say each in its own way how alike two orders are.

| group | a feature for each | the squared distance is in proportion to |
|---|---|---|
| places | item: its place | Spearman's: the sum of squared differences of places |
| pairs | two items: which of them comes first | Kendall's: pairs that come the other way around |
| neighbours | two items: whether they stand beside each other | pairs of neighbours that the other order lacks |
| successors | two items in turn: whether one follows the other | the same of who follows whom |

Which of them matters is learnt, as each has a length scale of its own. In a cycle only the last two mean anything; its
last and first item are neighbours too. Kernels of Kendall's distance: Jiao & Vert, "The Kendall and Mallows kernels for
permutations", IEEE TPAMI 40 (2018).
"""

import math

import torch
from torch import Tensor

from bbo.space.descriptors import SPREAD
from bbo.space.structure import Order


def widths(order: Order) -> list[int]:
    """How many features each group has."""
    k = order.n_items
    pairs = k * (k - 1) // 2
    return [size for size, gap in zip((k, pairs, pairs, 2 * pairs), _gaps(order), strict=True) if gap > 0]


def features(x: Tensor, order: Order) -> Tensor:
    """Of positions `... x k`, all groups, `... x p`; of positions that are all alike, which is no order, as far from
    one order as from any other.

    Each group is scaled so that the mean squared distance of two orders at random is that of choices of which something
    is known, see `bbo.space.descriptors`.
    """
    k = order.n_items
    place = (x.detach() * k).floor()
    ahead = place[..., None, :] - place[..., :, None]  # of the second, by how many places
    one, other = torch.triu_indices(k, k, 1, dtype=torch.long, device=x.device)
    sides = torch.cat([one, other]), torch.cat([other, one])
    is_next = (ahead == 1) | (ahead == 1 - k) if order.is_cyclic else ahead == 1
    follows = is_next.to(x)
    groups = (
        x.detach(),
        ahead[..., one, other].sign(),
        follows[..., one, other] + follows[..., other, one],
        follows[..., sides[0], sides[1]],
    )
    scaled = [group * math.sqrt(SPREAD / gap) for group, gap in zip(groups, _gaps(order), strict=True) if gap > 0]
    return torch.cat(scaled, -1)


def _gaps(order: Order) -> tuple[float, float, float, float]:
    """The mean squared distance of two orders at random, by group; 0 for one that is left out.

    Of N things m hold in any order, each as often as another: m^2 / N of them on average in both of two orders.
    """
    k = order.n_items
    n_pairs = k * (k - 1) / 2
    n_beside = k if order.is_cyclic else k - 1
    neighbours = 2 * n_beside * (1 - n_beside / n_pairs)
    successors = 2 * n_beside * (1 - n_beside / (2 * n_pairs))
    if order.is_cyclic:
        return 0.0, 0.0, neighbours, successors
    return (k * k - 1) / (6 * k), 2 * n_pairs, neighbours, successors
