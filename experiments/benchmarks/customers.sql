-- What `read_transactions` and `summarize` give by default, by hand: orders of a day are one purchase, refunds do not
-- count, one row a customer who bought until 30 June 2025, with what was held out of the 26 weeks after.
WITH days AS (
    SELECT customer_id, date::DATE AS day, sum(amount) AS spend, day <= DATE '2025-06-30' AS observed
    FROM read_parquet($file)
    WHERE amount >= 0 AND customer_id IS NOT NULL AND date < TIMESTAMP '2025-12-30'
    GROUP BY customer_id, day
),
gaps AS (
    SELECT *, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap, ln(if(spend > 0, spend, 1)) AS log
    FROM days
),
customers AS (
    SELECT
        customer_id,
        min(day) AS first_purchase,
        max(day) FILTER (observed) AS last,
        count(*) FILTER (observed) AS purchases,
        sum(spend) FILTER (observed) AS spend,
        arg_min(spend, day) AS first_spend,
        count(*) FILTER (observed AND spend > 0) AS paid_days,
        sum(log) FILTER (observed) AS logs,
        sum(log * log) FILTER (observed) AS squared_logs,
        arg_min(log, day) AS first_log,
        sum(ln(gap)) FILTER (observed) AS log_gaps,
        count(*) FILTER (NOT observed) AS held_purchases,
        coalesce(sum(spend) FILTER (NOT observed), 0) AS held_spend
    FROM gaps
    GROUP BY customer_id
    HAVING min(day) <= DATE '2025-06-30'
),
repeated AS (
    SELECT
        *,
        purchases - 1 AS frequency,
        paid_days - (first_spend > 0)::INT AS amount_count,
        spend - first_spend AS amount_sum,
        logs - first_log AS amount_log_sum
    FROM customers
)
SELECT
    customer_id,
    frequency,
    (last - first_purchase) / 7 AS recency,
    (DATE '2025-06-30' - first_purchase) / 7 AS T,
    if(frequency > 0, amount_sum / frequency, 0) AS monetary_value,
    amount_count,
    amount_sum,
    amount_log_sum,
    if(amount_count > 1, squared_logs - first_log * first_log - amount_log_sum * amount_log_sum / amount_count, 0)
        AS amount_log_ss,
    if(frequency > 0, log_gaps - frequency * ln(7), 0) AS sum_log_gaps,
    first_spend AS first_amount,
    first_purchase,
    strftime(first_purchase, '%Y-%m') AS first_month,
    held_purchases,
    held_spend
FROM repeated
ORDER BY customer_id
