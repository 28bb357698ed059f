# Flipped bits (half of them in tree pages, index and manifest) and missing ends, in a small store: every one is
# reported by verify or on opening, none crashes. FN_FLIPS, FN_CUTS to change how many.
FN_DAMAGE_FLIPS=${FN_FLIPS:-10000} FN_DAMAGE_CUTS=${FN_CUTS:-1000} "$FN_BIN/test_damage"
