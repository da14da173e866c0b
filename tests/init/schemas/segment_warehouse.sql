-- What Segment and RudderStack write into a warehouse, copied beside a product's own users.
CREATE TABLE users (
  id varchar(36) NOT NULL PRIMARY KEY,
  email varchar(255) NOT NULL UNIQUE,
  full_name varchar(255),
  time_zone varchar(64),
  plan varchar(32),
  created_at datetime(6) NOT NULL,
  last_seen_at bigint
);

CREATE TABLE tracks (
  id varchar(255) NOT NULL PRIMARY KEY,
  anonymous_id varchar(255),
  user_id varchar(36),
  event varchar(255),
  event_text varchar(255),
  context_ip varchar(64),
  original_timestamp datetime(6),
  sent_at datetime(6),
  `timestamp` datetime(6),
  received_at datetime(6),
  uuid_ts datetime(6)
);

CREATE TABLE identifies (
  id varchar(255) NOT NULL PRIMARY KEY,
  user_id varchar(36),
  email varchar(255),
  `timestamp` datetime(6),
  received_at datetime(6)
);

CREATE TABLE pages (
  id varchar(255) NOT NULL PRIMARY KEY,
  user_id varchar(36),
  name varchar(255),
  `timestamp` datetime(6),
  received_at datetime(6)
);
