import LibPQ
import TestSupport
import Testing

/// Making queues and their partitions beside those who work and those who do the same.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ProvisioningTests {
    static let nextWeek = "2024-05-08 10:00:00+00"

    @Test(arguments: StorageMode.allCases)
    func `creating a queue that is there waits for nobody who works on it`(_ mode: StorageMode) async throws {
        let working = try await Session(mode)
        let creating = try await Session()
        try await creating.run("set lock_timeout = '10s'")
        try await working.connection.execute(script: "begin")
        let running = try await working.running()
        try await working.spawn()
        try await working.await("e", in: running)
        try await creating.run("select absurd.create_queue('jobs', $1)", .text(mode.rawValue))
        try await working.connection.execute(script: "commit")
    }

    @Test func `a missing index is made on runs before tasks, as workers lock them`() async throws {
        let working = try await Session(.unpartitioned)
        let creating = try await Session()
        try await working.run("drop index absurd.r_jobs_cei, absurd.t_jobs_cti")
        try await working.holding(
            "lock table absurd.r_jobs in row exclusive mode",
            finally: {
                try await $0.connection.execute(
                    script: "lock table absurd.t_jobs in row exclusive mode nowait")
            },
            whileBlocked: creating
        ) { try await $0.run("select absurd.create_queue('jobs')") }
        #expect(try await working.value("select to_regclass('absurd.t_jobs_cti') is not null") == "true")
    }

    @Test(
        arguments: ["enabled", "disabled"],
        [
            "absurd.create_queue('jobs', 'partitioned')", "absurd.ensure_partitions('jobs')",
            "absurd.ensure_partitions()",
        ])
    func `two who provision a new week at once both succeed`(_ catchAll: String, _ call: String) async throws
    {
        let first = try await Session(.partitioned)
        let second = try await Session()
        try await first.run(
            "select absurd.set_queue_policy('jobs', $1)", .text(#"{"default_partition":"\#(catchAll)"}"#))
        for session in [first, second] { try await session.setClock(Self.nextWeek) }
        try await first.holding("select \(call)", whileBlocked: second) { try await $0.run("select \(call)") }
        #expect(
            try await first.value(
                "select count(*) from pg_class where relname ~ '^[trcw]_jobs_423$' and relispartition") == "4"
        )
    }

    @Test func `two who make the tables of the same queue at once both succeed`() async throws {
        let first = try await Session()
        let second = try await Session()
        let call = "select absurd.ensure_queue_tables('jobs')"
        try await first.holding(call, whileBlocked: second) { try await $0.run(call) }
        try await second.run("select absurd.create_queue('jobs')")
    }

    @Test func `changing a policy and provisioning wait for each other in one order`() async throws {
        let first = try await Session(.partitioned)
        let second = try await Session()
        for session in [first, second] { try await session.setClock(Self.nextWeek) }
        // The policy's change holds the queue's row and then provisions; the other needs that row meanwhile.
        try await first.holding(
            #"select absurd.set_queue_policy('jobs', '{"default_partition":"disabled"}')"#,
            finally: {
                try await $0.run(
                    #"select absurd.set_queue_policy('jobs', '{"default_partition":"enabled"}')"#)
            }, whileBlocked: second
        ) { try await $0.run("select absurd.create_queue('jobs', 'partitioned')") }
    }

    @Test func `dropping a queue and provisioning it wait for each other in one order`() async throws {
        let first = try await Session(.partitioned)
        let second = try await Session()
        for session in [first, second] { try await session.setClock(Self.nextWeek) }
        try await first.holding(
            "select absurd.ensure_partitions('jobs')",
            finally: { try await $0.run("select absurd.create_queue('jobs', 'partitioned')") },
            whileBlocked: second
        ) { try await $0.run("select absurd.drop_queue('jobs')") }
        #expect(try await first.count("queues") == "0")
    }
}
