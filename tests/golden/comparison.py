"""A fact beside its inverse, in numpy: what two maps have in common.

Tokens are pooled by role as in figure 2 of Meng et al. 2022; p-values are (1 + as alike) / (1 + n)
(Phipson & Smyth 2010), and for the overlap of two sets what the hypergeometric distribution gives.
"""

from math import comb

import numpy

ROLES = [
    "bos", "before", "subject-first", "subject-middle", "subject-last", "after", "further", "last",
]


def roles_of(n_pos, subject_range, bos):
    begin, end = subject_range
    roles = []
    for pos in range(n_pos):
        if pos == n_pos - 1:
            roles.append("last")
        elif bos and pos == 0:
            roles.append("bos")
        elif pos < begin:
            roles.append("before")
        elif pos == end - 1:
            roles.append("subject-last")
        elif pos == begin:
            roles.append("subject-first")
        elif pos < end:
            roles.append("subject-middle")
        else:
            roles.append("after" if pos == end else "further")
    return roles


def pooled(effects, roles, rows):
    """Means over the tokens of each role, nan where there is none. `effects`: `[pos, layer]`"""
    effects, roles = numpy.asarray(effects, dtype=float), numpy.array(roles)
    n_layers = effects.shape[1]
    return numpy.array([
        effects[roles == row].mean(axis=0) if (roles == row).any() else numpy.full(n_layers, numpy.nan)
        for row in rows
    ])


def ranks(values):
    """From 1; equals share the mean of their places."""
    values = numpy.asarray(values)
    return numpy.array([(values < it).sum() + ((values == it).sum() + 1) / 2 for it in values])


def pearson(a, b):
    return numpy.corrcoef(a, b)[0, 1]


def spearman(a, b):
    return pearson(ranks(a), ranks(b))


def top(values, k):
    return list(numpy.argsort(-numpy.abs(values), kind="stable")[:k])


def overlap_p(n, k, n_shared):
    """How often two sets of k out of n share so many or more."""
    ways = sum(comb(k, i) * comb(n - k, k - i) for i in range(n_shared, k + 1))
    return ways / comb(n, k)


def permuted_p(statistic, n_values, block, n, seed):
    """How often the statistic is as large when the indices of one side change places within blocks."""
    random = numpy.random.default_rng(seed)
    order = numpy.arange(n_values)
    given = statistic(order) - 1e-9
    blocks = order.reshape(-1, block)
    n_alike = sum(statistic(random.permuted(blocks, axis=1).ravel()) >= given for _ in range(n))
    return (1 + n_alike) / (1 + n)


def rank_statistic(a, b):
    """Spearman's correlation of a with b in another order."""
    a, b = ranks(a) - ranks(a).mean(), ranks(b) - ranks(b).mean()
    size = numpy.sqrt((a @ a) * (b @ b))
    return lambda order: (a @ b[order]) / size


def shared_statistic(a, b, k):
    """How many of the k largest of a, and of b in another order, are at the same places."""
    in_a, in_b = (numpy.isin(numpy.arange(len(a)), top(it, k)) for it in (a, b))
    return lambda order: int((in_a & in_b[order]).sum())
