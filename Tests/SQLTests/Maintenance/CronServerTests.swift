import EphemeralPostgres
import LibPQ
import TestSupport
import Testing

/// With pg_cron itself, which has to be loaded when the server starts.
@Suite(.timeLimit(.minutes(2)))
struct CronServerTests {
    @Test func `pg_cron takes the jobs, and their commands do what they say`() async throws {
        var options = EphemeralPostgres.Options()
        options.configuration = ["shared_preload_libraries = 'pg_cron'", "cron.database_name = 'postgres'"]
        do {
            try await EphemeralPostgres.withServer(options) { server in
                try await maintainByCron(server)
            }
        } catch let error as EphemeralPostgresError where error.code == .serverFailed {
            try Test.cancel("needs pg_cron, for example Debian's postgresql-15-cron: \(error)")
        } catch let error as EphemeralPostgresError where error.code == .binariesMissing {
            try Test.cancel("\(error)")
        }
    }

    private func maintainByCron(_ server: EphemeralPostgres) async throws {
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: server.connectionString), logger: .quiet)
        try await connection.execute(script: "create extension pg_cron")
        for file in try SQLFiles.all(in: "absurd") { try await connection.execute(script: file) }
        let session = try await Session(on: connection)
        try await session.run("select absurd.create_queue('jobs', 'partitioned')")
        try await session.run(
            #"select absurd.set_queue_policy('jobs', '{"detach_mode":"empty","default_partition":"disabled"}')"#
        )
        #expect(try await session.rows("select job_name from absurd.enable_cron('jobs')").count == 3)
        #expect(try await session.value("select count(*) from cron.job") == "3")

        // The queue's weeks are of its clock, so all of them are old by now.
        try await session.setClock("2024-06-15 00:00:00+00")
        for command in try await session.commands("absurd\\_detach\\_plan%") {
            try await connection.execute(script: command)
        }
        #expect(try await session.value("select count(*) from cron.job") == "11")
        for command in try await session.commands("absurd\\_detach\\_run%") {
            try await connection.execute(script: command)
        }
        for command in try await session.commands("absurd\\_drop\\_run%") {
            try await connection.execute(script: command)
        }
        #expect(try await session.value("select to_regclass('absurd.c_jobs_413')") == nil)
        #expect(try await session.value("select count(*) from cron.job") == "3")
        try await session.run("select absurd.drop_queue('jobs')")
        #expect(try await session.value("select count(*) from cron.job") == "0")
        await connection.close()
    }
}

extension Session {
    fileprivate func commands(_ names: String) async throws -> [String] {
        try await connection.query(
            "select command from cron.job where jobname like $1 order by jobid", [.text(names)]
        )
        .map { try $0.decode(0) }
    }
}
