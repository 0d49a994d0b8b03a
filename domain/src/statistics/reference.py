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
