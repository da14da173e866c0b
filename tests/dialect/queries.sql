Joins, groups, windows, common tables and sets.

--- a join
SELECT u.id, u.email, COUNT(o.id) AS orders FROM users AS u LEFT JOIN orders AS o ON o.user_id = u.id AND o.created_at > NOW() - INTERVAL '30 days' GROUP BY u.id, u.email HAVING COUNT(o.id) = 0
--- servers
SELECT u.id, u.email, COUNT(o.id) AS orders FROM users AS u LEFT JOIN orders AS o ON o.user_id = u.id AND o.created_at > CAST(:as_of AS DATETIME(6)) - INTERVAL 30 DAY GROUP BY u.id, u.email HAVING COUNT(o.id) = 0
--- sqlite
SELECT u.id, u.email, COUNT(o.id) AS orders FROM users AS u LEFT JOIN orders AS o ON o.user_id = u.id AND skene_moment(o.created_at) > skene_shift(:as_of, -30, 'DAY') GROUP BY u.id, u.email HAVING COUNT(o.id) = 0

--- a window
SELECT user_id FROM (SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY at DESC) AS n, kind FROM events) latest WHERE n = 1 AND kind = 'cancelled'
--- servers
SELECT user_id FROM (SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY at DESC) AS n, kind FROM events) latest WHERE n = 1 AND kind = 'cancelled'
--- sqlite
SELECT user_id FROM (SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY at DESC) AS n, kind FROM events) AS latest WHERE n = 1 AND kind = 'cancelled'

--- common tables
WITH quiet AS (SELECT user_id FROM events GROUP BY user_id HAVING MAX(at) < NOW() - INTERVAL '14 days') SELECT u.id FROM users u JOIN quiet q ON q.user_id = u.id
--- servers
WITH quiet AS (SELECT user_id FROM events GROUP BY user_id HAVING MAX(at) < CAST(:as_of AS DATETIME(6)) - INTERVAL 14 DAY) SELECT u.id FROM users u JOIN quiet q ON q.user_id = u.id
--- sqlite
WITH quiet AS (SELECT user_id FROM events GROUP BY user_id HAVING skene_moment(MAX(skene_moment(at))) < skene_shift(:as_of, -14, 'DAY')) SELECT u.id FROM users AS u JOIN quiet AS q ON q.user_id = u.id

--- UNION
SELECT id FROM users WHERE plan = 'pro' UNION ALL SELECT id FROM users WHERE plan = 'team'
--- servers
SELECT id FROM users WHERE plan = 'pro' UNION ALL SELECT id FROM users WHERE plan = 'team'
--- sqlite
SELECT id FROM users WHERE `plan` = 'pro' UNION ALL SELECT id FROM users WHERE `plan` = 'team'

--- UNION of three
SELECT id FROM users WHERE a UNION ALL SELECT id FROM users WHERE b UNION SELECT id FROM users WHERE c
--- servers
SELECT id FROM users WHERE a UNION ALL SELECT id FROM users WHERE b UNION SELECT id FROM users WHERE c
--- sqlite
SELECT id FROM users WHERE a UNION ALL SELECT id FROM users WHERE b UNION SELECT id FROM users WHERE c

--- EXCEPT of what is in parentheses
SELECT id FROM users EXCEPT (SELECT id FROM users WHERE a EXCEPT SELECT id FROM users WHERE b)
--- servers
SELECT id FROM users EXCEPT (SELECT id FROM users WHERE a EXCEPT SELECT id FROM users WHERE b)
--- sqlite: A query in parentheses inside UNION needs TiDB

--- the best ten
SELECT id FROM users ORDER BY score DESC, id LIMIT 5, 10
--- servers
SELECT id FROM users ORDER BY score DESC, id LIMIT 5, 10
--- sqlite
SELECT id FROM users ORDER BY score DESC, id LIMIT 10 OFFSET 5

--- a subquery
SELECT id FROM app_users WHERE id NOT IN (SELECT user_id FROM billing.invoices WHERE paid) AND EXISTS (SELECT 1 FROM logins l WHERE l.user_id = app_users.id LIMIT 1)
--- servers
SELECT id FROM app_users WHERE id NOT IN (SELECT user_id FROM billing.invoices WHERE paid) AND EXISTS (SELECT 1 FROM logins l WHERE l.user_id = app_users.id LIMIT 1)
--- sqlite
SELECT id FROM app_users WHERE NOT id IN (SELECT user_id FROM billing.invoices WHERE paid) AND EXISTS (SELECT 1 FROM logins AS l WHERE l.user_id = app_users.id LIMIT 1)

