"""What a figure shows, by the names of its parts."""

import numpy as np


def part(axes, name):
    (found,) = axes.findobj(lambda artist: artist.get_gid() == name)
    return found


def parts(axes, name):
    return axes.findobj(lambda artist: artist.get_gid() == name)


def marks(axes, name):
    return np.asarray(part(axes, name).get_offsets())


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)
