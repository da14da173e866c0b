-- osTicket: a user's address is in a table of its own.
CREATE TABLE ost_user (
  id int(10) unsigned NOT NULL auto_increment,
  org_id int(10) unsigned NOT NULL,
  default_email_id int(10) NOT NULL,
  status int(11) unsigned NOT NULL default '0',
  name varchar(128) NOT NULL,
  created datetime NOT NULL,
  updated datetime NOT NULL,
  PRIMARY KEY  (id)
);

CREATE TABLE ost_user_email (
  id int(10) unsigned NOT NULL auto_increment,
  user_id int(10) unsigned NOT NULL,
  flags int(10) unsigned NOT NULL DEFAULT 0,
  address varchar(255) NOT NULL,
  PRIMARY KEY  (id),
  UNIQUE KEY address (address),
  KEY user_email_lookup (user_id)
);

CREATE TABLE ost_staff (
  staff_id int(11) unsigned NOT NULL auto_increment,
  username varchar(32) NOT NULL default '',
  firstname varchar(32) default NULL,
  passwd varchar(128) default NULL,
  email varchar(255) default NULL,
  lastlogin datetime default NULL,
  created datetime NOT NULL,
  PRIMARY KEY  (staff_id)
);

CREATE TABLE ost_ticket (
  ticket_id int(11) unsigned NOT NULL auto_increment,
  user_id int(11) unsigned NOT NULL default '0',
  created datetime NOT NULL,
  PRIMARY KEY  (ticket_id)
);
