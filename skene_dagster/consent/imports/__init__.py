"""Lists of people who may not be mailed, as the products that others mailed them with export them."""
