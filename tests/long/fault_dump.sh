# fn-dump where each call in turn fails, every kind of it, and each piece of memory that it asks for.
. "$FN_SOURCE/tests/fault/dump.sh"
