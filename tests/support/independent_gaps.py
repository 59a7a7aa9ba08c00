"""The law where some periods were never seen: their rows leave the covariance, densely."""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from support.independent_law import LawMixture, covariance, law_nodes


def fit_seen(
    y: np.ndarray,
    X: np.ndarray,
    C: np.ndarray,
    keep: np.ndarray,
    *,
    after: int | None = None,
    given: float | None = None,
    sizes: tuple[int, int, int] = (12, 12, 10),
) -> LawMixture:
    """Integrate the law out of the periods `keep` (n,); those between are bridged by it.

    From `after` on the errors' size differs by a ratio that is integrated out too, unless `given`.
    """
    phi, theta, ratio, prior = law_nodes(sizes, changes=after is not None and given is None)
    ratio = ratio if given is None else np.full(len(phi), given)
    columns, seen = np.column_stack([X, y])[keep], np.ix_(keep, keep)
    triangles, det = [], []
    for law in zip(phi, theta, ratio, strict=True):
        root = np.linalg.cholesky(covariance(len(y), *law, after)[seen])
        triangles.append(np.linalg.qr(solve_triangular(root, columns, lower=True), mode="r"))
        det.append(np.log(np.diag(root)).sum())
    R, k, df = np.array(triangles), X.shape[1], int(keep.sum()) - X.shape[1]
    size = np.log(np.abs(np.diagonal(R, axis1=1, axis2=2)))
    height = np.log(prior) - df * size[:, k] - size[:, :k].sum(axis=1) - det
    inverse = np.linalg.inv(R[:, :k, :k])
    rows = C @ inverse
    return LawMixture(
        rho=phi,
        step=prior,
        weight=np.exp(height - logsumexp(height)),
        mean=(C @ inverse @ R[:, :k, k:])[..., 0].T,
        scale=(np.abs(R[:, k, k:]) * np.sqrt((rows**2).sum(axis=2) / df)).T,
        df=df,
        theta=theta,
        ratio=ratio,
        log_marginal=float(logsumexp(height)),
    )
