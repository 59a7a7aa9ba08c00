import numpy as np
import pandas as pd
from stacked_worlds import OPERATIONS, make_big_panel, make_panel

from analysis.operation_calibration import (
    METHODS,
    lead_test_table,
    placebo_law_table,
    rejection_table,
)
from analysis.operation_worlds import World

TWO = OPERATIONS[:2]
STILL = World("still", sigma=0, national=0, dispersion=1e-12)


def test_table_has_a_row_for_each_world_and_method_and_comes_again():
    worlds = [STILL, World("half", ratio=1.5)]
    options = {"after": 6, "simulations": 3}
    one, other = (
        rejection_table(make_big_panel(start="2000-01", months=60), TWO, worlds, **options)
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one, other)
    assert one["method"].tolist() == [*METHODS] * 2
    assert one["world"].tolist() == ["still"] * 3 + ["half"] * 3
    assert one["truth_rejected"].between(0, 100).all()
    still = one[one["world"] == "still"]
    assert (still["truth_rejected"] == still["zero_rejected"]).all()
    assert (one["simulations"] == 3).all()
    share = one["truth_rejected"] / 100
    np.testing.assert_allclose(one["mc_error"], 100 * np.sqrt(share * (1 - share) / 3))


def test_placebo_laws_count_the_deals_of_every_round():
    panel = make_panel(start="1998-01", months=84)
    table = placebo_law_table(panel, TWO, [-24, -18], after=6, draws=30)
    assert table["method"].tolist() == ["cluster_robust", "score_bootstrap"]
    assert (table["simulations"] == 60).all()
    assert table["truth_rejected"].between(0, 40).all()
    leads = lead_test_table(panel, TWO, [-24], draws=3)
    assert leads["simulations"].tolist() == [3]
    assert leads["truth_rejected"].isin([0, 100 / 3, 200 / 3, 100]).all()
