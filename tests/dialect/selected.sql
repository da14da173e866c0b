-- What selects whom on the tables of tests/store/test_dialect_on_databases.py, the same on every database, at
-- 2026-11-23 09:00. A line is a condition, or a whole query; `=>` says whom it selects, `needs TiDB` what SQLite lacks.
-- `ours` marks spellings that no server reads: there is no original to compare with.

-- Points in time

last_activity_at < NOW() - INTERVAL 7 DAY AND re_engagement_sent = false
-- => 2 3 9007199254740993
last_activity_at <= NOW() - INTERVAL 7 DAY
-- => 1 2 3 9007199254740993
last_activity_at < CURRENT_TIMESTAMP(6) - INTERVAL '7' DAY
-- => 2 3 9007199254740993
last_activity_at < CURDATE() - INTERVAL 7 DAY
-- => 9007199254740993
last_activity_at <= CURDATE() - INTERVAL 7 DAY
-- => 3 9007199254740993
last_activity_at >= CURRENT_DATE - INTERVAL 1 WEEK
-- => 1 2 3 5 6 7
last_activity_at > CURDATE() - INTERVAL 7 DAY
-- => 1 2 5 6 7
last_activity_at = CURDATE() - INTERVAL 7 DAY
-- => 3
birthday = DATE '2000-02-29'
-- => 1
birthday <= NOW() - INTERVAL 18 YEAR
-- => 1 2 3 5 7 9007199254740993
birthday > '1990-01-01'
-- => 1 5 6 7 9007199254740993
birthday >= '2000-02-29 00:00:00'
-- => 1 5 6 9007199254740993
birthday < '2000-02-29 00:00:01'
-- => 1 2 3 7
created_at BETWEEN '2026-01-31' AND '2026-02-28'
-- => 1
created_at BETWEEN '2026-01-31' AND '2026-11-16'
-- => 1 2 4 6
created_at IN ('2026-01-31', '2026-11-16 00:00:00')
-- => 1 2
created_at NOT BETWEEN '2026-01-31' AND CURDATE()
-- => 3 7 9007199254740993
created_at + INTERVAL 1 MONTH = '2026-02-28'
-- => 1
created_at + INTERVAL 1 MONTH <= '2026-02-28 00:00:00'
-- => 1 3 9007199254740993
DATE_ADD(created_at, INTERVAL 1 MONTH) < NOW()
-- => 1 3 4 6 9007199254740993
DATE_SUB(NOW(), INTERVAL 10 MONTH) > created_at
-- => 3 9007199254740993
ADDDATE(created_at, 30) > NOW()
-- => 2 5 7
SUBDATE(NOW(), INTERVAL 2 QUARTER) > created_at
-- => 1 3 4 9007199254740993
birthday + INTERVAL 1 YEAR = '2001-02-28'
-- => 1
birthday + INTERVAL 1 DAY = '2000-03-01'
-- => 1
birthday + INTERVAL 1 HOUR = '2000-02-29 01:00:00'
-- => 1
created_at + INTERVAL age DAY > NOW()
-- => 2
created_at + INTERVAL age * 2 DAY > NOW()
-- => 2 6
last_activity_at + INTERVAL -1 HOUR < NOW() - INTERVAL 7 DAY
-- => 1 2 3 6 9007199254740993
last_activity_at < NOW() - INTERVAL 1 DAY - INTERVAL 2 HOUR
-- => 1 2 3 6 7 9007199254740993
last_activity_at < NOW() - INTERVAL 1.5 SECOND
-- => 1 2 3 6 7 9007199254740993
DATEDIFF(NOW(), last_activity_at) >= 7
-- => 1 2 3 6 9007199254740993
DATEDIFF(last_activity_at, created_at) > 100
-- => 1 3 9007199254740993
TIMESTAMPDIFF(DAY, last_activity_at, NOW()) >= 7
-- => 1 2 3 9007199254740993
TIMESTAMPDIFF(MONTH, created_at, NOW()) >= 9
-- => 1 3 9007199254740993
TIMESTAMPDIFF(MONTH, NOW(), created_at) <= -9
-- => 1 3 9007199254740993
TIMESTAMPDIFF(YEAR, birthday, NOW()) >= 26
-- => 1 2 3 7
TIMESTAMPDIFF(HOUR, last_activity_at, NOW()) < 168
-- => 5 6 7
TIMESTAMPDIFF(WEEK, created_at, NOW()) = 1
-- => 2
TIMESTAMPADD(DAY, 7, last_activity_at) < NOW()
-- => 2 3 9007199254740993
DATE_FORMAT(created_at, '%Y-%m') = '2026-01'
-- => 1
DATE_FORMAT(created_at, '%d.%m.%y %H:%i:%s %p %W %b %j') LIKE '31.01.26 00:00:00 AM Saturday Jan 031'
-- => 1
DATE_FORMAT(NOW(), '%D %M %h %e %c %k %l %r %T %w %a') = '23rd November 09 23 11 9 9 09:00:00 AM 09:00:00 1 Mon'
-- => 1 2 3 4 5 6 7 9007199254740993
YEAR(created_at) = 2026 AND MONTH(created_at) = 1
-- => 1
DAY(created_at) = 31 OR DAYOFMONTH(created_at) = 16
-- => 1 2 3
HOUR(last_activity_at) = 9 AND MINUTE(last_activity_at) = 0 AND SECOND(last_activity_at) = 0
-- => 1 5 6
QUARTER(created_at) = 4
-- => 2 3 5 6 7
DAYOFWEEK(created_at) = 7
-- => 1 4
WEEKDAY(last_activity_at) = 0
-- => 1 2 3 5 6
DAYOFYEAR(birthday) = 60
-- => 1
EXTRACT(YEAR FROM birthday) = 2000
-- => 1
EXTRACT(MICROSECOND FROM last_activity_at) = 1
-- => 6
LAST_DAY(created_at) = '2026-01-31'
-- => 1
DATE(last_activity_at) = '2026-11-16'
-- => 1 2 3 6
DATE(last_activity_at) = CURDATE() - INTERVAL 7 DAY
-- => 1 2 3 6
DATE(NOW()) = '2026-11-23'
-- => 1 2 3 4 5 6 7 9007199254740993
UNIX_TIMESTAMP(last_activity_at) < UNIX_TIMESTAMP(NOW()) - 604800
-- => 2 3 9007199254740993
CAST(last_activity_at AS DATE) = DATE '2026-11-16'
-- => 1 2 3 6
CAST(last_activity_at AS DATETIME(6)) < NOW() - INTERVAL 7 DAY
-- => 2 3 9007199254740993
TIMESTAMP '2026-11-16 09:00:00' = last_activity_at
-- => 1
COALESCE(last_activity_at, created_at) < NOW() - INTERVAL 7 DAY
-- => 2 3 4 9007199254740993
IFNULL(last_activity_at, created_at) < '2026-11-16'
-- => 4 9007199254740993
COALESCE(last_activity_at, '1970-01-01') < NOW() - INTERVAL 7 DAY
-- => 2 3 4 9007199254740993
IF(active, last_activity_at, created_at) < '2026-11-16'
-- => 3 4 9007199254740993
GREATEST(created_at, last_activity_at) < NOW() - INTERVAL 7 DAY
-- => 2 3 9007199254740993

