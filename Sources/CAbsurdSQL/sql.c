#include "CAbsurdSQL.h"

// #embed is C23; the toolchain's clang has it in every mode and would warn that it does.
#pragma clang diagnostic ignored "-Wc23-extensions"

// One array and one row of the table for each file of sql/. A test compares this list with the folder.
static const unsigned char absurd_00_header[] = {
#embed "../../sql/absurd/00_header.sql"
};
static const unsigned char absurd_swift_00_header[] = {
#embed "../../sql/absurd_swift/00_header.sql"
};

#define FILE_ROW(path, array) {path, array, sizeof(array)}

static const struct absurd_sql_file files[] = {
    FILE_ROW("absurd/00_header.sql", absurd_00_header),
    FILE_ROW("absurd_swift/00_header.sql", absurd_swift_00_header),
};

const struct absurd_sql_file *absurd_sql_files(size_t *count) {
    *count = sizeof(files) / sizeof(files[0]);
    return files;
}
