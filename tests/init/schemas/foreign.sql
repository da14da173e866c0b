-- The case `foreign-schema`: an int key, events that name users by a text, the plan in another table.
CREATE TABLE auth_user (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  password varchar(128) NOT NULL,
  last_login datetime(6),
  first_name varchar(150) NOT NULL DEFAULT '',
  email varchar(254) NOT NULL DEFAULT '',
  is_active tinyint(1) NOT NULL,
  date_joined datetime(6) NOT NULL
);

CREATE TABLE accounts (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  owner_id int NOT NULL,
  plan varchar(32) NOT NULL,
  CONSTRAINT accounts_owner FOREIGN KEY (owner_id) REFERENCES auth_user (id)
);

CREATE TABLE analytics_event (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  occurred_at datetime(6) NOT NULL,
  distinct_id varchar(64) NOT NULL,
  event varchar(255) NOT NULL,
  properties json
);
