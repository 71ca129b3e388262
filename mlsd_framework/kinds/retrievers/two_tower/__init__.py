"""`kind: two_tower`: a tower of users and a tower of items, whose vectors are near where one takes the other."""
