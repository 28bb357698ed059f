# A store's making killed again and again, at random rows and while it is sealed: always the same bytes.
# FN_ROUNDS to change how many stores are made so (about ten kills each).
FN_SEAL_ROUNDS=${FN_ROUNDS:-100} "$FN_BIN/test_seal"
