"""What may be wrong with the data: findings row by row and over the whole set, and which rows they are about."""
