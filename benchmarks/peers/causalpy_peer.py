"""CausalPy's PiecewiseITS: Bayesian segmented regression, errors independent."""

import logging
import sys
from time import perf_counter

start = perf_counter()

import causalpy  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

IMPORT_SECONDS = perf_counter() - start
REPEATS = 3
SERIES = {  # some 5 seconds each
    "AR(1) 0.8": 100,
    "AR(1) 0.4": 60,
    "AR(1) 0.95 + noise": 30,
    "local level 0.2": 30,
}
SEASON = "sin1 + cos1 + sin2 + cos2"


def fit(frame: pd.DataFrame, shifts: list[int], season: str = "") -> "causalpy.PiecewiseITS":
    """Call it as its documentation does: time in steps, default priors, draws and chains."""
    terms = ["1", "t", *(f"step(t, {s}) + ramp(t, {s})" for s in shifts), *filter(None, [season])]
    sampling = {"random_seed": 1, "progressbar": False}
    model = causalpy.pymc_models.LinearRegression(sample_kwargs=sampling)
    return causalpy.PiecewiseITS(frame, formula="y ~ " + " + ".join(terms), model=model)


def interval(result: "causalpy.PiecewiseITS", shift: int) -> np.ndarray:
    """Return median, 2.5% and 97.5% of the level change at `shift`."""
    draws = result.model.idata.posterior["beta"].sel(coeffs=f"step(t, {shift})")
    return np.quantile(draws.to_numpy(), [0.5, 0.025, 0.975])


def fit_national(frame: pd.DataFrame) -> list[dict]:
    frame = frame.rename(columns={"log_rate": "y", "position": "t"})
    shifts = {name: int(frame[name].argmax()) for name in frame if name.startswith("level")}
    seconds = []
    for _ in range(1 + REPEATS):
        start = perf_counter()
        result = fit(frame, list(shifts.values()), SEASON)
        seconds.append(perf_counter() - start)
    rows = [
        {"quantity": "level", "case": level}
        | dict(zip(("value", "low", "high"), interval(result, shift), strict=True))
        for level, shift in shifts.items()
    ]
    compiled = {"quantity": "first_fit_seconds", "value": seconds[0], "n": 1}
    sizes = result.model.idata.posterior.sizes
    compiled["note"] = (
        f"with compilation; {sizes['chain']} chains of 1,000 tuning steps and {sizes['draw']} draws"
    )
    return [*rows, compiled, {"quantity": "fit_seconds", "value": min(seconds[1:]), "n": REPEATS}]


def count_false_positives(simulated: pd.DataFrame) -> list[dict]:
    rows = []
    for world, count in SERIES.items():
        series = simulated[simulated["world"] == world].drop(columns="world").head(count)
        position = np.arange(series.shape[1])
        shift = len(position) // 2
        ends = np.array(
            [
                interval(fit(pd.DataFrame({"t": position, "y": y}), [shift]), shift)[1:]
                for y in series.to_numpy()
            ]
        )
        wrong = (ends[:, 0] > 0) | (ends[:, 1] < 0)
        rows.append({"quantity": "false_positives", "case": world, "value": wrong.mean()})
        rows[-1] |= {"n": count, "width": np.median(ends[:, 1] - ends[:, 0])}
    return rows


if __name__ == "__main__":
    logging.getLogger("pymc").setLevel(logging.ERROR)
    national, simulated, out = sys.argv[1:]
    rows = [{"quantity": "import_seconds", "value": IMPORT_SECONDS}]
    rows += fit_national(pd.read_csv(national)) + count_false_positives(pd.read_csv(simulated))
    setting = "PiecewiseITS, LinearRegression, defaults"
    pd.DataFrame(rows).assign(setting=setting).to_csv(out, index=False)
