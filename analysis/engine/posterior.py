"""What the data say of contrasts: mixtures over the errors' law."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from analysis.checks import Array
from analysis.engine.mixture import Parts, lighten, mixture_quantiles


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What the data say of contrasts c'b, for each of R rows, as a mixture over the errors' law."""

    weight: Array  # (R, G), each row sums to 1
    mean: Array  # (R, m, G) of component g of c'b, a Student t
    scale: Array  # (R, m, G)
    df: int  # its degrees of freedom
    exact: Array  # (R,) rows without residual variation

    @property
    def parts(self) -> Parts:
        """What the functions of `analysis.engine.mixture` take."""
        return self.weight, self.mean, self.scale, self.df

    light = parts  # of what makes the quantiles

    def quantile(self, q: float) -> Array:
        """Return the quantile of c'b, shape (R, m)."""
        return mixture_quantiles([q], *self.light)[0]


@dataclass(frozen=True, kw_only=True)
class Posterior(Mixture):
    """A mixture whose components are nodes of the errors' law, the same for all rows."""

    phi: Array  # (G,)
    theta: Array  # (G,)
    ratio: Array  # (G,) sd of the innovations from the shift on over that before
    size: Array  # (R, G) root of the sum of squared residuals of the whitened data
    log_marginal: Array  # (R,) log integral over the law of the restricted likelihood

    @property
    def light(self) -> Parts:
        """What makes the quantiles: the mixture without its lightest nodes."""
        return lighten(*self.parts)

    @cached_property
    def noise(self) -> Array:
        """The share s = theta / phi of a period's surprise that is gone a period later, (G,)."""
        return self.theta / self.phi


def join_months(parts: Sequence[Posterior]) -> Posterior:
    """Return one mixture of several that weigh the same, one for each month of a shift."""
    if len(parts) == 1:
        return parts[0]
    names = ("phi", "theta", "ratio", "weight", "mean", "scale", "size")
    joined: Any = {x: np.concatenate([getattr(part, x) for part in parts], axis=-1) for x in names}
    joined["weight"] /= len(parts)
    return replace(parts[0], **joined, exact=np.all([part.exact for part in parts], axis=0))
