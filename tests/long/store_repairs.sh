# Flipped bits, zeroed pages and stretches, files cut short or gone: what was not hit comes back, and what does not is
# listed. FN_REPAIRS to change how many stores are damaged.
FN_REPAIR_ROUNDS=${FN_REPAIRS:-3000} "$FN_BIN/test_repair"