-- Truth and NULL

last_activity_at IS NULL
-- => 4
last_activity_at IS NOT NULL AND NOT active
-- => 3 7
active IS TRUE
-- => 1 2 6 9007199254740993
active IS NOT TRUE
-- => 3 4 5 7
active IS UNKNOWN
-- => 5
active <=> NULL
-- => 5
active = true
-- => 1 2 6 9007199254740993
!active
-- => 3 4 7
!active = 1
-- => 3 4 7
NOT active = 1
-- => 3 4 7
NOT (active)
-- => 3 4 7

-- Numbers

score / 3 > 3.3
-- => 1 2 4
score / 0 IS NULL
-- => 1 2 3 4 5 6 7 9007199254740993
age DIV 10 = 3
-- => 1 4
age DIV 0 IS NULL
-- => 1 2 3 4 5 6 7 9007199254740993
-7 DIV 2 = -3 AND age = 30
-- => 1
age % 10 = 5
-- => 2 3 4
MOD(age, 10) = 5
-- => 2 3 4
age MOD 10 = 5
-- => 2 3 4
-age % 7 = -2
-- => 1
score % 3 = 1.5
-- => 1 9007199254740993
score * 2 + 1 > 20
-- => 1 2 4
- -age = 30
-- => 1
ROUND(score) = 11
-- => 1
ROUND(score, 1) = 10.5
-- => 1 2
FLOOR(score) = 10 AND CEIL(score) = 11
-- => 1 2
ABS(age - 35) <= 5
-- => 1 4

