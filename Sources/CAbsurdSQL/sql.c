#include "CAbsurdSQL.h"

// #embed is C23; the toolchain's clang has it in every mode and would warn that it does.
#pragma clang diagnostic ignored "-Wc23-extensions"

// One array and one row of the table for each file of sql/. A test compares this list with the folder.
static const unsigned char absurd_00_header[] = {
#embed "../../sql/absurd/00_header.sql"
};
static const unsigned char absurd_10_clock[] = {
#embed "../../sql/absurd/10_clock.sql"
};
static const unsigned char absurd_20_uuid[] = {
#embed "../../sql/absurd/20_uuid.sql"
};
static const unsigned char absurd_21_retry_delay[] = {
#embed "../../sql/absurd/21_retry_delay.sql"
};
static const unsigned char absurd_22_cancellation[] = {
#embed "../../sql/absurd/22_cancellation.sql"
};
static const unsigned char absurd_23_lock_runs[] = {
#embed "../../sql/absurd/23_lock_runs.sql"
};
static const unsigned char absurd_30_queue_names[] = {
#embed "../../sql/absurd/30_queue_names.sql"
};
static const unsigned char absurd_31_tables[] = {
#embed "../../sql/absurd/31_tables.sql"
};
static const unsigned char absurd_32_queues[] = {
#embed "../../sql/absurd/32_queues.sql"
};
static const unsigned char absurd_33_policy[] = {
#embed "../../sql/absurd/33_policy.sql"
};
static const unsigned char absurd_40_spawn[] = {
#embed "../../sql/absurd/40_spawn.sql"
};
static const unsigned char absurd_41_retry_task[] = {
#embed "../../sql/absurd/41_retry_task.sql"
};
static const unsigned char absurd_50_sweeps[] = {
#embed "../../sql/absurd/50_sweeps.sql"
};
static const unsigned char absurd_51_claim[] = {
#embed "../../sql/absurd/51_claim.sql"
};
static const unsigned char absurd_52_complete[] = {
#embed "../../sql/absurd/52_complete.sql"
};
static const unsigned char absurd_53_schedule[] = {
#embed "../../sql/absurd/53_schedule.sql"
};
static const unsigned char absurd_54_fail[] = {
#embed "../../sql/absurd/54_fail.sql"
};
static const unsigned char absurd_55_cancel[] = {
#embed "../../sql/absurd/55_cancel.sql"
};
static const unsigned char absurd_60_checkpoints[] = {
#embed "../../sql/absurd/60_checkpoints.sql"
};
static const unsigned char absurd_61_extend_claim[] = {
#embed "../../sql/absurd/61_extend_claim.sql"
};
static const unsigned char absurd_70_await_event[] = {
#embed "../../sql/absurd/70_await_event.sql"
};
static const unsigned char absurd_71_emit_event[] = {
#embed "../../sql/absurd/71_emit_event.sql"
};
static const unsigned char absurd_80_cleanup_tasks[] = {
#embed "../../sql/absurd/80_cleanup_tasks.sql"
};
static const unsigned char absurd_81_cleanup_events[] = {
#embed "../../sql/absurd/81_cleanup_events.sql"
};
static const unsigned char absurd_90_partitions[] = {
#embed "../../sql/absurd/90_partitions.sql"
};
static const unsigned char absurd_91_detach[] = {
#embed "../../sql/absurd/91_detach.sql"
};
static const unsigned char absurd_92_detach_jobs[] = {
#embed "../../sql/absurd/92_detach_jobs.sql"
};
static const unsigned char absurd_95_cron[] = {
#embed "../../sql/absurd/95_cron.sql"
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
static const unsigned char absurd_swift_21_claims[] = {
#embed "../../sql/absurd_swift/21_claims.sql"
};
static const unsigned char absurd_swift_25_workers[] = {
#embed "../../sql/absurd_swift/25_workers.sql"
};
static const unsigned char absurd_swift_26_beat[] = {
#embed "../../sql/absurd_swift/26_beat.sql"
};
static const unsigned char absurd_swift_30_claim[] = {
#embed "../../sql/absurd_swift/30_claim.sql"
};
static const unsigned char absurd_swift_31_sweeps[] = {
#embed "../../sql/absurd_swift/31_sweeps.sql"
};
static const unsigned char absurd_swift_32_load_checkpoints[] = {
#embed "../../sql/absurd_swift/32_load_checkpoints.sql"
};
static const unsigned char absurd_swift_33_fail_runs[] = {
#embed "../../sql/absurd_swift/33_fail_runs.sql"
};
static const unsigned char absurd_swift_34_cancel_tasks[] = {
#embed "../../sql/absurd_swift/34_cancel_tasks.sql"
};
static const unsigned char absurd_swift_35_wake_result_waits[] = {
#embed "../../sql/absurd_swift/35_wake_result_waits.sql"
};
static const unsigned char absurd_swift_36_lost_workers[] = {
#embed "../../sql/absurd_swift/36_lost_workers.sql"
};
static const unsigned char absurd_swift_37_strays[] = {
#embed "../../sql/absurd_swift/37_strays.sql"
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
static const unsigned char absurd_swift_45_finish_rest[] = {
#embed "../../sql/absurd_swift/45_finish_rest.sql"
};
static const unsigned char absurd_swift_46_complete[] = {
#embed "../../sql/absurd_swift/46_complete.sql"
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
static const unsigned char absurd_swift_62_lock_awaited_events[] = {
#embed "../../sql/absurd_swift/62_lock_awaited_events.sql"
};
static const unsigned char absurd_swift_65_await_task[] = {
#embed "../../sql/absurd_swift/65_await_task.sql"
};
static const unsigned char absurd_swift_66_await_task_rows[] = {
#embed "../../sql/absurd_swift/66_await_task_rows.sql"
};
static const unsigned char absurd_swift_67_look_at_tasks[] = {
#embed "../../sql/absurd_swift/67_look_at_tasks.sql"
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
static const unsigned char absurd_swift_73_spawn_rest[] = {
#embed "../../sql/absurd_swift/73_spawn_rest.sql"
};
static const unsigned char absurd_swift_74_spawn_one[] = {
#embed "../../sql/absurd_swift/74_spawn_one.sql"
};
static const unsigned char absurd_swift_75_cancel[] = {
#embed "../../sql/absurd_swift/75_cancel.sql"
};
static const unsigned char absurd_swift_75_spawn_new[] = {
#embed "../../sql/absurd_swift/75_spawn_new.sql"
};
static const unsigned char absurd_swift_76_emit[] = {
#embed "../../sql/absurd_swift/76_emit.sql"
};
static const unsigned char absurd_swift_77_wake_event_waits[] = {
#embed "../../sql/absurd_swift/77_wake_event_waits.sql"
};
static const unsigned char absurd_swift_78_spawn_and_claim[] = {
#embed "../../sql/absurd_swift/78_spawn_and_claim.sql"
};
static const unsigned char absurd_swift_79_emit_and_claim[] = {
#embed "../../sql/absurd_swift/79_emit_and_claim.sql"
};
static const unsigned char absurd_swift_80_missing_indexes[] = {
#embed "../../sql/absurd_swift/80_missing_indexes.sql"
};
static const unsigned char absurd_swift_85_wake_ups[] = {
#embed "../../sql/absurd_swift/85_wake_ups.sql"
};
static const unsigned char absurd_swift_86_arm[] = {
#embed "../../sql/absurd_swift/86_arm.sql"
};
static const unsigned char absurd_swift_87_result_listeners[] = {
#embed "../../sql/absurd_swift/87_result_listeners.sql"
};
static const unsigned char absurd_swift_88_planned[] = {
#embed "../../sql/absurd_swift/88_planned.sql"
};
static const unsigned char absurd_swift_89_make_missing[] = {
#embed "../../sql/absurd_swift/89_make_missing.sql"
};
static const unsigned char roles_roles[] = {
#embed "../../sql/roles/roles.sql"
};

#define FILE_ROW(path, array) {path, array, sizeof(array)}

static const struct absurd_sql_file files[] = {
    FILE_ROW("absurd/00_header.sql", absurd_00_header),
    FILE_ROW("absurd/10_clock.sql", absurd_10_clock),
    FILE_ROW("absurd/20_uuid.sql", absurd_20_uuid),
    FILE_ROW("absurd/21_retry_delay.sql", absurd_21_retry_delay),
    FILE_ROW("absurd/22_cancellation.sql", absurd_22_cancellation),
    FILE_ROW("absurd/23_lock_runs.sql", absurd_23_lock_runs),
    FILE_ROW("absurd/30_queue_names.sql", absurd_30_queue_names),
    FILE_ROW("absurd/31_tables.sql", absurd_31_tables),
    FILE_ROW("absurd/32_queues.sql", absurd_32_queues),
    FILE_ROW("absurd/33_policy.sql", absurd_33_policy),
    FILE_ROW("absurd/40_spawn.sql", absurd_40_spawn),
    FILE_ROW("absurd/41_retry_task.sql", absurd_41_retry_task),
    FILE_ROW("absurd/50_sweeps.sql", absurd_50_sweeps),
    FILE_ROW("absurd/51_claim.sql", absurd_51_claim),
    FILE_ROW("absurd/52_complete.sql", absurd_52_complete),
    FILE_ROW("absurd/53_schedule.sql", absurd_53_schedule),
    FILE_ROW("absurd/54_fail.sql", absurd_54_fail),
    FILE_ROW("absurd/55_cancel.sql", absurd_55_cancel),
    FILE_ROW("absurd/60_checkpoints.sql", absurd_60_checkpoints),
    FILE_ROW("absurd/61_extend_claim.sql", absurd_61_extend_claim),
    FILE_ROW("absurd/70_await_event.sql", absurd_70_await_event),
    FILE_ROW("absurd/71_emit_event.sql", absurd_71_emit_event),
    FILE_ROW("absurd/80_cleanup_tasks.sql", absurd_80_cleanup_tasks),
    FILE_ROW("absurd/81_cleanup_events.sql", absurd_81_cleanup_events),
    FILE_ROW("absurd/90_partitions.sql", absurd_90_partitions),
    FILE_ROW("absurd/91_detach.sql", absurd_91_detach),
    FILE_ROW("absurd/92_detach_jobs.sql", absurd_92_detach_jobs),
    FILE_ROW("absurd/95_cron.sql", absurd_95_cron),
    FILE_ROW("absurd_swift/00_header.sql", absurd_swift_00_header),
    FILE_ROW("absurd_swift/10_schema.sql", absurd_swift_10_schema),
    FILE_ROW("absurd_swift/20_rows.sql", absurd_swift_20_rows),
    FILE_ROW("absurd_swift/21_claims.sql", absurd_swift_21_claims),
    FILE_ROW("absurd_swift/25_workers.sql", absurd_swift_25_workers),
    FILE_ROW("absurd_swift/26_beat.sql", absurd_swift_26_beat),
    FILE_ROW("absurd_swift/30_claim.sql", absurd_swift_30_claim),
    FILE_ROW("absurd_swift/31_sweeps.sql", absurd_swift_31_sweeps),
    FILE_ROW("absurd_swift/32_load_checkpoints.sql", absurd_swift_32_load_checkpoints),
    FILE_ROW("absurd_swift/33_fail_runs.sql", absurd_swift_33_fail_runs),
    FILE_ROW("absurd_swift/34_cancel_tasks.sql", absurd_swift_34_cancel_tasks),
    FILE_ROW("absurd_swift/35_wake_result_waits.sql", absurd_swift_35_wake_result_waits),
    FILE_ROW("absurd_swift/36_lost_workers.sql", absurd_swift_36_lost_workers),
    FILE_ROW("absurd_swift/37_strays.sql", absurd_swift_37_strays),
    FILE_ROW("absurd_swift/40_finish.sql", absurd_swift_40_finish),
    FILE_ROW("absurd_swift/41_finish_rows.sql", absurd_swift_41_finish_rows),
    FILE_ROW("absurd_swift/42_finish_complete.sql", absurd_swift_42_finish_complete),
    FILE_ROW("absurd_swift/43_finish_fail.sql", absurd_swift_43_finish_fail),
    FILE_ROW("absurd_swift/44_finish_park.sql", absurd_swift_44_finish_park),
    FILE_ROW("absurd_swift/45_finish_rest.sql", absurd_swift_45_finish_rest),
    FILE_ROW("absurd_swift/46_complete.sql", absurd_swift_46_complete),
    FILE_ROW("absurd_swift/50_checkpoint.sql", absurd_swift_50_checkpoint),
    FILE_ROW("absurd_swift/51_checkpoint_rows.sql", absurd_swift_51_checkpoint_rows),
    FILE_ROW("absurd_swift/55_renew.sql", absurd_swift_55_renew),
    FILE_ROW("absurd_swift/60_await_event.sql", absurd_swift_60_await_event),
    FILE_ROW("absurd_swift/61_await_event_rows.sql", absurd_swift_61_await_event_rows),
    FILE_ROW("absurd_swift/62_lock_awaited_events.sql", absurd_swift_62_lock_awaited_events),
    FILE_ROW("absurd_swift/65_await_task.sql", absurd_swift_65_await_task),
    FILE_ROW("absurd_swift/66_await_task_rows.sql", absurd_swift_66_await_task_rows),
    FILE_ROW("absurd_swift/67_look_at_tasks.sql", absurd_swift_67_look_at_tasks),
    FILE_ROW("absurd_swift/70_spawn.sql", absurd_swift_70_spawn),
    FILE_ROW("absurd_swift/71_spawn_row.sql", absurd_swift_71_spawn_row),
    FILE_ROW("absurd_swift/72_spawn_rows.sql", absurd_swift_72_spawn_rows),
    FILE_ROW("absurd_swift/73_spawn_rest.sql", absurd_swift_73_spawn_rest),
    FILE_ROW("absurd_swift/74_spawn_one.sql", absurd_swift_74_spawn_one),
    FILE_ROW("absurd_swift/75_cancel.sql", absurd_swift_75_cancel),
    FILE_ROW("absurd_swift/75_spawn_new.sql", absurd_swift_75_spawn_new),
    FILE_ROW("absurd_swift/76_emit.sql", absurd_swift_76_emit),
    FILE_ROW("absurd_swift/77_wake_event_waits.sql", absurd_swift_77_wake_event_waits),
    FILE_ROW("absurd_swift/78_spawn_and_claim.sql", absurd_swift_78_spawn_and_claim),
    FILE_ROW("absurd_swift/79_emit_and_claim.sql", absurd_swift_79_emit_and_claim),
    FILE_ROW("absurd_swift/80_missing_indexes.sql", absurd_swift_80_missing_indexes),
    FILE_ROW("absurd_swift/85_wake_ups.sql", absurd_swift_85_wake_ups),
    FILE_ROW("absurd_swift/86_arm.sql", absurd_swift_86_arm),
    FILE_ROW("absurd_swift/87_result_listeners.sql", absurd_swift_87_result_listeners),
    FILE_ROW("absurd_swift/88_planned.sql", absurd_swift_88_planned),
    FILE_ROW("absurd_swift/89_make_missing.sql", absurd_swift_89_make_missing),
    FILE_ROW("roles/roles.sql", roles_roles),
};

const struct absurd_sql_file *absurd_sql_files(size_t *count) {
    *count = sizeof(files) / sizeof(files[0]);
    return files;
}
