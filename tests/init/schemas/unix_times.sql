-- A product of our own: seconds and milliseconds since 1970, 0 for never, activity in another table, usage events.
CREATE TABLE `user` (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  mail varchar(255) NOT NULL DEFAULT '',
  nickname varchar(64),
  pwd_hash char(60) NOT NULL,
  created int unsigned NOT NULL,
  deleted_at int unsigned NOT NULL DEFAULT 0,
  lang varchar(8),
  UNIQUE KEY user_mail (mail)
);

CREATE TABLE user_presence (
  user_id int unsigned NOT NULL PRIMARY KEY,
  last_seen_ms bigint NOT NULL DEFAULT 0,
  CONSTRAINT user_presence_user FOREIGN KEY (user_id) REFERENCES `user` (id)
);

CREATE TABLE usage_events (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id int unsigned NOT NULL,
  action varchar(64) NOT NULL,
  at datetime(6) NOT NULL
);

CREATE TABLE newsletter_signups (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email varchar(255) NOT NULL,
  created datetime NOT NULL
);