-- Texts

name = 'Ann'
-- => 1
name = 'ann'
-- => 3
LOWER(name) = 'ann'
-- => 1 3
UPPER(name) = 'ZOË'
-- => 4
LCASE(name) = 'zoë'
-- => 4
LENGTH(name) = 4
-- => 4
CHAR_LENGTH(name) = 3
-- => 1 2 3 4 5 6 7
name LIKE 'A%'
-- => 1
name LIKE 'a%'
-- => 3
name NOT LIKE '%n%'
-- => 2 4 5 7 9007199254740993
note LIKE '50\%%'
-- => 1
note LIKE '50%'
-- => 1
note LIKE '50|%%' ESCAPE '|'
-- => 1
note LIKE '%\_%'
-- => 7
note LIKE '%\\\\%'
-- => 4
note = 'it''s'
-- => 2
note = 'it\'s'
-- => 2
note = "it's"
-- => 2
note = 'say "hi"'
-- => 3
note = "say ""hi"""
-- => 3
note = 'a\\b:c'
-- => 4
note = 'x:y :z 12:30'
-- => 5
note = '50% off'
-- => 1
note = 'line\nbreak'
-- => 6
note = 'tab\there'
-- => 9007199254740993
CONCAT(name, '-', plan) = 'Ann-pro'
-- => 1
CONCAT(name, age) = 'Ann30'
-- => 1
CONCAT_WS('-', name, plan, note) LIKE '%-free-%'
-- => 2 4 9007199254740993
CONCAT_WS(',', NULL, name) = 'Bob'
-- => 2
SUBSTRING(email, 1, 3) = 'ann'
-- => 1 3
SUBSTRING(email, -3) = 'com'
-- => 1 2 3 5 6 7 9007199254740993
SUBSTR(email, 0, 3) = ''
-- => 1 2 3 4 5 6 7 9007199254740993
SUBSTRING(email, 2, 0) = ''
-- => 1 2 3 4 5 6 7 9007199254740993
MID(email, 2, 2) = 'nn'
-- => 1 3
LEFT(name, 1) = 'A'
-- => 1
LEFT(name, -1) = ''
-- => 1 2 3 4 5 6 7 9007199254740993
RIGHT(email, 11) = 'example.com'
-- => 1 2 3 5 6 7 9007199254740993
RIGHT(name, 0) = ''
-- => 1 2 3 4 5 6 7 9007199254740993
SUBSTRING_INDEX(email, '@', 1) = 'ann'
-- => 1
SUBSTRING_INDEX(email, '@', -1) = 'example.com'
-- => 1 2 3 5 6 7 9007199254740993
SUBSTRING_INDEX(email, '.', -1) = 'org'
-- => 4
REPLACE(email, '@example.com', '') = 'bob'
-- => 2
INSTR(email, '@') = 4
-- => 1 2 4 5 6 7
LOCATE('@', email) = 5
-- => 3
TRIM(CONCAT('  ', name, ' ')) = 'Ann'
-- => 1
LTRIM(CONCAT('  ', name)) = 'Ann'
-- => 1

-- Sets and choices

