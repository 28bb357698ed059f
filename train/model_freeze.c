/* SPDX-License-Identifier: MIT */
/* Which parameters are trained: by their names, with a regular expression. */
#include <regex.h>

#include "train/exec_parts.h"

static int compile(regex_t *regex, const char *pattern)
{
    char why[128];
    int bad = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (!bad)
        return FN_OK;
    regerror(bad, regex, why, sizeof why);
    return fn_fail(FN_EUSAGE, "--trainable %s: no regular expression: %s", pattern, why);
}

/* Of the moving statistics, those whose batch norm has a frozen beta. */
static void freeze_statistics(struct fn_model *m)
{
    for (size_t i = 0; i < m->net->node_count; i++) {
        const struct fn_node *node = &m->net->nodes[i];
        if (node->moving >= 0)
            m->frozen[node->moving] = m->frozen[node->moving + 1] = m->frozen[node->bias];
    }
}

int fn_model_freeze(struct fn_model *m, const char *pattern)
{
    const struct fn_net *net = m->net;
    size_t elements;
    regex_t regex;
    int rc = compile(&regex, pattern);
    if (rc)
        return rc;
    for (size_t i = 0; i < net->trained_count; i++)
        m->frozen[i] = regexec(&regex, net->params[i].name, 0, NULL, 0) != 0;
    regfree(&regex);
    if (!fn_model_trainable(m, &elements))
        return fn_fail(FN_EUSAGE,
                       "--trainable %s: no parameter has such a name; they are %s, %s, ... %s",
                       pattern, net->params[0].name, net->params[1].name,
                       net->params[net->trained_count - 1].name);
    freeze_statistics(m);
    return FN_OK;
}

size_t fn_model_trainable(const struct fn_model *m, size_t *elements)
{
    size_t tensors = 0;
    *elements = 0;
    for (size_t i = 0; i < m->net->trained_count; i++)
        if (!m->frozen[i]) {
            tensors++;
            *elements += m->net->params[i].count;
        }
    return tensors;
}
