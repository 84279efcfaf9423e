-- Question: rows and span of time of every table of samples.
-- Columns: name, n, first, last (microseconds since 1970).
-- Minimum version: DuckDB 1.5. Source: design of the store.
SELECT 'hot' AS name, count(*) AS n, epoch_us(min(ts)) AS first, epoch_us(max(ts)) AS last FROM hot
UNION ALL SELECT 'samples', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM samples
UNION ALL SELECT 'roll_1m', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM roll_1m
UNION ALL SELECT 'roll_1h', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM roll_1h
UNION ALL SELECT 'hot_hist', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM hot_hist
UNION ALL SELECT 'hist', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM hist
UNION ALL SELECT 'roll_1m_hist', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM roll_1m_hist
UNION ALL SELECT 'roll_1h_hist', count(*), epoch_us(min(ts)), epoch_us(max(ts)) FROM roll_1h_hist
