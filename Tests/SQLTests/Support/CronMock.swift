import LibPQ

extension Session {
    /// The parts of pg_cron that the schema uses, without anything that runs the jobs.
    func installCronMock() async throws {
        try await connection.execute(
            script: """
                create schema cron;
                create table cron.job (
                  jobid bigint generated always as identity primary key,
                  jobname text, schedule text not null, command text not null
                );
                create function cron.schedule(name text, at text, what text) returns bigint language sql
                  as 'insert into cron.job (jobname, schedule, command) values (name, at, what) returning jobid';
                create function cron.unschedule(id bigint) returns boolean language sql
                  as 'with gone as (delete from cron.job where jobid = id returning 1) select exists (select from gone)';
                """)
    }
}
