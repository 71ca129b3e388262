"""`kind: table`: rows that hold until they are replaced, in files."""
