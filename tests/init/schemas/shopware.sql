-- Shopware: `user` are the administrators, `customer` the people.
CREATE TABLE `user` (
  `id` binary(16) NOT NULL PRIMARY KEY,
  `username` varchar(255) NOT NULL UNIQUE,
  `password` varchar(1024) NOT NULL,
  `first_name` varchar(255) NOT NULL,
  `last_name` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL UNIQUE,
  `active` tinyint(1) NOT NULL DEFAULT 0,
  `created_at` datetime(3) NOT NULL,
  `updated_at` datetime(3)
);

CREATE TABLE `customer` (
  `id` binary(16) NOT NULL PRIMARY KEY,
  `customer_number` varchar(255) NOT NULL,
  `first_name` varchar(255) NOT NULL,
  `last_name` varchar(255) NOT NULL,
  `password` varchar(1024),
  `email` varchar(254) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `guest` tinyint(1) NOT NULL DEFAULT 0,
  `first_login` datetime(3),
  `last_login` datetime(3),
  `created_at` datetime(3) NOT NULL,
  `updated_at` datetime(3)
);

CREATE TABLE `order` (`id` binary(16) NOT NULL PRIMARY KEY, `order_date` date NOT NULL);

CREATE TABLE `order_customer` (
  `id` binary(16) NOT NULL PRIMARY KEY,
  `customer_id` binary(16),
  `order_id` binary(16) NOT NULL,
  `email` varchar(254) NOT NULL
);