plan IN ('pro', 'team')
-- => 1 3 6 7
plan NOT IN ('pro', 'team')
-- => 2 4 9007199254740993
id IN (SELECT user_id FROM orders WHERE amount > 10)
-- => 1 7
id NOT IN (SELECT user_id FROM orders WHERE user_id IS NOT NULL)
-- => 3 4 5 6 9007199254740993
EXISTS (SELECT 1 FROM orders o WHERE o.user_id = users.id LIMIT 1)
-- => 1 2 7
NOT EXISTS (SELECT * FROM orders o WHERE o.user_id = users.id AND o.created_at >= NOW() - INTERVAL 30 DAY)
-- => 2 3 4 5 6 9007199254740993
1 AND (SELECT COUNT(*) FROM orders o WHERE o.user_id = users.id) >= 2
-- => 1 7
1 AND (SELECT MAX(o.created_at) FROM orders o WHERE o.user_id = users.id) < NOW() - INTERVAL 30 DAY
-- => 2
1 AND (SELECT SUM(amount) / COUNT(*) FROM orders o WHERE o.user_id = users.id) > 15.5
-- => 1
CASE WHEN plan = 'pro' THEN 1 WHEN plan = 'free' THEN 2 ELSE 3 END = 2
-- => 2 4 9007199254740993
CASE plan WHEN 'pro' THEN 'a' ELSE 'b' END = 'a'
-- => 1 6
NULLIF(plan, 'free') IS NULL
-- => 2 4 5 9007199254740993
ISNULL(last_activity_at)
-- => 4
GREATEST(age, 30) = 30
-- => 1 2 6 7 9007199254740993
LEAST(age, 30) = 25
-- => 2
active && age > 25
-- => 1 6
active OR age > 40
-- => 1 2 3 6 9007199254740993
age > 20 AND (plan = 'pro' OR plan = 'team')
-- => 1 3 6
age BETWEEN 25 AND 30
-- => 1 2 6
age NOT BETWEEN 25 AND 30
-- => 3 4 7 9007199254740993
age <> 30
-- => 2 3 4 6 7 9007199254740993
age != 30
-- => 2 3 4 6 7 9007199254740993
CAST(score AS SIGNED) = 11
-- => 1
CAST('12abc' AS SIGNED) = 12 AND id = 1
-- => 1
CAST(age AS CHAR) = '30'
-- => 1

-- What SQLite cannot say

active XOR age > 28
-- => 2 3 4 6 9007199254740993
-- needs TiDB: XOR
plan REGEXP '^p'
-- => 1 6
-- needs TiDB: REGEXP
email RLIKE '@example'
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: REGEXP
email NOT REGEXP 'com$'
-- => 4
-- needs TiDB: REGEXP
YEARWEEK(created_at) = YEARWEEK(NOW())
-- => 5 7
-- needs TiDB: YEARWEEK()
YEARWEEK(last_activity_at, 1) = 202647
-- => 1 2 3 6 7
-- needs TiDB: YEARWEEK()
WEEK(created_at) = 4
-- => 1
-- needs TiDB: WEEK()
age & 1 = 1
-- => 2 3 4
-- needs TiDB: &
age | 1 = 31
-- => 1
-- needs TiDB: |
age ^ 1 = 31
-- => 1
-- needs TiDB: ^
age << 1 = 60
-- => 1
-- needs TiDB: <<
~age & 1 = 1
-- => 1 6 7 9007199254740993
-- needs TiDB: &
BINARY name = 'Ann'
-- => 1
-- needs TiDB: CAST to BINARY
name COLLATE utf8mb4_general_ci = 'ANN'
-- => 1 3
-- needs TiDB: COLLATE
CONVERT(age, CHAR) = '30'
-- => 1
CAST(score AS DECIMAL(10,1)) = 10.5
-- => 1 2
-- needs TiDB: CAST to DECIMAL(10, 1)
CAST(age AS UNSIGNED) = 30
-- => 1
-- needs TiDB: CAST to BIGINT UNSIGNED
1 AND (plan, active) = ('pro', 1)
-- => 1 6
-- needs TiDB: A list in parentheses
1 AND (plan, age) IN (('pro', 30), ('free', 25))
-- => 1 2
-- needs TiDB: A list in parentheses
age = ANY (SELECT 30)
-- => 1
-- needs TiDB: ANY
age > ALL (SELECT 25)
-- => 1 3 4 6
-- needs TiDB: ALL
JSON_EXTRACT(meta, '$.plan') = 'pro'
-- => 1
-- needs TiDB: JSON_EXTRACT()
JSON_CONTAINS(meta, '"a"', '$.tags')
-- => 1
-- needs TiDB: JSON_CONTAINS()
JSON_UNQUOTE(JSON_EXTRACT(meta, '$.city')) = 'Ulm'
-- => 1
-- needs TiDB: JSON_UNQUOTE()
TO_DAYS(NOW()) - TO_DAYS(last_activity_at) > 7
-- => 9007199254740993
-- needs TiDB: TO_DAYS()
HEX(name) = '416E6E'
-- => 1
-- needs TiDB: HEX()
name = 0x416E6E
-- => 1
-- needs TiDB: A hexadecimal or binary value
name = x'416e6e'
-- => 1
-- needs TiDB: A hexadecimal or binary value
STR_TO_DATE('16.11.2026', '%d.%m.%Y') = DATE(last_activity_at)
-- => 1 2 3 6
-- needs TiDB: STR_TO_DATE()
FROM_UNIXTIME(UNIX_TIMESTAMP(created_at)) = created_at
-- => 1 2 3 4 5 6 7 9007199254740993
CONVERT_TZ(created_at, '+00:00', '+01:00') > created_at
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: CONVERT_TZ()
EXTRACT(DAY_HOUR FROM NOW()) = 2309 AND id = 1
-- => 1
-- needs TiDB: EXTRACT() of this unit
last_activity_at < NOW() - INTERVAL '7 1' DAY_HOUR
-- => 3 9007199254740993
-- needs TiDB: INTERVAL … DAY_HOUR
MAKEDATE(2026, 31) = DATE(created_at)
-- => 1
-- needs TiDB: MAKEDATE()
FIND_IN_SET(plan, 'pro,team')
-- => 1 3 6 7
-- needs TiDB: FIND_IN_SET()
FIELD(plan, 'free', 'pro') = 2
-- => 1 6
-- needs TiDB: FIELD()
STRCMP(plan, 'pro') = 0
-- => 1 6
-- needs TiDB: STRCMP()
LPAD(age, 4, '0') = '0030'
-- => 1
-- needs TiDB: LPAD()
REVERSE(name) = 'nnA'
-- => 1
-- needs TiDB: REVERSE()
POSITION('@' IN email) = 4
-- => 1 2 4 5 6 7
-- needs TiDB: POSITION()
TRIM(BOTH 'A' FROM name) = 'nn'
-- => 1
-- needs TiDB: TRIM() of other letters
1e1 = age - 20
-- => 1
age > .5 AND age < 30.5
-- => 1 2 6 9007199254740993
id = 9007199254740993
-- => 9007199254740993

