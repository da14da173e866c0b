The closed list of clock functions.

--- NOW with digits
SELECT id FROM users WHERE seen_at < NOW(6)
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6))
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < :as_of

--- without parentheses
SELECT id FROM users WHERE seen_at < CURRENT_TIMESTAMP OR seen_at < LOCALTIME OR seen_at < LOCALTIMESTAMP
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) OR seen_at < CAST(:as_of AS DATETIME(6)) OR seen_at < CAST(:as_of AS DATETIME(6))
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < :as_of OR skene_moment(seen_at) < :as_of OR skene_moment(seen_at) < :as_of

--- UTC
SELECT id FROM users WHERE seen_at < UTC_TIMESTAMP() AND DATE(seen_at) = UTC_DATE()
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of AS DATETIME(6)) AND DATE(seen_at) = DATE(CAST(:as_of AS DATETIME(6)))
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < :as_of AND skene_moment(skene_date(seen_at)) = skene_moment(skene_date(:as_of))

--- the date in the trigger's zone
SELECT id FROM users WHERE seen_at < CURDATE() AND birthday <> CURRENT_DATE
--- servers
SELECT id FROM users WHERE seen_at < CAST(:as_of_date AS DATE) AND birthday <> CAST(:as_of_date AS DATE)
--- sqlite
SELECT id FROM users WHERE skene_moment(seen_at) < skene_moment(:as_of_date) AND skene_moment(birthday) <> skene_moment(:as_of_date)

--- a column called now
SELECT id, u.now, current_date_ FROM users u WHERE u.current_date < 3
--- servers
SELECT id, u.now, current_date_ FROM users u WHERE u.current_date < 3
--- sqlite
SELECT id, u.now, current_date_ FROM users AS u WHERE u.`current_date` < 3

--- the time since 1970
SELECT id FROM users WHERE UNIX_TIMESTAMP(seen_at) < UNIX_TIMESTAMP(NOW()) - 60
--- servers
SELECT id FROM users WHERE UNIX_TIMESTAMP(seen_at) < UNIX_TIMESTAMP(CAST(:as_of AS DATETIME(6))) - 60
--- sqlite
SELECT id FROM users WHERE skene_unix_timestamp(seen_at) < skene_unix_timestamp(:as_of) - 60

--- the row that triggered
SELECT * FROM user_actions WHERE user_id = $1 AND action_type = 'first_project_created'
--- servers
SELECT * FROM skene_trigger CROSS JOIN user_actions WHERE user_id = skene_trigger.skene_row_key AND action_type = 'first_project_created'
--- sqlite
SELECT * FROM skene_trigger CROSS JOIN user_actions WHERE user_id = skene_trigger.skene_row_key AND action_type = 'first_project_created'

--- the seconds since 1970
SELECT id FROM users WHERE UNIX_TIMESTAMP() - UNIX_TIMESTAMP(seen_at) > 3600
--- servers
SELECT id FROM users WHERE FLOOR(UNIX_TIMESTAMP(CAST(:as_of AS DATETIME(6)))) - UNIX_TIMESTAMP(seen_at) > 3600
--- sqlite
SELECT id FROM users WHERE skene_floor(skene_unix_timestamp(:as_of)) - skene_unix_timestamp(seen_at) > 3600

--- the time of day
SELECT id FROM users WHERE TIME(seen_at) < CURTIME() OR TIME(seen_at) < UTC_TIME
--- servers
SELECT id FROM users WHERE TIME(seen_at) < TIME(CAST(:as_of AS DATETIME(6))) OR TIME(seen_at) < TIME(CAST(:as_of AS DATETIME(6)))
--- sqlite: TIME() needs TiDB

--- columns that are called like functions of the clock
SELECT id FROM users WHERE now < 3 AND unix_timestamp < 5
--- servers
SELECT id FROM users WHERE now < 3 AND unix_timestamp < 5
--- sqlite
SELECT id FROM users WHERE now < 3 AND unix_timestamp < 5

--- a column that is called as our bind is
SELECT id FROM users WHERE n > as_of - 7
--- servers
SELECT id FROM users WHERE n > as_of - 7
--- sqlite
SELECT id FROM users WHERE n > as_of - 7
