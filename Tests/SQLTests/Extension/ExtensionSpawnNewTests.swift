import Foundation
import LibPQ
import TestSupport
import Testing

/// `spawn_new` does what `spawn` does, and speaks only of what went otherwise.
@Suite(.timeLimit(.minutes(10)))
struct ExtensionSpawnNewTests {
    private static let options = [
        nil, "{}", #"{"idempotency_key": "a"}"#, #"{"max_attempts": 3, "headers": {"h": 1}}"#,
        #"{"idempotency_key": "b", "cancellation": {"max_delay": 60}}"#,
        #"{"retry_strategy": {"kind": "fixed", "base_seconds": 5}}"#,
    ]

    @Test(arguments: QueueVariant.all, [false, true])
    func `tasks that are new are made without a word, with the rows that spawn makes`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            try await queue.setClock("2030-01-01 10:00:00+00")
            var twin = queue
            twin.name = "twin"
            try await twin.create(variant.storageMode)
            if isPlanned { try await queue.makeMissingFunctions() }
            let rows = Self.options.enumerated().map { (name: "task \($0)", options: $1) }
            #expect(try await queue.spawnNew(try await queue.newTasks(rows)).isEmpty)
            for row in rows { _ = try await twin.spawn([row.name], options: row.options) }
            func contents(_ queue: ExtensionQueue) async throws -> String? {
                try await queue.text(
                    """
                    select string_agg(concat_ws('|', to_jsonb(t) - 'task_id' - 'last_attempt_run',
                      to_jsonb(r) - 'run_id' - 'task_id', r.run_id = t.last_attempt_run), e'\\n' order by t.task_name)
                    from absurd."t_\(queue.name)" t join absurd."r_\(queue.name)" r on r.task_id = t.task_id
                    """)
            }
            #expect(try await contents(queue) == contents(twin))
            #expect(try await queue.count("t") == rows.count)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `what was sent before is answered as then, alone and beside new ones`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            let keyed = #"{"idempotency_key": "k"}"#
            let first = try await queue.newTasks([("a", nil), ("b", keyed)])
            #expect(try await queue.spawnNew(first).isEmpty)
            let answers = [1: "new", 2: "new"]
            #expect(try await queue.spawnNew(first).mapValues(\.answer) == answers)
            let more = try await queue.newTasks([("c", nil), ("d", keyed)])
            let told = try await queue.spawnNew(first + more)
            #expect(told.filter { $0.key < 3 }.mapValues(\.answer) == answers)
            #expect(told[4]?.answer == "known")
            #expect(told[4]?.value == first[1].task.uuidString.lowercased())
            #expect([nil, "new"].contains(told[3]?.answer))
            #expect(try await queue.count("t") == 3)
            #expect(try await queue.count("r") == 3)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `of equal keys the first is made, and a key that is taken names its task`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            let keyed = #"{"idempotency_key": "k"}"#
            let tasks = try await queue.newTasks([("a", keyed), ("b", nil), ("c", keyed)])
            let id = tasks[0].task.uuidString.lowercased()
            #expect(
                try await queue.spawnNew(tasks) == [3: .init(answer: "known", value: id, sqlState: nil)])
            let others = try await queue.newTasks([("d", keyed), ("e", keyed)])
            #expect(try await queue.spawnNew(others).mapValues(\.value) == [1: id, 2: id])
            #expect(try await queue.count("t") == 2)
        }
    }

    @Test(arguments: QueueVariant.all, [false, true])
    func `a row that is refused is answered by name, and the others are made`(
        _ variant: QueueVariant, isPlanned: Bool
    ) async throws {
        try await variant.withQueue { queue in
            if isPlanned { try await queue.makeMissingFunctions() }
            let fine = try await queue.newTasks([("fine", nil)])[0]
            var faults: [(ExtensionQueue.NewTask, String)] = []
            for (options, state) in [
                (#"{"max_attempts": 0}"#, "AS007"), (#"{"cancellation": {"max_delay": "x"}}"#, "AS007"),
                (#"{"retry_strategy": {"kind": "odd"}}"#, "AB003"), ("{", "22P02"),
                (#"{"idempotency_key": "\#(oversizeKey)"}"#, "54000"),
            ] {
                faults.append((try await queue.newTasks([("bad", options)])[0], state))
            }
            for (name, params, state) in [(" ", "{}", "AS007"), ("bad", #""\u0000""#, "22P05")] {
                var row = try await queue.newTasks([(name, nil)])[0]
                row.params = params
                faults.append((row, state))
            }
            var odd = try await queue.newTasks([("bad", nil)])[0]
            odd.task = try #require(UUID(uuidString: "00000000-0000-7000-8000-000000000000"))
            faults.append((odd, "AS008"))
            for (fault, state) in faults {
                let neighbour = try await queue.newTasks([("beside", nil)])[0]
                let told = try await queue.spawnNew([fault, neighbour])
                #expect(told[1]?.sqlState == state)
                #expect([nil, "new"].contains(told[2]?.answer))
                #expect(
                    try await queue.count(
                        "t", where: "task_id = '\(neighbour.task)' and task_name = 'beside'")
                        == 1)
            }
            #expect(try await queue.spawnNew([fine]).isEmpty)
            #expect(try await queue.count("t", where: "task_name = 'bad'") == 0)
            #expect(try await queue.count("t") == faults.count + 1)
        }
    }

    @Test func `an id that is missing and arrays that do not fit are refused`() async throws {
        try await QueueVariant.all[0].withQueue { queue in
            let ids = SQLParameter.uuidArray(try await queue.ids(2))
            let names = SQLParameter.textArray(["a", "b"])
            for (parameters, state) in [
                ([.text("q"), ids, .null, names, names, names], "AS001"),
                ([.text("q"), ids, ids, names, names, .textArray(["{}"])], "AS001"),
                ([.null, ids, ids, names, names, names], "22004"),
                ([.text("no"), ids, ids, names, names, names], "42P01"),
            ] as [([SQLParameter], String)] {
                let error = await #expect(throws: PostgresError.self) {
                    try await queue.connection.query(
                        "select * from absurd_swift.spawn_new($1, $2, $3, $4, $5, $6)", parameters)
                }
                #expect(error?.sqlState == state)
            }
            let error = await #expect(throws: PostgresError.self) {
                try await queue.run(
                    "select absurd_swift.spawn_new('q', $1, array[$1[1], null], $2, $2, $2)", [ids, names])
            }
            #expect(error?.sqlState == "22004")
            #expect(try await queue.spawnNew([]).isEmpty)
            #expect(try await queue.count("t") == 0)
        }
    }
}