--- an index hint
SELECT id FROM users USE INDEX (by_activity) WHERE seen_at IS NULL
--- servers
SELECT id FROM users USE INDEX (by_activity) WHERE seen_at IS NULL
--- sqlite
SELECT id FROM users WHERE seen_at IS NULL

--- an outer join from the right
SELECT u.id FROM users u RIGHT JOIN orders o ON o.user_id = u.id
--- servers
SELECT u.id FROM users u RIGHT JOIN orders o ON o.user_id = u.id
--- sqlite: RIGHT JOIN needs TiDB

--- optimizer hints
SELECT /*+ HASH_JOIN(u, o), MAX_EXECUTION_TIME(1000) */ DISTINCT u.id FROM users u JOIN orders o ON o.user_id = u.id
--- servers
SELECT /*+ HASH_JOIN(u, o), MAX_EXECUTION_TIME(1000) */ DISTINCT u.id FROM users u JOIN orders o ON o.user_id = u.id
--- sqlite
SELECT DISTINCT u.id FROM users AS u JOIN orders AS o ON o.user_id = u.id

--- the order of a join
SELECT STRAIGHT_JOIN u.id FROM users u STRAIGHT_JOIN orders o ON o.user_id = u.id
--- servers
SELECT STRAIGHT_JOIN u.id FROM users u STRAIGHT_JOIN orders o ON o.user_id = u.id
--- sqlite
SELECT u.id FROM users AS u JOIN orders AS o ON o.user_id = u.id

--- a set of users
SELECT id FROM users WHERE plan = 'pro' EXCEPT SELECT user_id FROM orders
--- servers
SELECT id FROM users WHERE plan = 'pro' EXCEPT SELECT user_id FROM orders
--- sqlite
SELECT id FROM users WHERE `plan` = 'pro' EXCEPT SELECT user_id FROM orders

--- a list of each user
SELECT user_id, GROUP_CONCAT(DISTINCT name ORDER BY name DESC SEPARATOR ', ') AS names FROM events GROUP BY user_id
--- servers
SELECT user_id, GROUP_CONCAT(DISTINCT name ORDER BY name DESC SEPARATOR ', ') AS names FROM events GROUP BY user_id
--- sqlite: GROUP_CONCAT() needs TiDB

--- a window of days
SELECT user_id FROM (SELECT user_id, COUNT(*) OVER (PARTITION BY user_id ORDER BY at RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) AS n FROM events) t WHERE n > 3
--- servers
SELECT user_id FROM (SELECT user_id, COUNT(*) OVER (PARTITION BY user_id ORDER BY at RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) AS n FROM events) t WHERE n > 3
--- sqlite: A window with RANGE needs TiDB

--- lists of names, in backticks and like a function
WITH `a` (x) AS (SELECT id FROM users), count (y) AS (SELECT x FROM a) SELECT y AS user_id FROM count
--- servers
WITH `a` (x) AS (SELECT id FROM users), count (y) AS (SELECT x FROM a) SELECT y AS user_id FROM count
--- sqlite
WITH `a`(x) AS (SELECT id FROM users), count(y) AS (SELECT x FROM a) SELECT y AS user_id FROM count

--- the order of a join, behind a hint
SELECT /*+ HASH_JOIN(u, o) */ STRAIGHT_JOIN u.id FROM users u JOIN orders o ON o.user_id = u.id
--- servers
SELECT /*+ HASH_JOIN(u, o) */ STRAIGHT_JOIN u.id FROM users u JOIN orders o ON o.user_id = u.id
--- sqlite
SELECT u.id FROM users AS u JOIN orders AS o ON o.user_id = u.id

--- columns that are called like words of SQL
SELECT x.id FROM users x WHERE x.row = 1 AND row = 2
--- servers
SELECT x.id FROM users x WHERE x.row = 1 AND row = 2
--- sqlite
SELECT x.id FROM users AS x WHERE x.`row` = 1 AND `row` = 2
