/* SPDX-License-Identifier: MIT */
/* Rows of a face TSV: columns, layouts, names. One picture a line, TAB between columns, no header,
 * no quoting; lines end in LF or CR LF. Pure functions over bytes, any thread; nothing of a row is
 * trusted. */
#ifndef FN_INGEST_TSV_H
#define FN_INGEST_TSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest row taken, line end included: six times the longest picture that such files hold. */
#define FN_TSV_ROW_MAX ((size_t)64 << 20)
#define FN_TSV_COLUMNS_MAX 7

/* Columns of one kind of file, counted from 0. */
struct fn_tsv_layout {
    const char *name;
    int columns;
    int mid, rank;
    int face_id;           /* -1: there is none, the record's name is the rank alone */
    int rectangle;         /* base64 of 4 float32, or -1 */
    int image;             /* base64 of a JPEG or PNG */
    const char *described; /* the columns in words, as printed */
};
/* "aligned7", "full6"; NULL for another name. */
const struct fn_tsv_layout *fn_tsv_layout_named(const char *name);

/* Decide the layout by what stands in the first rows: among the first 100 that are not blank, which
 * layout fits most (ties and none: FN_EFORMAT with a sentence that says what the rows are instead).
 * head: the first bytes of the input; whole: there are no more. `where` names the input. */
int fn_tsv_detect(const uint8_t *head, size_t bytes, int whole, const char *where,
                  const struct fn_tsv_layout **layout);
/* Could a file that begins like this hold rows at all: has one of the first 100 lines that are not
 * blank as many columns as a layout? 1 or 0. To find the TSV among the files of an archive. */
int fn_tsv_likely(const uint8_t *head, size_t bytes);
/* For a layout that was asked for: is this text in lines at all? FN_OK or FN_EFORMAT as above. */
int fn_tsv_plausible(const uint8_t *head, size_t bytes, const char *where);

struct fn_span {
    const uint8_t *at;
    size_t bytes;
};
/* The row without its line end (LF, CR LF); a row of 0 bytes after that is blank. */
struct fn_span fn_tsv_trim(const uint8_t *row, size_t bytes);
/* Fill at most FN_TSV_COLUMNS_MAX columns and return how many there are, at least 1, also when
 * more. */
size_t fn_tsv_split(struct fn_span row, struct fn_span *columns);

/* The class and record name of a row with the right number of columns: MID, and `<rank>-<FaceID>`
 * or
 * `<rank>` with every '/' replaced by '_'. class_name points into the row, `name` has room for
 * FN_NAME_MAX bytes (not terminated). FN_EFORMAT with a sentence: empty or unusable. */
int fn_tsv_names(const struct fn_tsv_layout *layout, const struct fn_span *columns,
                 struct fn_span *class_name, char *name, size_t *name_bytes);

#ifdef __cplusplus
}
#endif
#endif
