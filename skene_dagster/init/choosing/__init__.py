"""Which table has the users, which columns say what, and how sure that is: pure functions over a Schema."""
