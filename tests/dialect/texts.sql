Strings, names and comments.

--- colons are no binds
SELECT id FROM users WHERE starts = '12:30' AND note = ':as_of'
--- servers
SELECT id FROM users WHERE starts = '12\:30' AND note = '\:as_of'
--- sqlite
SELECT id FROM users WHERE starts = '12\:30' AND note = '\:as_of'

--- backslashes
SELECT id FROM users WHERE note = 'a\\b\'c\n' AND path LIKE 'C:\\\\%'
--- servers
SELECT id FROM users WHERE note = 'a\\b\'c\n' AND path LIKE 'C\:\\\\%'
--- sqlite
SELECT id FROM users WHERE note = 'a\b''c
' AND path LIKE 'C\:\\%' ESCAPE '\'

--- doubled quotes
SELECT id FROM users WHERE note = 'it''s' AND title = "say ""hi"""
--- servers
SELECT id FROM users WHERE note = 'it''s' AND title = "say ""hi"""
--- sqlite
SELECT id FROM users WHERE note = 'it''s' AND title = 'say "hi"'

--- LIKE with an escaped wildcard
SELECT id FROM users WHERE note LIKE '50\%%' AND note NOT LIKE '%|_%' ESCAPE '|'
--- servers
SELECT id FROM users WHERE note LIKE '50\%%' AND note NOT LIKE '%|_%' ESCAPE '|'
--- sqlite
SELECT id FROM users WHERE note LIKE '50\%%' ESCAPE '\' AND note NOT LIKE '%|_%' ESCAPE '|'

--- a comment that stands between two words alone
SELECT id/* the key */FROM users/* who
*/WHERE age > 3
--- servers
SELECT id FROM users
WHERE age > 3
--- sqlite
SELECT id FROM users WHERE age > 3

--- hexadecimal and binary values
SELECT id FROM users WHERE token = x'4142' AND flags = 0xff AND bits = b'101'
--- servers
SELECT id FROM users WHERE token = x'4142' AND flags = 0xff AND bits = b'101'
--- sqlite: A hexadecimal or binary value needs TiDB

--- percent signs
SELECT id FROM users WHERE note = '%s %(x)s 100%'
--- servers
SELECT id FROM users WHERE note = '%s %(x)s 100%'
--- sqlite
SELECT id FROM users WHERE note = '%s %(x)s 100%'

--- names in backticks
SELECT `id`, `plan:x` AS `a``b` FROM `users` WHERE `order` = 1
--- servers
SELECT `id`, `plan\:x` AS `a``b` FROM `users` WHERE `order` = 1
--- sqlite
SELECT `id`, `plan\:x` AS `a``b` FROM `users` WHERE `order` = 1

--- SQLite's own words as names
SELECT id, u.plan, action, query FROM users u WHERE transaction = 1
--- servers
SELECT id, u.plan, action, query FROM users u WHERE transaction = 1
--- sqlite
SELECT id, u.`plan`, `action`, `query` FROM users AS u WHERE `transaction` = 1

--- comments
SELECT id -- the key: :x
FROM users # who
WHERE /* ? */ age > 3 -- $2
--- servers
SELECT id  
FROM users  
WHERE   age > 3
--- sqlite
SELECT id FROM users WHERE age > 3

--- over several lines
SELECT id,
       'a
b' AS note
FROM users
;
--- servers
SELECT id,
       'a
b' AS note
FROM users
--- sqlite
SELECT id, 'a
b' AS note FROM users

--- names that look as our own stand-ins once did
SELECT id FROM users WHERE `s0` = 'x' AND s1 = 'y'
--- servers
SELECT id FROM users WHERE `s0` = 'x' AND s1 = 'y'
--- sqlite
SELECT id FROM users WHERE `s0` = 'x' AND s1 = 'y'