-- Whole queries

SELECT u.id FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id
-- => 1 2 7
SELECT u.id, COUNT(o.id) AS n FROM users AS u LEFT JOIN orders AS o ON o.user_id = u.id GROUP BY u.id HAVING n = 0
-- => 3 4 5 6 9007199254740993
SELECT u.id, COUNT(o.id) AS n FROM users AS u LEFT OUTER JOIN orders AS o ON o.user_id = u.id AND o.created_at > NOW() - INTERVAL '30 days' GROUP BY u.id HAVING COUNT(o.id) >= 1
-- => 1
-- ours
SELECT u.id FROM users u, orders o WHERE o.user_id = u.id AND o.amount > 10
-- => 1 7
SELECT u.id FROM users u CROSS JOIN orders o WHERE o.user_id = u.id AND o.amount > 20
-- => 1 7
SELECT user_id FROM orders WHERE user_id IS NOT NULL GROUP BY user_id HAVING SUM(amount) > 5 AND MAX(created_at) < NOW() - INTERVAL '3 weeks'
-- => 1 7
-- ours
SELECT DISTINCT user_id FROM orders WHERE user_id IS NOT NULL
-- => 1 2 7
SELECT user_id FROM (SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY created_at DESC) AS r, amount FROM orders) latest WHERE r = 1 AND amount > 5 AND user_id IS NOT NULL
-- => 1 7
SELECT user_id FROM (SELECT user_id, LAG(amount) OVER (PARTITION BY user_id ORDER BY created_at) AS before_it, amount FROM orders) x WHERE amount < before_it
-- => 1
SELECT user_id FROM (SELECT user_id, SUM(amount) OVER (PARTITION BY user_id ORDER BY created_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS total FROM orders WHERE user_id > 0) x WHERE total > 25
-- => 1 7
WITH recent AS (SELECT user_id, COUNT(*) AS n FROM orders WHERE created_at > NOW() - INTERVAL '1 mon' GROUP BY user_id) SELECT user_id FROM recent WHERE n >= 1 AND user_id IS NOT NULL
-- => 1 7
-- ours
WITH users AS (SELECT * FROM users WHERE active) SELECT id FROM users WHERE age > 24
-- => 1 2 6
-- needs TiDB: WITH under the name of the table that it reads
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT u.id FROM users u JOIN n ON n.i = u.id
-- => 1 2 3
SELECT id FROM users WHERE plan = 'pro' UNION SELECT id FROM users WHERE age < 26
-- => 1 2 6 7 9007199254740993
SELECT id FROM users WHERE plan = 'pro' UNION ALL SELECT id FROM users WHERE age < 26 AND id < 3
-- => 1 2 6
SELECT id FROM users WHERE active EXCEPT SELECT id FROM users WHERE plan = 'pro'
-- => 2 9007199254740993
SELECT id FROM users WHERE active INTERSECT SELECT id FROM users WHERE plan = 'pro'
-- => 1 6
SELECT id FROM users WHERE plan = 'team' UNION SELECT id FROM users WHERE active INTERSECT SELECT id FROM users WHERE plan = 'pro'
-- => 1 3 6 7
-- needs TiDB: A query in parentheses inside UNION
(SELECT id FROM users WHERE plan = 'pro') UNION (SELECT id FROM users WHERE age < 26)
-- => 1 2 6 7 9007199254740993
-- needs TiDB: A query in parentheses inside UNION
(SELECT id FROM users WHERE plan = 'pro')
-- => 1 6
SELECT id FROM users ORDER BY last_activity_at, id LIMIT 3
-- => 3 4 9007199254740993
SELECT id FROM users ORDER BY last_activity_at DESC, id DESC LIMIT 2 OFFSET 1
-- => 6 7
SELECT id FROM users ORDER BY name LIMIT 2, 3
-- => 5 6 9007199254740993
SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '1 day 2 hours'
-- => 1 2 3 6 7 9007199254740993
-- ours
SELECT id FROM users WHERE last_activity_at < NOW() - INTERVAL '1.5 days'
-- => 1 2 3 6 7 9007199254740993
-- ours
SELECT id FROM users WHERE created_at < NOW() - INTERVAL '1 year 1 month'
-- => 9007199254740993
-- ours
SELECT id FROM users WHERE created_at < NOW() - INTERVAL '1 mon 3 days'
-- => 1 3 4 6 9007199254740993
-- ours
SELECT id FROM users WHERE created_at + INTERVAL '1 mon' < NOW() - INTERVAL '-2 days'
-- => 1 3 4 6 9007199254740993
-- ours
SELECT id FROM users WHERE DATE_SUB(NOW(), INTERVAL '2 weeks') > created_at
-- => 1 3 4 6 9007199254740993
-- ours
SELECT `id`, `plan` AS `select`, age AS `my age` FROM `users` AS `the users` WHERE `the users`.`age` > 28
-- => 1 3 4
SELECT id, -- the key
 /* a comment
    of two lines */ name # the name: x
FROM users WHERE name = 'Ann' ;
-- => 1
SELECT u.id, NOW() AS at, CURDATE() AS today FROM users u WHERE u.id = 1
-- => 1
SELECT id FROM users WHERE UTC_DATE() = '2026-11-23' AND id = 1
-- => 1
SELECT id FROM users WHERE UTC_DATE = CURRENT_DATE() AND LOCALTIMESTAMP = NOW() AND UTC_TIMESTAMP() = LOCALTIME(3) AND id = 1
-- => 1
SELECT id FROM users WHERE IF(name = 'Ann', last_activity_at, created_at) < '2026-11-16'
-- => 3 4 6 9007199254740993
SELECT u.id FROM users u NATURAL JOIN (SELECT 1 AS id) x
-- => 1
SELECT u.id FROM users u RIGHT JOIN orders o ON o.user_id = u.id WHERE u.id IS NOT NULL
-- => 1 1 2 7 7
-- needs TiDB: RIGHT JOIN
SELECT id FROM users USE INDEX (PRIMARY) WHERE age > 28
-- => 1 3 4
SELECT id, CASE WHEN age > 28 THEN 'old' ELSE 'young' END AS kind FROM users WHERE age BETWEEN 20 AND 28
-- => 2 6 9007199254740993
SELECT id FROM users GROUP BY id WITH ROLLUP HAVING id IS NOT NULL
-- => 1 2 3 4 5 6 7 9007199254740993
-- needs TiDB: WITH ROLLUP
SELECT u.id FROM users u JOIN (users v JOIN orders o ON o.user_id = v.id) ON u.id = v.id
-- => 1 1 2 7 7
-- needs TiDB: A join in parentheses
