"""The package itself: the errors' law integrated out by the restricted likelihood."""

import sys
from time import perf_counter

start = perf_counter()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from analysis.engine.reml import fit_many  # noqa: E402
from analysis.its.design import build_design  # noqa: E402
from analysis.its.shifts import PolicyShift  # noqa: E402

IMPORT_SECONDS = perf_counter() - start
SETTING = "segmented, AR(1) seen through noise, size free to change, integrated out"
REPEATS = 20


def fit_national(frame: pd.DataFrame) -> list[dict]:
    index = pd.period_range("2000-01", periods=len(frame), freq="M")
    levels = [name for name in frame if name.startswith("level")]
    *others, last = (PolicyShift(name, index[frame[name].argmax()]) for name in levels)
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        design = build_design(index, last, beside=others)
        terms = [*(f"level:{other.slug}" for other in others), "level"]
        contrasts = np.array([design.columns == term for term in terms], dtype=float)
        after = int(frame[levels[-1]].argmax())
        fits = fit_many(frame["log_rate"].to_numpy(), design.to_numpy(), contrasts, after=after)
        seconds.append(perf_counter() - start)
    rows = [
        {"quantity": "level", "case": level, "value": value, "low": low, "high": high}
        for level, value, low, high in zip(
            levels, fits.estimate[0], fits.low[0], fits.high[0], strict=True
        )
    ]
    rows.append({"quantity": "first_fit_seconds", "value": seconds[0], "n": 1})
    return [*rows, {"quantity": "fit_seconds", "value": min(seconds), "n": REPEATS}]


def count_false_positives(simulated: pd.DataFrame) -> list[dict]:
    position = np.arange(simulated.shape[1] - 1)
    since = position - len(position) // 2
    design = np.column_stack(
        [np.ones(len(position)), position, since >= 0, np.maximum(since, 0)]
    ).astype(float)
    rows = []
    level, after = np.array([0, 0, 1, 0.0]), len(position) // 2
    for world, series in simulated.groupby("world", sort=False):
        fits = fit_many(series.drop(columns="world").to_numpy().T, design, level, after=after)
        wrong = (fits.low > 0) | (fits.high < 0)
        rows.append({"quantity": "false_positives", "case": world, "value": wrong.mean()})
        rows[-1] |= {"n": len(series), "width": np.median(fits.high - fits.low)}
    return rows


if __name__ == "__main__":
    national, simulated, out = sys.argv[1:]
    rows = [{"quantity": "import_seconds", "value": IMPORT_SECONDS}]
    rows += fit_national(pd.read_csv(national)) + count_false_positives(pd.read_csv(simulated))
    pd.DataFrame(rows).assign(setting=SETTING).to_csv(out, index=False)
