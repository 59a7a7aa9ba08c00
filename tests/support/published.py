"""Compare rows of estimates with the published ones, each as closely as its method allows."""

import numpy as np
import pandas as pd
from support.folders import REFERENCE

PUBLISHED = REFERENCE / "estimates.csv"
OPTIMISED = ["arima", "structural", "negative_binomial"]  # where an optimiser stops is a matter of
OF_INTERVAL = 2e-3  # the processor: this share of the interval's width is allowed


def published_estimates() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED)


def assert_published(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    found, expected = found.reset_index(drop=True), expected.reset_index(drop=True)
    names = ["shift", "source", "place", "estimator", "estimand", "unit", "comparison_verdict"]
    pd.testing.assert_frame_equal(found[names], expected[names])
    assert found["flags"].fillna("").tolist() == expected["flags"].fillna("").tolist()
    numbers = ["estimate", "low", "high", "p", "n_before", "n_after"]
    numbers += ["phi", "noise", "sd_ratio"]
    optimised = expected["estimator"].isin(OPTIMISED)
    pd.testing.assert_frame_equal(
        found.loc[~optimised, numbers], expected.loc[~optimised, numbers], rtol=1e-4, atol=1e-6
    )
    allowed = OF_INTERVAL * (expected["high"] - expected["low"])[optimised]
    for name in ("estimate", "low", "high"):
        ours, theirs = found[name][optimised], expected[name][optimised]
        assert (ours.isna() == theirs.isna()).all()
        assert (np.abs(ours - theirs) <= allowed).fillna(value=True)[theirs.notna()].all(), name
