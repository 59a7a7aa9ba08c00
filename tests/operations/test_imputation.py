import numpy as np
import pandas as pd
import pytest
from support.stacked_panels import TWO, make_panel

from analysis.operations.event_study import HALF, impute_effects

WINDOW = {"before": 6}


def test_effect_is_the_mean_of_what_untreated_months_do_not_expect():
    panel = make_panel(ratio=1.5)
    found = impute_effects(panel, TWO, [4], **WINDOW).loc[4]
    rows = panel.reset_index().assign(arrival=pd.Period("2100-01", "M"))
    for operation in TWO:
        rows.loc[rows["place"].isin(operation.places), "arrival"] = operation.month
    since = np.array([row.month.ordinal - row.arrival.ordinal for row in rows.itertuples()])
    reached = since > -500
    inside = (since >= -6) & (since < 4)
    inside |= ~reached & rows["month"].between("2002-07", "2003-08").to_numpy()
    rows, since = rows[inside], since[inside]
    y = np.log((rows["deaths"] + HALF) / rows["person_years"]).to_numpy()
    X = pd.get_dummies(rows[["place", "month"]].astype(str), dtype=float).to_numpy()
    untreated = since < 0
    beta = np.linalg.lstsq(X[untreated], y[untreated])[0]
    expected = (y - X @ beta)[~untreated].mean()
    assert (~untreated).sum() == 12
    assert found["estimate"] == pytest.approx(100 * np.expm1(expected))
    assert found["low"] < found["estimate"] < found["high"]


def test_known_effect_comes_back_whatever_the_places_weigh():
    panel = make_panel(ratio=1.4, noise=False)
    panel *= np.where(panel.index.get_level_values(0) == "A", 3e6, 1e5)[:, None]
    found = impute_effects(panel, TWO, [3, 6], **WINDOW)["estimate"]
    assert found.index.tolist() == [3, 6]
    np.testing.assert_allclose(found, 40, atol=0.01)


def test_callers_panel_is_left_alone():
    panel = make_panel()
    before = panel.copy(deep=True)
    impute_effects(panel, TWO, [3], **WINDOW)
    pd.testing.assert_frame_equal(panel, before)
