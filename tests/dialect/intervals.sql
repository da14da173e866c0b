PostgreSQL's intervals, and MySQL's.

--- the seed
SELECT * FROM users WHERE last_activity_at < NOW() - INTERVAL '7 days' AND re_engagement_sent = false
--- servers
SELECT * FROM users WHERE last_activity_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 7 DAY AND re_engagement_sent = false
--- sqlite
SELECT * FROM users WHERE skene_moment(last_activity_at) < skene_shift(:as_of, -7, 'DAY') AND re_engagement_sent = FALSE

--- one unit
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1 week'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 1 WEEK
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -1, 'WEEK')

--- short spellings
SELECT id FROM users WHERE seen_at BETWEEN NOW() - INTERVAL '1 mon' AND NOW() - INTERVAL '36 hrs'
--- servers
SELECT id FROM users WHERE seen_at BETWEEN CAST(:as_of AS DATETIME(6)) - INTERVAL 1 MONTH AND CAST(:as_of AS DATETIME(6)) - INTERVAL 36 HOUR
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) BETWEEN skene_shift(:as_of, -1, 'MONTH') AND skene_shift(:as_of, -36, 'HOUR')

--- fractions of a second
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1.25 seconds'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 1250000 MICROSECOND
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -1250000, 'MICROSECOND')

--- capitals and blanks
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL ' 7 Days '
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 7 DAY
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -7, 'DAY')

--- two parts
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1 day 2 hours'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 1 DAY - INTERVAL 2 HOUR
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(skene_shift(:as_of, -1, 'DAY'), -2, 'HOUR')

--- months come first, as in PostgreSQL
SELECT id FROM users WHERE seen_at + INTERVAL '3 days 1 month' < NOW()
--- servers
SELECT id FROM users WHERE seen_at + INTERVAL 1 MONTH + INTERVAL 3 DAY < CAST(:as_of AS DATETIME(6))
--- sqlite
SELECT id FROM users WHERE skene_moment(skene_shift(skene_shift(seen_at, 1, 'MONTH'), 3, 'DAY')) < :as_of

--- years and months are months
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1 year 2 months'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 14 MONTH
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -14, 'MONTH')

--- a fraction in a smaller unit
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1.5 days'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 36 HOUR
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -36, 'HOUR')

--- half an hour
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '0.5 hours'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 30 MINUTE
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -30, 'MINUTE')

--- a negative number
SELECT id FROM users WHERE seen_at > NOW() + INTERVAL '-2 days'
--- servers
SELECT id FROM users WHERE seen_at > CAST(:as_of AS DATETIME(6)) + INTERVAL -2 DAY
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) > skene_shift(:as_of, -2, 'DAY')

--- inside DATE_SUB
SELECT id FROM users WHERE seen_at < DATE_SUB(NOW(), INTERVAL '2 weeks')
--- servers
SELECT id FROM users WHERE seen_at < DATE_SUB(CAST(:as_of AS DATETIME(6)), INTERVAL 2 WEEK)
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_moment(skene_shift(:as_of, -2, 'WEEK'))

--- a comma between parts
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1 day, 2 hours'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 1 DAY - INTERVAL 2 HOUR
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(skene_shift(:as_of, -1, 'DAY'), -2, 'HOUR')

--- a year is a year
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1 year'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 1 YEAR
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -1, 'YEAR')

--- days and weeks, then time, each in its order
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '3 s 1 day 1 week 2 min'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 1 DAY - INTERVAL 1 WEEK - INTERVAL 3 SECOND - INTERVAL 2 MINUTE
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(skene_shift(skene_shift(skene_shift(:as_of, -1, 'DAY'), -1, 'WEEK'), -3, 'SECOND'), -2, 'MINUTE')

--- months less a year
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '2 mons -1 yr'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL -10 MONTH
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, 10, 'MONTH')

--- a week and a half
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1.5 w'
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 252 HOUR
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -252, 'HOUR')

--- MySQL's own
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL 7 DAY
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL 7 DAY
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -7, 'DAY')

--- MySQL's own, quoted
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '7' DAY
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL '7' DAY
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_shift(:as_of, -7, 'DAY')

--- of a column
SELECT id FROM users WHERE seen_at + INTERVAL trial_days DAY < NOW()
--- servers
SELECT id FROM users WHERE seen_at + INTERVAL trial_days DAY < CAST(:as_of AS DATETIME(6))
--- sqlite
SELECT id FROM users WHERE skene_moment(skene_shift(seen_at, trial_days, 'DAY')) < :as_of

--- of two units at once
SELECT id FROM users WHERE seen_at < NOW() - INTERVAL '1 2' DAY_HOUR
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) - INTERVAL '1 2' DAY_HOUR
--- sqlite: INTERVAL … DAY_HOUR needs TiDB
