import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ResultListenerTests {
    private struct Found: Equatable {
        var state: String?
        var result: String?
        var failure: String?
        var isRegistered: Bool?
    }

    private func results(
        _ queue: ExtensionQueue, _ tasks: [UUID], channel: String? = "result:test"
    ) async throws -> [Found] {
        try await queue.connection.query(
            """
            select state, result, failure, registered from absurd_swift.task_results($1, $2, $3) order by position
            """, [.text(queue.name), .uuidArray(tasks), channel.map { .text($0) } ?? .null]
        ).map { row in
            Found(
                state: try row.decode("state"), result: try row.decode("result"),
                failure: try row.decode("failure"), isRegistered: try row.decode("registered"))
        }
    }

    @Test(arguments: QueueVariant.all)
    func `whoever listens for a task is told once, however it ends`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let tasks = try await queue.spawn(
                ["completed", "failed", "cancelled", "expired", "open"], options: #"{"max_attempts": 1}"#)
            let listener = try await queue.elsewhere()
            try await listener.connection.listen(to: "result:test")
            #expect(
                try await results(listener, tasks).map(\.isRegistered) == Array(repeating: true, count: 5))
            // In the order of spawning, whatever that of their ids.
            let claimed = try await queue.claim()
            let claims = try tasks.map { task in try #require(claimed.first { $0.task == task }) }
            _ = try await queue.finish([
                .init(claims[0], "complete", "1"), .init(claims[1], "fail", #"{"a": 2}"#),
            ])
            _ = try await queue.cancel([tasks[2]])
            try await queue.run(
                "update absurd.r_q set claim_expires_at = '-infinity' where run_id = $1",
                [.uuid(claims[3].run)])
            _ = try await queue.claim()

            var told: Set<String> = []
            for await notification in listener.connection.notifications {
                #expect(told.insert(notification.payload.uppercased()).inserted)
                if told.count == 4 { break }
            }
            #expect(told == Set(tasks[..<4].map(\.uuidString)))
            let found = try await results(listener, tasks, channel: nil)
            #expect(found.map(\.state) == ["completed", "failed", "cancelled", "failed", "running"])
            #expect(found[0].result == "1" && found[1].failure == #"{"a": 2}"#)
            #expect(
                try await queue.text(
                    "select string_agg(task_id::text, ',') from absurd_swift.result_listeners")
                    == tasks[4].uuidString.lowercased())
        }
    }

    /// Names that pg_notify refuses, and one that wakes idle workers.
    private static let badChannels = [
        "", String(repeating: "x", count: 64), String(repeating: "é", count: 32),
        String(repeating: "x", count: 100), "wake:q", "wake:",
    ]

    /// Ends tasks in each way there is, and gives their states.
    private func end(_ tasks: [UUID], of queue: ExtensionQueue) async throws -> [String?] {
        let claimed = try await queue.claim()
        let claims = try tasks.map { task in try #require(claimed.first { $0.task == task }) }
        let answers = try await queue.finish([
            .init(claims[0], "complete", "1"), .init(claims[1], "fail", "2"),
        ])
        #expect(answers.map(\.answer) == ["done", "done"])
        #expect(try await queue.cancel([tasks[2]]).map(\.value) == ["cancelled"])
        try await queue.run(
            "update absurd.r_q set claim_expires_at = '-infinity' where run_id = $1", [.uuid(claims[3].run)])
        _ = try await queue.claim()
        return try await results(queue, tasks, channel: nil).map(\.state)
    }

    @Test(arguments: QueueVariant.all)
    func `a channel that cannot be notified is refused, and the tasks end all the same`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let tasks = try await queue.spawn(
                ["completed", "failed", "cancelled", "expired"], options: #"{"max_attempts": 1}"#)
            for channel in Self.badChannels {
                let error = await #expect(throws: PostgresError.self, "\(channel)") {
                    _ = try await results(queue, tasks, channel: channel)
                }
                #expect(error?.sqlState == "22023", "\(channel)")
                let row = await #expect(throws: PostgresError.self, "\(channel)") {
                    try await queue.run(
                        "insert into absurd_swift.result_listeners values ('q', $1, $2)",
                        [.uuid(tasks[0]), .text(channel)])
                }
                #expect(row?.sqlState == "23514", "\(channel)")
            }
            let longest = try await results(queue, tasks, channel: String(repeating: "x", count: 63))
            #expect(longest.allSatisfy { $0.isRegistered == true })
            #expect(try await end(tasks, of: queue) == ["completed", "failed", "cancelled", "failed"])
        }
    }

    /// Earlier versions took any text.
    @Test(arguments: QueueVariant.all)
    func `a registration that cannot be notified keeps no task from its end`(_ variant: QueueVariant)
        async throws
    {
        try await variant.withQueue { queue in
            let tasks = try await queue.spawn(
                ["completed", "failed", "cancelled", "expired"], options: #"{"max_attempts": 1}"#)
            try await queue.run(
                "alter table absurd_swift.result_listeners drop constraint result_listeners_channel_check")
            for channel in Self.badChannels {
                try await queue.run(
                    "insert into absurd_swift.result_listeners select 'q', x, $2 from unnest($1) x",
                    [.uuidArray(tasks), .text(channel)])
            }
            #expect(try await end(tasks, of: queue) == ["completed", "failed", "cancelled", "failed"])
            #expect(try await queue.text("select count(*)::text from absurd_swift.result_listeners") == "0")
        }
    }

    @Test func `installing the schema again takes such registrations out`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            try await queue.connection.execute(
                script: """
                    alter table absurd_swift.result_listeners drop constraint result_listeners_channel_check;
                    insert into absurd_swift.result_listeners values
                      ('q', gen_random_uuid(), ''), ('q', gen_random_uuid(), 'result:1');
                    """)
            for file in try SQLFiles.all(in: "absurd_swift") {
                try await queue.connection.execute(script: file)
            }
            #expect(
                try await queue.text("select string_agg(channel, ',') from absurd_swift.result_listeners")
                    == "result:1")
            #expect(
                try await queue.text(
                    "select count(*)::text from pg_constraint where conname = 'result_listeners_channel_check'"
                )
                    == "1")
        }
    }

    @Test func `an unknown task has no state and is not listened for`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            let found = try await results(queue, [UUID()])
            #expect(found == [Found(isRegistered: false)])
            #expect(try await queue.text("select count(*)::text from absurd_swift.result_listeners") == "0")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `a task whose end is not committed is answered at once and not registered`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            let listener = try await queue.elsewhere()
            try await queue.connection.execute(script: "begin")
            _ = try await queue.finish([.init(claim, "complete", "1")])
            #expect(
                try await results(listener, [claim.task]) == [Found(state: "running", isRegistered: false)])
            try await queue.connection.execute(script: "commit")
            #expect(try await results(listener, [claim.task]).map(\.state) == ["completed"])
        }
    }

    /// The registration's share lock makes the end wait; the end then sees the registration.
    @Test(arguments: QueueVariant.unpartitioned)
    func `a registration that is not committed is seen by the end that waits for it`(
        _ variant: QueueVariant
    ) async throws {
        try await variant.withQueue { queue in
            let claim = try await queue.claimNew()
            let listener = try await queue.elsewhere()
            try await listener.connection.listen(to: "result:test")
            try await listener.connection.execute(script: "begin")
            _ = try await results(listener, [claim.task])
            let error = await #expect(throws: PostgresError.self) {
                _ = try await queue.finish([.init(claim, "complete", "1")])
            }
            #expect(error?.sqlState == "55P03")
            try await listener.connection.execute(script: "commit")
            #expect(try await queue.finish([.init(claim, "complete", "1")]).map(\.answer) == ["done"])
            for await notification in listener.connection.notifications {
                #expect(notification.payload == claim.task.uuidString.lowercased())
                break
            }
        }
    }
}
