"""What is known of a problem beside what it computes: `bbo problems NAME` prints it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """Facts, for people.

    Args:
        source: where the problem comes from, as one cites it.
        doi: of the source, e.g. "10.1126/science.aar5169", or "arXiv:2407.01492"; empty where there is none.
        licence: of its data; empty for a formula.
        size: of its data, e.g. "960 rows, 8 x 10 x 12 levels".
        known: how the best value is known.
        noise: what differs between seeds; empty where nothing does.
        cost_unit: of what `cost` gives, e.g. "s".
        remarks: what a user had better know, a sentence or two for each.
    """

    source: str
    doi: str = ""
    licence: str = ""
    size: str = ""
    known: str = ""
    noise: str = ""
    cost_unit: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Of the source; empty where there is none."""
        if self.doi.startswith("arXiv:"):
            return f"https://arxiv.org/abs/{self.doi.removeprefix('arXiv:')}"
        return f"https://doi.org/{self.doi}" if self.doi else ""
