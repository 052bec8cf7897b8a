import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ExtensionSpawnTests {
    private struct Spawned: Equatable {
        var task: UUID?
        var run: UUID?
        var attempt: Int?
        var isCreated: Bool?
        var sqlState: String?
    }

    /// How rows go, and by which statements.
    enum Manner: CaseIterable, Sendable {
        case together, togetherPlanned, singlyPlanned
    }

    /// Spawns rows in a manner, and in one statement or by one for each.
    private func spawn(
        _ manner: Manner, _ queue: ExtensionQueue, ids: (tasks: [UUID], runs: [UUID])? = nil,
        _ rows: [(name: String, params: String?, options: String?)]
    ) async throws -> [Spawned] {
        guard manner != .together else { return try await spawn(queue, ids: ids, rows) }
        try await queue.makeMissingFunctions()
        guard manner == .singlyPlanned else { return try await spawn(queue, ids: ids, rows) }
        var spawned: [Spawned] = []
        for (index, row) in rows.enumerated() {
            spawned += try await spawn(queue, ids: ids.map { ([$0.tasks[index]], [$0.runs[index]]) }, [row])
        }
        return spawned
    }

    private func spawn(
        _ queue: ExtensionQueue, ids: (tasks: [UUID], runs: [UUID])? = nil,
        _ rows: [(name: String, params: String?, options: String?)]
    ) async throws -> [Spawned] {
        try await queue.connection.query(
            "select * from absurd_swift.spawn($1, $2, $3, $4, $5, $6) order by position",
            [
                .text(queue.name), ids.map { .uuidArray($0.tasks) } ?? .null,
                ids.map { .uuidArray($0.runs) } ?? .null, .textArray(rows.map(\.name)),
                .textArray(rows.map(\.params)), .textArray(rows.map(\.options)),
            ]
        ).map { row in
            Spawned(
                task: try row.decode("task_id"), run: try row.decode("run_id"),
                attempt: try row.decode("attempt"), isCreated: try row.decode("created"),
                sqlState: try row.decode("sqlstate"))
        }
    }

    private func makeIDs(_ queue: ExtensionQueue, _ count: Int) async throws -> [UUID] {
        try await queue.connection.query(
            "select absurd.portable_uuidv7() as id from generate_series(1, $1)", [.int(Int64(count))]
        ).map { try $0.decode("id") }
    }

    @Test(arguments: QueueVariant.all, Manner.allCases)
    func `rows at fault are refused with a reason, the others are spawned`(
        _ variant: QueueVariant, _ manner: Manner
    ) async throws {
        try await variant.withQueue { queue in
            let spawned = try await spawn(
                manner, queue,
                [
                    ("good", nil, nil),
                    (" ", "1", nil),
                    ("params", #"{"a": "\u0000"}"#, nil),
                    ("options", "1", "not json"),
                    ("attempts", "1", #"{"max_attempts": 0}"#),
                    ("attempts", "1", #"{"max_attempts": 2.5}"#),
                    ("strategy", "1", #"{"retry_strategy": null}"#),
                    ("policy", "1", #"{"cancellation": {"max_delay": 1.5}}"#),
                    ("policy", "1", #"{"cancellation": []}"#),
                    ("policy", "1", #"{"cancellation": {"max_delay": " +5 "}}"#),
                    ("policy", "1", #"{"cancellation": {"max_duration": 1234567890123456}}"#),
                    ("key", "1", #"{"idempotency_key": "\#(oversizeKey)"}"#),
                    ("good", "2", #"{"cancellation": {"max_delay": "60"}, "max_attempts": null}"#),
                ])
            #expect(
                spawned.map(\.sqlState) == [
                    nil, "AS007", "22P05", "22P02", "AS007", "22P02", "AB003", "AS007", "AS007", "AS007",
                    "AS007",
                    "54000", nil,
                ])
            #expect(spawned.map(\.isCreated) == [true] + Array(repeating: nil, count: 11) + [true])
            #expect(try await queue.count("t") == 2)
            #expect(try await queue.count("r", where: "state = 'pending' and attempt = 1") == 2)
            #expect(try await queue.count("t", where: "params = 'null'") == 1)
        }
    }

    @Test(arguments: QueueVariant.all, Manner.allCases)
    func `sent again with the same ids, a spawn answers as it did and makes nothing`(
        _ variant: QueueVariant, _ manner: Manner
    ) async throws {
        try await variant.withQueue { queue in
            let ids = (tasks: try await makeIDs(queue, 2), runs: try await makeIDs(queue, 2))
            let rows: [(name: String, params: String?, options: String?)] = [
                ("plain", "1", nil), ("keyed", "1", #"{"idempotency_key": "k"}"#),
            ]
            let first = try await spawn(manner, queue, ids: ids, rows)
            #expect(first.map(\.task) == ids.tasks)
            #expect(first.map(\.run) == ids.runs)
            #expect(first.map(\.isCreated) == [true, true])
            let claims = try await queue.claim()
            _ = try await queue.finish(claims.map { .init($0, "fail", "{}") })
            #expect(try await spawn(manner, queue, ids: ids, rows) == first)
            #expect(try await queue.count("t") == 2)
        }
    }

    @Test(arguments: QueueVariant.all, Manner.allCases)
    func `a key that is taken returns its task, also within one call`(
        _ variant: QueueVariant, _ manner: Manner
    ) async throws {
        try await variant.withQueue { queue in
            let options = #"{"idempotency_key": "k"}"#
            let spawned = try await spawn(manner, queue, [("a", "1", options), ("b", "2", options)])
            #expect(spawned.map(\.isCreated) == [true, false])
            #expect(spawned[1].task == spawned[0].task)
            let claim = try #require(try await queue.claim().first)
            _ = try await queue.finish([.init(claim, "fail", "{}")])
            let third = try await spawn(manner, queue, [("c", "3", options)])
            #expect(third[0].task == spawned[0].task)
            #expect(third[0].attempt == 2)
            #expect(third[0].run != spawned[0].run)
            #expect(try await queue.count("t") == 1)
        }
    }

    @Test(arguments: QueueVariant.unpartitioned, Manner.allCases)
    func `ids of another version or another day are refused`(
        _ variant: QueueVariant, _ manner: Manner
    ) async throws {
        try await variant.withQueue { queue in
            let good = try await makeIDs(queue, 1)[0]
            let old = try #require(UUID(uuidString: "018e992c-be2b-7000-8000-000000000000"))
            for bad in [UUID(), old] {
                let spawned = try await spawn(manner, queue, ids: ([bad], [good]), [("a", "1", nil)])
                #expect(spawned.map(\.sqlState) == ["AS008"])
            }
            #expect(try await queue.count("t") == 0)
        }
    }

    // What one of the two spawns refuses, the other must not store.
    @Test(arguments: [
        "5", "0", #""60""#, "null", #"" +5 ""#, #""+5""#, #""5 ""#, "-1", "1.5", "999999999999999",
        "1000000000000000",
        "123456789012345678", #""""#, "true", "1e3",
    ])
    func `a policy is accepted or refused as by absurd`(_ seconds: String) async throws {
        try await QueueVariant(contents: .migrated, storageMode: "unpartitioned").withQueue { queue in
            for key in ["max_delay", "max_duration"] {
                let options = #"{"cancellation": {"\#(key)": \#(seconds)}}"#
                let isStored = try await spawn(queue, [("a", "1", options)])[0].sqlState == nil
                let contract = try? await queue.connection.query(
                    "select absurd.spawn_task('q', 'a', '1', $1)", [.text(options)])
                #expect(isStored == (contract != nil), "\(key)")
            }
        }
    }

    @Test(arguments: QueueVariant.unpartitioned, [1, 2])
    func `no queue at all is an error of the whole call`(_ variant: QueueVariant, _ count: Int) async throws {
        try await variant.withQueue { queue in
            let error = await #expect(throws: PostgresError.self) {
                try await queue.run(
                    "select * from absurd_swift.spawn(null, null, null, $1, $1, $1)",
                    [.textArray(Array(repeating: "1", count: count))])
            }
            #expect(error?.sqlState == "22004")
        }
    }

    @Test(arguments: QueueVariant.unpartitioned)
    func `arrays of different lengths are an error of the whole call`(_ variant: QueueVariant) async throws {
        try await variant.withQueue { queue in
            let error = await #expect(throws: PostgresError.self) {
                try await queue.run(
                    "select * from absurd_swift.spawn('q', null, null, array['a', 'b'], array['1'], array['{}', '{}'])"
                )
            }
            #expect(error?.sqlState == "AS001")
        }
    }
}
