What MySQL and SQLite say differently.

--- division
SELECT id FROM users WHERE used / allowed > 0.8 AND used DIV 2 = 1 AND used % 3 = 0 AND used MOD 3 = 0
--- servers
SELECT id FROM users WHERE used / allowed > 0.8 AND used DIV 2 = 1 AND used % 3 = 0 AND used MOD 3 = 0
--- sqlite
SELECT id FROM users WHERE CAST(used AS REAL) / allowed > 0.8 AND skene_div(used, 2) = 1 AND skene_mod(used, 3) = 0 AND skene_mod(used, 3) = 0

--- equality that knows NULL
SELECT id FROM users WHERE plan <=> NULL
--- servers
SELECT id FROM users WHERE plan <=> NULL
--- sqlite
SELECT id FROM users WHERE `plan` IS NULL

--- IF and its relatives
SELECT id, IF(age > 17, 'adult', 'minor') AS kind, IFNULL(name, '') AS name FROM users
--- servers
SELECT id, IF(age > 17, 'adult', 'minor') AS kind, IFNULL(name, '') AS name FROM users
--- sqlite
SELECT id, CASE WHEN age > 17 THEN 'adult' ELSE 'minor' END AS kind, IFNULL(name, '') AS name FROM users

--- not
SELECT id FROM users WHERE !active AND NOT plan = 'free' && note IS NOT NULL
--- servers
SELECT id FROM users WHERE !active AND NOT plan = 'free' && note IS NOT NULL
--- sqlite
SELECT id FROM users WHERE (NOT active) AND NOT `plan` = 'free' AND NOT note IS NULL

--- texts
SELECT id, CONCAT(first, ' ', last) AS name, LENGTH(first) AS bytes, LEFT(last, 1) AS initial FROM users
--- servers
SELECT id, CONCAT(first, ' ', last) AS name, LENGTH(first) AS bytes, LEFT(last, 1) AS initial FROM users
--- sqlite
SELECT id, skene_concat(`first`, ' ', `last`) AS name, LENGTH(CAST(`first` AS BLOB)) AS bytes, skene_substring(`last`, 1, 1) AS initial FROM users

--- dates are compared as moments
SELECT id FROM users WHERE created_at >= '2026-01-01' AND created_at IN ('2026-02-03 04:05:06')
--- servers
SELECT id FROM users WHERE created_at >= '2026-01-01' AND created_at IN ('2026-02-03 04\:05\:06')
--- sqlite
SELECT id FROM users WHERE skene_moment(created_at) >= '2026-01-01 00\:00\:00.000000' AND skene_moment(created_at) IN ('2026-02-03 04\:05\:06.000000')

--- literals of dates
SELECT id FROM users WHERE created_at >= DATE '2026-01-01'
--- servers
SELECT id FROM users WHERE created_at >= DATE '2026-01-01'
--- sqlite
SELECT id FROM users WHERE skene_moment(created_at) >= skene_moment(skene_date('2026-01-01'))

--- date functions
SELECT id, DATE_FORMAT(created_at, '%Y-%m') AS month FROM users WHERE DATEDIFF(NOW(), created_at) > 7 AND TIMESTAMPDIFF(MONTH, created_at, NOW()) >= 1
--- servers
SELECT id, DATE_FORMAT(created_at, '%Y-%m') AS month FROM users WHERE DATEDIFF(CAST(:as_of AS DATETIME(6)), created_at) > 7 AND TIMESTAMPDIFF(MONTH, created_at, CAST(:as_of AS DATETIME(6))) >= 1
--- sqlite
SELECT id, skene_date_format(created_at, '%Y-%m') AS month FROM users WHERE skene_datediff(:as_of, created_at) > 7 AND skene_timestampdiff('MONTH', created_at, :as_of) >= 1

--- casts
SELECT id, CAST(age AS CHAR) AS age FROM users WHERE CAST(score AS SIGNED) > 3 AND CAST(seen_at AS DATE) < CURDATE()
--- servers
SELECT id, CAST(age AS CHAR) AS age FROM users WHERE CAST(score AS SIGNED) > 3 AND CAST(seen_at AS DATE) < CAST(:as_of_date AS DATE)
--- sqlite
SELECT id, CAST(age AS TEXT) AS age FROM users WHERE skene_signed(score) > 3 AND skene_moment(skene_date(seen_at)) < skene_moment(:as_of_date)

--- weeks
SELECT id FROM users WHERE YEARWEEK(created_at) = 202647
--- servers
SELECT id FROM users WHERE YEARWEEK(created_at) = 202647
--- sqlite: YEARWEEK() needs TiDB

--- regular expressions
SELECT id FROM users WHERE email REGEXP '@example[.]com$'
--- servers
SELECT id FROM users WHERE email REGEXP '@example[.]com$'
--- sqlite: REGEXP needs TiDB

--- JSON
SELECT id FROM users WHERE meta->>'$.city' = 'Ulm'
--- servers
SELECT id FROM users WHERE meta->>'$.city' = 'Ulm'
--- sqlite: ->> needs TiDB

--- several columns at once
SELECT id FROM users WHERE (plan, active) = ('pro', 1)
--- servers
SELECT id FROM users WHERE (plan, active) = ('pro', 1)
--- sqlite: A list in parentheses needs TiDB

--- a number and a text
SELECT id FROM users WHERE YEAR(created_at) = '2026'
--- servers
SELECT id FROM users WHERE YEAR(created_at) = '2026'
--- sqlite: Comparing a number with a string needs TiDB

--- a comparison inside another
SELECT id FROM users WHERE active = age > 3
--- servers
SELECT id FROM users WHERE active = age > 3
--- sqlite: A comparison inside another without parentheses needs TiDB

--- COUNT of several columns
SELECT user_id FROM events GROUP BY user_id HAVING COUNT(DISTINCT kind, day) > 3
--- servers
SELECT user_id FROM events GROUP BY user_id HAVING COUNT(DISTINCT kind, day) > 3
--- sqlite: COUNT() of several columns needs TiDB

--- a collation
SELECT id FROM users WHERE name COLLATE utf8mb4_general_ci = 'ann'
--- servers
SELECT id FROM users WHERE name COLLATE utf8mb4_general_ci = 'ann'
--- sqlite: COLLATE needs TiDB

--- a column that is called like a type, at the very end
SELECT id FROM users WHERE signed_up_on = date
--- servers
SELECT id FROM users WHERE signed_up_on = date
--- sqlite
SELECT id FROM users WHERE signed_up_on = date
