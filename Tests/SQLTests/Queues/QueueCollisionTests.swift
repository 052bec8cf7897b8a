import LibPQ
import TestSupport
import Testing

/// Names of one queue's tables against names that another needs for its indexes or partitions.
@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct QueueCollisionTests {
    @Test(arguments: [
        ("jobs_d", "jobs", StorageMode.partitioned), ("jobs_414", "jobs", .partitioned),
        ("jobs_999", "jobs", .partitioned), ("jobs_ti", "jobs", .unpartitioned),
        ("jobs_rdy", "jobs", .unpartitioned), ("jobs_pkey", "jobs", .partitioned),
        ("jobs_idempotency_key_key", "jobs", .unpartitioned),
    ])
    func `neither of two colliding queues can be made beside the other`(
        _ longer: String, _ shorter: String, _ mode: StorageMode
    ) async throws {
        let session = try await Session()
        try await session.run("select absurd.create_queue($1, $2)", .text(shorter), .text(mode.rawValue))
        let refusal = try #require(try await session.refusal("select absurd.create_queue($1)", .text(longer)))
        #expect(refusal.sqlState == "P0001")
        #expect(refusal.message.contains(shorter) && refusal.message.contains(longer))
        try await session.run("select absurd.drop_queue($1)", .text(shorter))

        try await session.run("select absurd.create_queue($1)", .text(longer))
        #expect(
            try await session.sqlState(
                "select absurd.create_queue($1, $2)", .text(shorter), .text(mode.rawValue)) == "P0001")
        #expect(try await session.count("queues") == "1")
    }

    @Test func `names that only look alike are fine`() async throws {
        let session = try await Session(.unpartitioned)
        for name in ["jobs_d", "jobs_414", "jobs_2", "jobs_daily", "job", "jobs_4145"] {
            try await session.run("select absurd.create_queue($1)", .text(name))
        }
        try await session.run("select absurd.create_queue('jobs')")
    }

    @Test func `tables left over from elsewhere are not taken over`() async throws {
        let session = try await Session()
        try await session.run("create table absurd.t_left (task_id uuid)")
        let refusal = try #require(try await session.refusal("select absurd.create_queue('left')"))
        #expect(refusal.sqlState == "P0001")
        #expect(refusal.message.contains("t_left"))
        try await session.run("select absurd.ensure_queue_tables('whole')")
        try await session.run("select absurd.create_queue('whole')")
    }

    @Test func `of two colliding queues created at the same time the second is refused`() async throws {
        let first = try await Session()
        let second = try await Session()
        let state = try await first.holding(
            "select absurd.create_queue('jobs', 'partitioned')", whileBlocked: second
        ) {
            try await $0.sqlState("select absurd.create_queue('jobs_414')")
        }
        #expect(state == "P0001")
    }

    @Test func `queues that do not collide are created side by side`() async throws {
        let first = try await Session()
        let second = try await Session()
        try await first.holding("select absurd.create_queue('jobs')") {
            try await second.run("select absurd.create_queue('other')")
        }
        #expect(try await second.rows("select * from absurd.list_queues()") == ["(other)"])
    }
}
