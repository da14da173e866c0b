-- What people write: conditions of every kind, as in selected.sql. All run on TiDB and MariaDB as their authors wrote
-- them, and select the same users as what we send.

SELECT user_id, GROUP_CONCAT(DISTINCT amount ORDER BY amount SEPARATOR ', ') AS what FROM orders WHERE user_id IS NOT NULL GROUP BY user_id
-- => 1 2 7
-- needs TiDB: GROUP_CONCAT()
SELECT user_id, GROUP_CONCAT(amount ORDER BY amount DESC) AS what FROM orders WHERE user_id IS NOT NULL GROUP BY user_id
-- => 1 2 7
-- needs TiDB: GROUP_CONCAT()
SELECT user_id, GROUP_CONCAT(amount, '-', id ORDER BY amount DESC, id SEPARATOR '|') AS what FROM orders WHERE user_id IS NOT NULL GROUP BY user_id
-- => 1 2 7
-- needs TiDB: GROUP_CONCAT()
SELECT user_id, GROUP_CONCAT(amount SEPARATOR ';') AS what FROM orders WHERE user_id IS NOT NULL GROUP BY user_id
-- => 1 2 7
-- needs TiDB: GROUP_CONCAT()
SELECT user_id, GROUP_CONCAT(DISTINCT CONCAT(amount, 'x') ORDER BY 1) AS what FROM orders WHERE user_id IS NOT NULL GROUP BY user_id
-- => 1 2 7
-- needs TiDB: GROUP_CONCAT()
SELECT id FROM users WHERE plan = 'pro' EXCEPT SELECT user_id FROM orders
-- => 6
SELECT id FROM users WHERE plan = 'pro' INTERSECT SELECT user_id FROM orders
-- => 1
SELECT id FROM users WHERE plan = 'free' UNION SELECT user_id FROM orders WHERE user_id IS NOT NULL
-- => 1 2 4 7 9007199254740993
SELECT id AS user_id FROM users WHERE plan = 'free' UNION ALL SELECT user_id FROM orders WHERE amount = 30
-- => 2 4 7 9007199254740993
(SELECT id FROM users WHERE plan = 'free') UNION (SELECT id FROM users WHERE plan = 'pro')
-- => 1 2 4 6 9007199254740993
-- needs TiDB: A query in parentheses inside UNION
(SELECT id FROM users ORDER BY score DESC, id LIMIT 2) UNION (SELECT id FROM users ORDER BY created_at, id LIMIT 2)
-- => 1 3 4 9007199254740993
-- needs TiDB: A query in parentheses inside UNION
SELECT id FROM users WHERE plan = 'free' UNION SELECT id FROM users WHERE plan = 'pro' ORDER BY id LIMIT 3
-- => 1 2 4
UNIX_TIMESTAMP() - UNIX_TIMESTAMP(created_at) > 86400 * 30
-- => 1 3 4 6 9007199254740993
UNIX_TIMESTAMP(last_activity_at) < UNIX_TIMESTAMP() - 7 * 24 * 3600
-- => 2 3 9007199254740993
SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM users WHERE plan = 'free'
-- => 2 4 9007199254740993
SELECT /*+ HASH_JOIN(u, o) */ DISTINCT u.id FROM users u JOIN orders o ON o.user_id = u.id
-- => 1 2 7
SELECT /*+ USE_INDEX(u, PRIMARY), MEMORY_QUOTA(1 GB) */ u.id FROM users u WHERE u.plan = 'free'
-- => 2 4 9007199254740993
SELECT /*+ READ_FROM_STORAGE(TIKV[u]) */ u.id FROM users u WHERE u.plan = 'pro'
-- => 1 6
SELECT id AS user_key FROM users WHERE plan = 'free'
-- => 2 4 9007199254740993
SELECT u.id AS uid, u.email FROM users u WHERE u.plan = 'free'
-- => 2 4 9007199254740993
WITH quiet AS (SELECT id AS uid FROM users WHERE plan = 'free') SELECT uid FROM quiet
-- => 2 4 9007199254740993
WITH quiet (uid) AS (SELECT id FROM users WHERE plan = 'free') SELECT uid FROM quiet
-- => 2 4 9007199254740993
SELECT d.uid FROM (SELECT user_id AS uid, COUNT(*) AS n FROM orders WHERE user_id IS NOT NULL GROUP BY user_id) d WHERE d.n > 1
-- => 1 7
SELECT uid FROM (SELECT id AS uid FROM users) d
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id, COUNT(*) FROM users GROUP BY id
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id, score * 2 FROM users WHERE score > 1
-- => 1 2 4 6 9007199254740993
SELECT id, DATEDIFF(NOW(), created_at) FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id, 'x', 1 FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT u.id FROM users u JOIN orders o ON o.user_id = u.id WHERE o.amount > 20
-- => 1 7
SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY plan ORDER BY score DESC, id) AS rn FROM users) r WHERE rn = 1
-- => 1 3 4 5
SELECT id, RANK() OVER (ORDER BY score DESC) AS place FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id, LAG(created_at, 1) OVER (ORDER BY created_at) AS before_at FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id FROM (SELECT id, NTILE(4) OVER (ORDER BY score) AS q FROM users) x WHERE q = 4
-- => 1 4
SELECT id, SUM(score) OVER w AS s FROM users WINDOW w AS (PARTITION BY plan ORDER BY id)
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: WINDOW
SELECT id, SUM(score) OVER (PARTITION BY plan ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id, AVG(score) OVER (ORDER BY id ROWS 2 PRECEDING) AS a FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
WITH a AS (SELECT user_id, SUM(amount) AS total FROM orders GROUP BY user_id), b AS (SELECT AVG(total) AS mean FROM a) SELECT a.user_id FROM a, b WHERE a.total > b.mean AND a.user_id IS NOT NULL
-- => 1 7
WITH RECURSIVE days (d) AS (SELECT DATE('2026-11-20') UNION ALL SELECT d + INTERVAL 1 DAY FROM days WHERE d < '2026-11-23') SELECT DISTINCT u.id FROM users u JOIN days ON DATE(u.created_at) = days.d
-- => 5 7
WITH RECURSIVE t AS (SELECT id, 1 AS depth FROM users WHERE id = 1 UNION ALL SELECT u.id, t.depth + 1 FROM users u JOIN t ON u.id = t.id + 1 WHERE t.depth < 3) SELECT id FROM t
-- => 1 2 3
JSON_LENGTH(meta, '$.tags') > 0
-- => 1
-- needs TiDB: JSON_LENGTH()
CASE plan WHEN 'free' THEN 1 ELSE 0 END = 1
-- => 2 4 9007199254740993
CASE WHEN score > 10 THEN 'high' WHEN score IS NULL THEN 'none' ELSE 'low' END = 'high'
-- => 1 2 4
id IN (SELECT user_id FROM orders)
-- => 1 2 7
EXISTS (SELECT * FROM orders o WHERE o.user_id = users.id AND o.amount > 20)
-- => 1 7
NOT EXISTS (SELECT 1 FROM orders WHERE orders.user_id = users.id)
-- => 3 4 5 6 9007199254740993
id = ANY (SELECT user_id FROM orders)
-- => 1 2 7
-- needs TiDB: ANY
score >= ALL (SELECT amount FROM orders WHERE amount < 50)
-- => 4
-- needs TiDB: ALL
id = SOME (SELECT user_id FROM orders)
-- => 1 2 7
-- needs TiDB: ANY
score > (SELECT AVG(amount) FROM orders)
-- => 4
SELECT id FROM users WHERE (SELECT COUNT(*) FROM orders o WHERE o.user_id = users.id) >= 2
-- => 1 7
TIMESTAMPDIFF(DAY, last_activity_at, NOW()) > 7
-- => 9007199254740993
STR_TO_DATE('01.01.2026', '%d.%m.%Y') <= created_at
-- => 1 2 4 5 6 7
-- needs TiDB: STR_TO_DATE()
email REGEXP '@example[.]com$'
-- => 1 2 3 5 6 7 9007199254740993
-- needs TiDB: REGEXP
email RLIKE '^a'
-- => 1 3
-- needs TiDB: REGEXP
email NOT REGEXP 'org'
-- => 1 2 3 5 6 7 9007199254740993
-- needs TiDB: REGEXP
name COLLATE utf8mb4_bin = 'ann'
-- => 3
-- needs TiDB: COLLATE
CAST(score AS SIGNED) = 100
-- => 4
CAST(created_at AS DATE) = '2026-01-31'
-- => 1
CAST(id AS CHAR) LIKE '%1'
-- => 1
CONVERT(score, SIGNED) = 100
-- => 4
CAST(score AS DECIMAL(10,2)) > 1
-- => 1 2 4 6 9007199254740993
-- needs TiDB: CAST to DECIMAL(10, 2)
CAST(score AS UNSIGNED INTEGER) = 100
-- => 4
-- needs TiDB: CAST to BIGINT UNSIGNED
CAST(score AS SIGNED INTEGER) = 100
-- => 4
SELECT user_id FROM orders WHERE user_id IS NOT NULL GROUP BY user_id HAVING COUNT(*) > 1
-- => 1 7
SELECT user_id, COUNT(DISTINCT amount) AS n FROM orders WHERE user_id IS NOT NULL GROUP BY user_id HAVING n > 1
-- => 1 7
SELECT id FROM users USE INDEX (PRIMARY) WHERE id > 3
-- => 4 5 6 7 9007199254740993
SELECT id FROM users FORCE INDEX (PRIMARY) WHERE id > 3
-- => 4 5 6 7 9007199254740993
SELECT id FROM users IGNORE INDEX (PRIMARY) WHERE id > 3
-- => 4 5 6 7 9007199254740993
SELECT `id` FROM `users` WHERE `plan` = "free"
-- => 2 4 9007199254740993
SELECT `users`.`id` AS `id` FROM `users`
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT u.id FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL
-- => 3 4 5 6 9007199254740993
SELECT DISTINCT u.id FROM users u INNER JOIN orders o ON o.user_id = u.id
-- => 1 2 7
SELECT DISTINCT u.id FROM users u CROSS JOIN orders o WHERE o.user_id = u.id
-- => 1 2 7
SELECT DISTINCT u.id FROM users u, orders o WHERE o.user_id = u.id
-- => 1 2 7
SELECT DISTINCT u.id FROM orders o RIGHT JOIN users u ON o.user_id = u.id
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: RIGHT JOIN
SELECT DISTINCT u.id FROM (users u JOIN orders o ON o.user_id = u.id)
-- => 1 2 7
-- needs TiDB: A join in parentheses
SELECT u.id, o.total FROM users u JOIN (SELECT user_id, SUM(amount) AS total FROM orders GROUP BY user_id) o ON o.user_id = u.id
-- => 1 2 7
(plan, active) = ('free', 0)
-- => 4
-- needs TiDB: A list in parentheses
(plan, active) IN (('free', 0), ('pro', 1))
-- => 1 4 6
-- needs TiDB: A list in parentheses
ROW(plan, active) = ROW('free', 0)
-- => 4
-- needs TiDB: A list in parentheses
plan <=> NULL
-- => 5
NOT (plan <=> 'free')
-- => 1 3 5 6 7
age MOD 2 = 0
-- => 1 6 7 9007199254740993
age % 2 = 1
-- => 2 3 4
active XOR re_engagement_sent
-- => 1 2 9007199254740993
-- needs TiDB: XOR
age & 1
-- => 2 3 4
-- needs TiDB: &
(age | 1) = 31
-- => 1
-- needs TiDB: |
age ^ 1 > 20
-- => 1 2 3 4 6 9007199254740993
-- needs TiDB: ^
age << 1 > 60
-- => 3 4
-- needs TiDB: <<
~age & 1
-- => 1 6 7 9007199254740993
-- needs TiDB: &
age = 0x1E
-- => 1
-- needs TiDB: A hexadecimal or binary value
name = x'416E6E'
-- => 1
-- needs TiDB: A hexadecimal or binary value
created_at > NOW() - INTERVAL 1 MONTH
-- => 2 5 7
created_at > NOW() - INTERVAL '1' YEAR
-- => 1 2 3 4 5 6 7
created_at > NOW() - INTERVAL 90 MINUTE
-- => 7
created_at > DATE_SUB(CURDATE(), INTERVAL 1 YEAR)
-- => 1 2 3 4 5 6 7
created_at > DATE_SUB(NOW(), INTERVAL '1 12' DAY_HOUR)
-- => 5 7
-- needs TiDB: INTERVAL … DAY_HOUR
created_at > NOW() - INTERVAL age DAY
-- => 2
score BETWEEN 1 AND 100
-- => 1 2 4 6 9007199254740993
score NOT BETWEEN 1 AND 100
-- => 3 7
IF(score > 10, 1, 0) = 1
-- => 1 2 4
IFNULL(plan, 'none') = 'none'
-- => 5
FIND_IN_SET(plan, 'free,pro')
-- => 1 2 4 6 9007199254740993
-- needs TiDB: FIND_IN_SET()
DATE(created_at) = '2026-01-31'
-- => 1
WEEKDAY(created_at) = 5
-- => 1 4
YEARWEEK(created_at) = YEARWEEK('2026-01-31')
-- => 1
-- needs TiDB: YEARWEEK()
YEARWEEK(created_at, 3) = 202605
-- => 1
-- needs TiDB: YEARWEEK()
active = TRUE
-- => 1 2 6 9007199254740993
active IS FALSE
-- => 3 4 7
created_at >= DATE '2026-01-01'
-- => 1 2 4 5 6 7
created_at >= TIMESTAMP '2026-01-01 00:00:00'
-- => 1 2 4 5 6 7
SELECT STRAIGHT_JOIN u.id FROM users u JOIN orders o ON o.user_id = u.id
-- => 1 1 2 7 7
SELECT DISTINCT u.id FROM users u STRAIGHT_JOIN orders o ON o.user_id = u.id
-- => 1 2 7
SELECT DISTINCT user_id FROM orders NATURAL JOIN (SELECT 1 AS one) x WHERE user_id IS NOT NULL
-- => 1 2 7
SELECT DISTINCT user_id FROM orders JOIN (SELECT id AS user_id FROM users) u USING (user_id)
-- => 1 2 7
SELECT id FROM users ORDER BY created_at DESC, id LIMIT 3
-- => 2 5 7
SELECT id FROM users ORDER BY created_at DESC LIMIT 2 OFFSET 1
-- => 2 5
SELECT ALL id FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
MOD(CRC32(email), 10) < 5
-- => 2 3 5 6 9007199254740993
-- needs TiDB: CRC32()
LEFT(email, 1) = 'a'
-- => 1 3
SUBSTRING(email FROM 1 FOR 1) = 'a'
-- => 1 3
SUBSTRING(email, 1, 1) = 'a'
-- => 1 3
TRIM(LEADING 'a' FROM name) = 'nn'
-- => 3
-- needs TiDB: TRIM() of other letters
TRIM(BOTH FROM name) = 'ann'
-- => 3
-- needs TiDB: TRIM() of other letters
POSITION('@' IN email) > 3
-- => 1 2 3 4 5 6 7
-- needs TiDB: POSITION()
LOCATE('@', email) > 3
-- => 1 2 3 4 5 6 7
EXTRACT(YEAR FROM created_at) = 2026
-- => 1 2 4 5 6 7
EXTRACT(YEAR_MONTH FROM created_at) = 202601
-- => 1
-- needs TiDB: EXTRACT() of this unit
BINARY name = 'ann'
-- => 3
-- needs TiDB: CAST to BINARY
name = BINARY 'ann'
-- => 3
-- needs TiDB: CAST to BINARY
name LIKE 'a\_%'
-- => 
name LIKE 'a|_%' ESCAPE '|'
-- => 
name LIKE BINARY 'a%'
-- => 3
-- needs TiDB: CAST to BINARY
ISNULL(plan)
-- => 5
active && NOT re_engagement_sent
-- => 1 2 9007199254740993
active AND (plan = 'free' OR plan IS NULL)
-- => 2 9007199254740993
plan != 'free'
-- => 1 3 6 7
plan <> 'free'
-- => 1 3 6 7
NOT plan = 'free'
-- => 1 3 6 7
HOUR(created_at) = 12
-- => 4
DAYNAME(created_at) = 'Saturday'
-- => 1 4
-- needs TiDB: DAYNAME()
DAYOFYEAR(birthday) = DAYOFYEAR(CURDATE())
-- => 
MONTH(birthday) = MONTH(NOW()) AND DAY(birthday) = DAY(NOW())
-- => 5
CURTIME() > '08:00:00'
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: TIME()
created_at < CURRENT_TIMESTAMP()
-- => 1 2 3 4 5 6 7 9007199254740993
created_at < LOCALTIME()
-- => 1 2 3 4 5 6 7 9007199254740993
CONVERT_TZ(created_at, '+00:00', '+02:00') > '2026-01-01'
-- => 1 2 3 4 5 6 7
-- needs TiDB: CONVERT_TZ()
ADDTIME(created_at, '01:00:00') > NOW()
-- => 7
-- needs TiDB: ADDTIME()
PERIOD_DIFF(202611, DATE_FORMAT(created_at, '%Y%m')) > 3
-- => 1 3 4 9007199254740993
-- needs TiDB: PERIOD_DIFF()
FROM_UNIXTIME(1769817600) > created_at
-- => 3 9007199254740993
TO_DAYS(NOW()) - TO_DAYS(created_at) > 30
-- => 1 3 4 6 9007199254740993
-- needs TiDB: TO_DAYS()
name IN ('Ann', 'Bob') AND id NOT IN (3)
-- => 1 2
SELECT id, name AS n FROM users ORDER BY n DESC
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id, created_at + INTERVAL 7 DAY AS due FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT users.* FROM users WHERE plan = 'free'
-- => 2 4 9007199254740993
SELECT u.*, 1 AS one FROM users u
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT * FROM users u WHERE u.plan = 'free'
-- => 2 4 9007199254740993
SELECT DISTINCT id FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT user_id, MAX(created_at) AS last_order FROM orders WHERE user_id IS NOT NULL GROUP BY 1
-- => 1 2 7
SELECT DISTINCT o1.user_id FROM orders o1 JOIN orders o2 ON o1.user_id = o2.user_id AND o1.id < o2.id
-- => 1 7
SELECT u.id FROM users u WHERE 2 <= (SELECT COUNT(*) FROM orders WHERE user_id = u.id)
-- => 1 7
SELECT id FROM users WHERE (SELECT MAX(created_at) FROM orders WHERE user_id = users.id) < NOW() - INTERVAL 30 DAY
-- => 2
id IN (1, 2, 3) OR email LIKE '%@example.org'
-- => 1 2 3 4
LOWER(email) LIKE '%example%' AND CHAR_LENGTH(name) > 2
-- => 1 2 3 4 5 6 7
CONCAT(name, ' ', plan) = 'Ann pro'
-- => 1
CONCAT_WS('-', name, plan) = 'Ann-pro'
-- => 1
name = CONCAT('A', 'n', 'n')
-- => 1
CHAR(65) = LEFT(name, 1)
-- => 1
-- needs TiDB: CHAR()
ROUND(score, 1) = 99.5
-- => 
FLOOR(score) = 99
-- => 4
POW(age, 2) > 900
-- => 3 4
-- needs TiDB: POW()
score > 1e2
-- => 
MD5(email) LIKE 'a%'
-- => 
-- needs TiDB: MD5()
active = b'1'
-- => 1 2 6 9007199254740993
-- needs TiDB: A hexadecimal or binary value
TRUE
-- => 1 2 3 4 5 6 7 9007199254740993
1
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT id FROM users u WHERE u.id IN (SELECT DISTINCT user_id FROM orders WHERE amount IN (10, 25))
-- => 1
DATE_ADD(birthday, INTERVAL YEAR(NOW()) - YEAR(birthday) YEAR) BETWEEN CURDATE() AND CURDATE() + INTERVAL 7 DAY
-- => 5 6
(id, plan) IN (SELECT user_id, 'pro' FROM orders)
-- => 1
-- needs TiDB: A list in parentheses
SELECT id FROM users JOIN (SELECT user_id FROM orders GROUP BY user_id) o ON o.user_id = users.id
-- => 1 2 7
SELECT id FROM users NATURAL LEFT JOIN (SELECT 1 AS z) q
-- => 1 2 3 4 5 6 7 9007199254740993
created_at BETWEEN NOW() - INTERVAL 2 DAY AND NOW() - INTERVAL 1 DAY
-- => 5
WEEK(created_at, 1) = 5
-- => 1
-- needs TiDB: WEEK()
TIMESTAMPADD(DAY, 7, created_at) < NOW()
-- => 1 2 3 4 6 9007199254740993
JSON_SEARCH(meta, 'one', 'pro') IS NOT NULL
-- => 1
-- needs TiDB: JSON_SEARCH()
SELECT user_id FROM orders WHERE user_id IS NOT NULL GROUP BY user_id HAVING SUM(amount) > 20 AND MAX(created_at) < NOW()
-- => 1 7
SELECT user_id FROM orders WHERE user_id IS NOT NULL GROUP BY user_id ORDER BY SUM(amount) DESC, user_id LIMIT 2
-- => 1 7
plan = 'free';
-- => 2 4 9007199254740993
SELECT id FROM users # comment
-- => 1 2 3 4 5 6 7 9007199254740993
SELECT /* all */ id FROM users
-- => 1 2 3 4 5 6 7 9007199254740993
CONVERT(created_at, DATE) = '2026-01-31'
-- => 1
created_at > CONVERT('2026-01-01', DATETIME)
-- => 1 2 4 5 6 7
-- needs TiDB: CAST to DATETIME
SELECT id FROM users WHERE FIELD(plan, 'free', 'pro') > 0 ORDER BY FIELD(plan, 'free', 'pro'), id
-- => 1 2 4 6 9007199254740993
-- needs TiDB: FIELD()
name LIKE '%a%' COLLATE utf8mb4_general_ci
-- => 1 3 6 7
-- needs TiDB: COLLATE
email LIKE CONCAT('%', name, '%')
-- => 3
ELT(1, 'a') = 'a'
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: ELT()
EXTRACT(DAY FROM NOW()) = 23
-- => 1 2 3 4 5 6 7 9007199254740993
CAST('2026-01-01' AS DATETIME) < created_at
-- => 1 2 4 5 6 7
-- needs TiDB: CAST to DATETIME
CAST(age AS FLOAT) > 1
-- => 1 2 3 4 6 9007199254740993
-- needs TiDB: CAST to FLOAT
CAST(age AS DOUBLE) > 1
-- => 1 2 3 4 6 9007199254740993
-- needs TiDB: CAST to DOUBLE
JSON_TYPE(meta) = 'OBJECT'
-- => 1 2 4
-- needs TiDB: JSON_TYPE()
BIT_COUNT(age) = 4
-- => 1 3
-- needs TiDB: BIT_COUNT()
NOT(active)
-- => 3 4 7
SELECT u.id FROM users u WHERE u.created_at = (SELECT MIN(created_at) FROM users)
-- => 9007199254740993
id > 3 AND created_at > 20260101
-- => 4 5 6 7
-- needs TiDB: A date that is written as a number
SELECT id, score AS s FROM users HAVING s > 10
-- => 1 2 4
-- needs TiDB: HAVING without GROUP BY
EXISTS (SELECT 1 FROM orders WHERE user_id = users.id HAVING COUNT(*) > 1)
-- => 1 7
-- needs TiDB: HAVING without GROUP BY
