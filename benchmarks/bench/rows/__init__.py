"""All rows, in the order of the targets table."""
from bench.rows import creates, fanout, joins, posts, resumes

ROWS = (*fanout.ROWS, *joins.ROWS, *posts.ROWS, *creates.ROWS, *resumes.ROWS)
