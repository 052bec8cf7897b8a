#pragma once

#include <stddef.h>

/// One file below `sql/`, embedded at build time. `name` is its path below `sql/`; `text` is UTF-8 and not
/// terminated by a zero byte.
struct absurd_sql_file {
    const char *name;
    const unsigned char *text;
    size_t length;
};

/// The files in the order in which they are to be applied, schema `absurd` before `absurd_swift`, then what is
/// applied only when asked for.
const struct absurd_sql_file *absurd_sql_files(size_t *count);
