"""Prints what the tests of src/statistics.rs compare with. Needs scipy."""
from scipy import stats

a, b = [92.1, 91.8, 92.4, 92.0, 91.9], [92.5, 92.0, 92.3, 92.6, 92.2]
test = stats.ttest_rel(b, a)
interval = test.confidence_interval(0.95)
print("paired", interval.low, interval.high, test.pvalue)
print("two pairs, 99 %", stats.ttest_rel(b[:2], a[:2]).confidence_interval(0.99).high)
for first, second in [(9, 2), (59, 6), (121, 86), (5, 5), (0, 7), (412, 377)]:
    n, k = first + second, min(first, second)
    exact = stats.binomtest(k, n, 0.5).pvalue
    print(f"({first}, {second}, {exact!r}, {2 * stats.binom.cdf(k, n, 0.5) - stats.binom.pmf(k, n, 0.5)!r}),")

# What the tests of tables.rs compare with. Needs statsmodels.
import numpy as np
from statsmodels.stats.contingency_tables import StratifiedTable, Table2x2

for cells in [(8, 2, 1, 5), (3, 1, 1, 3), (12, 30, 7, 90), (0, 5, 6, 4), (140, 260, 190, 810), (1, 9, 11, 3)]:
    table = [cells[:2], cells[2:]]
    print(f"            (table{cells}, {stats.fisher_exact(table).pvalue!r}),".replace("np.float64(", "").replace(")),", "),"))
for cells in [(8, 2, 1, 5), (12, 30, 7, 90), (140, 260, 190, 810)]:
    table = Table2x2(np.array([cells[:2], cells[2:]]))
    low, high = table.riskratio_confint()
    print(f"            (table{cells}, {float(table.riskratio)!r}, {float(low)!r}, {float(high)!r}),")
strata = [(8, 4, 3, 10), (2, 7, 1, 20), (5, 5, 4, 9)]
tables = StratifiedTable([np.array([s[:2], s[2:]]) for s in strata])
print("pooled", float(tables.riskratio_pooled), float(tables.test_null_odds(correction=False).pvalue))
# Greenland and Robins' interval, from the paper's formula.
a, b, c, d = np.array(strata, dtype=float).T
n1, n0, n, hits = a + b, c + d, a + b + c + d, a + c
above, below = (a * n0 / n).sum(), (c * n1 / n).sum()
error = np.sqrt(((hits * n1 * n0 - a * c * n) / n**2).sum() / (above * below))
print("interval", *[float(above / below * np.exp(s * stats.norm.ppf(0.975) * error)) for s in (-1, 1)])

# What the tests of experiment/contrast.rs and learning_curve.rs compare with.
signs = {"+": 1, "-": -1, "=": 0}
d = np.array([[signs[c] for c in seed] for seed in ["++=-=+==", "+==-==+=", "+=+=====", "=+=-=+=="]], dtype=float)
photos, seeds = d.mean(axis=0), d.mean(axis=1)
a, b = photos.var(ddof=1) / len(photos), seeds.var(ddof=1) / len(seeds)
freedom = (a + b) ** 2 / (a**2 / (len(photos) - 1) + b**2 / (len(seeds) - 1))
reach = stats.t.ppf(0.975, freedom) * np.sqrt(a + b)
room = (0.01 / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))) ** 2
print("contrast", d.mean(), float(d.mean() - reach), float(d.mean() + reach), freedom, photos.var(ddof=1), seeds.var(ddof=1))
print("needed", photos.var(ddof=1) / (room / 2), seeds.var(ddof=1) / (room / 2), b < room / 2)
from scipy.optimize import curve_fit

n, e = np.array([50, 100, 200, 400, 800.0]), np.array([0.41, 0.33, 0.285, 0.26, 0.235])
law, _ = curve_fit(lambda n, c, a, b: c + a * n**-b, n, e, p0=(0.2, 1, 0.5), bounds=([0, 0, 0.05], [1, 100, 2]), xtol=1e-14, ftol=1e-14)
print("law", *[float(x) for x in law], float(((e - law[0] - law[1] * n ** -law[2]) ** 2).sum()))
