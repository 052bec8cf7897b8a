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
static const unsigned char absurd_swift_10_schema[] = {
#embed "../../sql/absurd_swift/10_schema.sql"
};
static const unsigned char absurd_swift_20_rows[] = {
#embed "../../sql/absurd_swift/20_rows.sql"
};
static const unsigned char absurd_swift_30_claim[] = {
#embed "../../sql/absurd_swift/30_claim.sql"
};
static const unsigned char absurd_swift_31_claim_due[] = {
#embed "../../sql/absurd_swift/31_claim_due.sql"
};
static const unsigned char absurd_swift_32_sweeps[] = {
#embed "../../sql/absurd_swift/32_sweeps.sql"
};
static const unsigned char absurd_swift_33_load_checkpoints[] = {
#embed "../../sql/absurd_swift/33_load_checkpoints.sql"
};
static const unsigned char absurd_swift_34_fail_runs[] = {
#embed "../../sql/absurd_swift/34_fail_runs.sql"
};
static const unsigned char absurd_swift_35_cancel_tasks[] = {
#embed "../../sql/absurd_swift/35_cancel_tasks.sql"
};
static const unsigned char absurd_swift_36_wake_result_waits[] = {
#embed "../../sql/absurd_swift/36_wake_result_waits.sql"
};
static const unsigned char absurd_swift_40_finish[] = {
#embed "../../sql/absurd_swift/40_finish.sql"
};
static const unsigned char absurd_swift_41_finish_rows[] = {
#embed "../../sql/absurd_swift/41_finish_rows.sql"
};
static const unsigned char absurd_swift_42_finish_complete[] = {
#embed "../../sql/absurd_swift/42_finish_complete.sql"
};
static const unsigned char absurd_swift_43_finish_fail[] = {
#embed "../../sql/absurd_swift/43_finish_fail.sql"
};
static const unsigned char absurd_swift_44_finish_park[] = {
#embed "../../sql/absurd_swift/44_finish_park.sql"
};
static const unsigned char absurd_swift_50_checkpoint[] = {
#embed "../../sql/absurd_swift/50_checkpoint.sql"
};
static const unsigned char absurd_swift_51_checkpoint_rows[] = {
#embed "../../sql/absurd_swift/51_checkpoint_rows.sql"
};
static const unsigned char absurd_swift_55_renew[] = {
#embed "../../sql/absurd_swift/55_renew.sql"
};
static const unsigned char absurd_swift_60_await_event[] = {
#embed "../../sql/absurd_swift/60_await_event.sql"
};
static const unsigned char absurd_swift_61_await_event_rows[] = {
#embed "../../sql/absurd_swift/61_await_event_rows.sql"
};
static const unsigned char absurd_swift_65_await_task[] = {
#embed "../../sql/absurd_swift/65_await_task.sql"
};
static const unsigned char absurd_swift_66_await_task_rows[] = {
#embed "../../sql/absurd_swift/66_await_task_rows.sql"
};
static const unsigned char absurd_swift_70_spawn[] = {
#embed "../../sql/absurd_swift/70_spawn.sql"
};
static const unsigned char absurd_swift_71_spawn_row[] = {
#embed "../../sql/absurd_swift/71_spawn_row.sql"
};
static const unsigned char absurd_swift_72_spawn_rows[] = {
#embed "../../sql/absurd_swift/72_spawn_rows.sql"
};
static const unsigned char absurd_swift_75_cancel[] = {
#embed "../../sql/absurd_swift/75_cancel.sql"
};
static const unsigned char absurd_swift_80_missing_indexes[] = {
#embed "../../sql/absurd_swift/80_missing_indexes.sql"
};

#define FILE_ROW(path, array) {path, array, sizeof(array)}

static const struct absurd_sql_file files[] = {
    FILE_ROW("absurd/00_header.sql", absurd_00_header),
    FILE_ROW("absurd_swift/00_header.sql", absurd_swift_00_header),
    FILE_ROW("absurd_swift/10_schema.sql", absurd_swift_10_schema),
    FILE_ROW("absurd_swift/20_rows.sql", absurd_swift_20_rows),
    FILE_ROW("absurd_swift/30_claim.sql", absurd_swift_30_claim),
    FILE_ROW("absurd_swift/31_claim_due.sql", absurd_swift_31_claim_due),
    FILE_ROW("absurd_swift/32_sweeps.sql", absurd_swift_32_sweeps),
    FILE_ROW("absurd_swift/33_load_checkpoints.sql", absurd_swift_33_load_checkpoints),
    FILE_ROW("absurd_swift/34_fail_runs.sql", absurd_swift_34_fail_runs),
    FILE_ROW("absurd_swift/35_cancel_tasks.sql", absurd_swift_35_cancel_tasks),
    FILE_ROW("absurd_swift/36_wake_result_waits.sql", absurd_swift_36_wake_result_waits),
    FILE_ROW("absurd_swift/40_finish.sql", absurd_swift_40_finish),
    FILE_ROW("absurd_swift/41_finish_rows.sql", absurd_swift_41_finish_rows),
    FILE_ROW("absurd_swift/42_finish_complete.sql", absurd_swift_42_finish_complete),
    FILE_ROW("absurd_swift/43_finish_fail.sql", absurd_swift_43_finish_fail),
    FILE_ROW("absurd_swift/44_finish_park.sql", absurd_swift_44_finish_park),
    FILE_ROW("absurd_swift/50_checkpoint.sql", absurd_swift_50_checkpoint),
    FILE_ROW("absurd_swift/51_checkpoint_rows.sql", absurd_swift_51_checkpoint_rows),
    FILE_ROW("absurd_swift/55_renew.sql", absurd_swift_55_renew),
    FILE_ROW("absurd_swift/60_await_event.sql", absurd_swift_60_await_event),
    FILE_ROW("absurd_swift/61_await_event_rows.sql", absurd_swift_61_await_event_rows),
    FILE_ROW("absurd_swift/65_await_task.sql", absurd_swift_65_await_task),
    FILE_ROW("absurd_swift/66_await_task_rows.sql", absurd_swift_66_await_task_rows),
    FILE_ROW("absurd_swift/70_spawn.sql", absurd_swift_70_spawn),
    FILE_ROW("absurd_swift/71_spawn_row.sql", absurd_swift_71_spawn_row),
    FILE_ROW("absurd_swift/72_spawn_rows.sql", absurd_swift_72_spawn_rows),
    FILE_ROW("absurd_swift/75_cancel.sql", absurd_swift_75_cancel),
    FILE_ROW("absurd_swift/80_missing_indexes.sql", absurd_swift_80_missing_indexes),
};

const struct absurd_sql_file *absurd_sql_files(size_t *count) {
    *count = sizeof(files) / sizeof(files[0]);
    return files;
}
