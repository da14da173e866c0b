-- Ghost: `users` are the staff, `members` the readers.
CREATE TABLE users (
  id varchar(24) NOT NULL PRIMARY KEY,
  name varchar(191) NOT NULL,
  slug varchar(191) NOT NULL UNIQUE,
  password varchar(60) NOT NULL,
  email varchar(191) NOT NULL UNIQUE,
  status varchar(50) NOT NULL DEFAULT 'active',
  last_seen datetime,
  created_at datetime NOT NULL,
  updated_at datetime
);

CREATE TABLE members (
  id varchar(24) NOT NULL PRIMARY KEY,
  uuid varchar(36) NOT NULL UNIQUE,
  email varchar(191) NOT NULL UNIQUE,
  status varchar(50) NOT NULL DEFAULT 'free',
  name varchar(191),
  last_seen_at datetime,
  created_at datetime NOT NULL,
  updated_at datetime
);

CREATE TABLE posts (id varchar(24) NOT NULL PRIMARY KEY, title varchar(2000) NOT NULL, created_at datetime NOT NULL);

CREATE TABLE posts_authors (id varchar(24) NOT NULL PRIMARY KEY, post_id varchar(24) NOT NULL, author_id varchar(24) NOT NULL);

CREATE TABLE members_login_events (
  id varchar(24) NOT NULL PRIMARY KEY,
  member_id varchar(24) NOT NULL,
  created_at datetime NOT NULL
);
