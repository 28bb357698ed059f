/* SPDX-License-Identifier: MIT */
/* Faces on disk: class-folder trees, bounding boxes, and the one function that turns a picture's
 * bytes into the face a network sees. Ingest, evaluation and embedding all call it, so that
 * validation cannot disagree with deployment. */
#ifndef FN_BASE_FACES_H
#define FN_BASE_FACES_H

#include <stddef.h>
#include <stdint.h>

#include "base/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a picture's ending (.jpg, .jpeg or .png, any case, with its dot) at the end of `name`,
 * of `bytes` bytes; 0 if it has none, or is nothing else. */
size_t fn_picture_ending(const char *name, size_t bytes);

/* <root>/<class>/<name>.<ending>: classes sorted by bytes, pictures inside a class too. Hidden
 * entries and files that do not end in .jpg, .jpeg or .png (any case) are left out and counted;
 * links are followed; a folder deeper than the class, a file beside the classes and a dead link are
 * left out and counted. A tree without classes opens, with counts of 0. */
struct fn_tree_file {
    uint32_t class_index;
    const char *path; /* "class/name.jpg", relative to the root; owned by the tree */
};
struct fn_tree {
    char *root;
    char **classes; /* folder names; an empty folder is a class too */
    size_t class_count;
    struct fn_tree_file *files; /* in class order, then by name */
    size_t file_count;
    size_t left_out;
    const char *left; /* one of these, relative to the root; NULL: there is none */
    size_t loose;     /* of these, pictures in the root itself */
};
int fn_tree_open(struct fn_tree **tree, const char *root);
void fn_tree_close(struct fn_tree **tree);

/* The aligner's file: "path x1 y1 x2 y2" a line, half-open source pixels; a path alone: no face was
 * found there. Blanks separate (a path may hold some), empty lines are skipped. Looked up by
 * "class/name" (the last two parts of the path) without its ending .jpg, .jpeg or .png, any case.
 * A line that is neither, an empty box, or a second and different box for a picture is FN_EFORMAT
 * with a sentence that begins with file and line. */
struct fn_box {
    int x1, y1, x2, y2;
};
struct fn_boxes;
int fn_boxes_open(struct fn_boxes **boxes, const char *path);
void fn_boxes_close(struct fn_boxes **boxes);
size_t fn_boxes_count(const struct fn_boxes *boxes);
enum fn_box_found { FN_BOX_UNKNOWN = 0, FN_BOX_NO_FACE, FN_BOX_FOUND };
/* path: "class/name.jpg"; its ending is ignored. Any thread. */
enum fn_box_found fn_boxes_find(const struct fn_boxes *boxes, const char *path, struct fn_box *box);

/* bytes -> decode -> crop to *box (NULL: whole) -> resize to size x size (0: keep) -> out.
 * scratch holds a picture between calls (zeroed before the first, freed by the caller); it and out
 * may exchange their buffers.
 * Codes as fn_image_decode's; FN_EMISMATCH: the box does not lie inside the picture, or is empty.
 */
struct fn_face_scratch {
    struct fn_image decoded;
    int warnings; /* of the decoder, on the last picture: what was wrong and taken all the same */
};
int fn_face_prepare(struct fn_codec *codec, const uint8_t *data, size_t bytes,
                    const struct fn_box *box, int size, struct fn_face_scratch *scratch,
                    struct fn_image *out);
void fn_face_scratch_free(struct fn_face_scratch *scratch);

#ifdef __cplusplus
}
#endif
#endif
