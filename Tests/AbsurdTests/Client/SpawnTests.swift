import Absurd
import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SpawnTests {
    private func withClient(
        hooks: Hooks = Hooks(), _ body: (AbsurdClient) async throws -> Void
    ) async throws {
        let client = try makeClient(hooks: hooks)
        try await client.createQueue("default")
        try await body(client)
        await client.close()
    }

    @Test func `what a kind says is stored with its tasks, and what a spawn says comes first`() async throws {
        try await withClient { client in
            let kind = TaskKind<Order, Void>(
                "k", maxAttempts: 7, retry: .exponential(base: .seconds(2), factor: 3, cap: .minutes(1)),
                cancellation: CancellationPolicy(startWithin: .milliseconds(1500), endWithin: .hours(1)))
            let plain = try await client.spawn(kind, Order(id: "a", amount: 1))
            let options = SpawnOptions(maxAttempts: .unlimited, retry: .immediate, headers: ["trace": "t1"])
            let own = try await client.spawn(kind, Order(id: "b", amount: 2), options: options)
            let sql = """
                select params::text, max_attempts, retry_strategy::text, cancellation::text, headers::text
                from absurd.t_default where task_id = $1
                """
            let first = try await client.pool.query(sql, [.uuid(plain.taskID.uuid)])[0]
            #expect(try JSONText(first.decode(0)).value() == ["id": "a", "amount": 1])
            #expect(try first.decode(1, as: Int32?.self) == 7)
            let strategy = try JSONText(first.decode(2)).value()
            #expect(strategy["kind"] == "exponential" && strategy["base_seconds"]?.doubleValue == 2)
            #expect(try JSONText(first.decode(3)).value() == ["max_delay": 2, "max_duration": 3600])
            // Another suite may have installed a tracer by now, whose headers are added.
            let headers = try first.decode(4, as: String?.self).map { try JSONText($0).value() } ?? .null
            #expect(headers["trace"] == nil)
            let second = try await client.pool.query(sql, [.uuid(own.taskID.uuid)])[0]
            #expect(try second.decode(1, as: Int32?.self) == nil)
            #expect(try JSONText(second.decode(2)).value() == ["kind": "none"])
            #expect(try JSONText(second.decode(4)).value()["trace"] == "t1")
        }
    }

    @Test func `many are spawned by several statements, all or none, in the order of the requests`()
        async throws
    {
        try await withClient { client in
            var requests = try (0..<4500).map { number in
                try SpawnRequest(
                    "t", params: .integer(Int64(number)),
                    options: SpawnOptions(idempotencyKey: "\(number % 4400)"))
            }
            let tasks = try await client.spawnMany(requests)
            #expect(tasks.count(where: \.wasCreated) == 4400)
            #expect(zip(tasks[4400...], tasks).allSatisfy { $0.taskID == $1.taskID })
            let row = try await client.pool.query(
                "select params::text as number from absurd.t_default where task_id = $1",
                [.uuid(tasks[4321].taskID.uuid)])[0]
            #expect(try row.decode("number", as: String.self) == "4321")
            requests = try requests.map { try SpawnRequest($0.taskName, params: nil) }
            requests[4499] = try SpawnRequest("bad", params: "a\u{0}b")
            let error = await #expect(throws: AbsurdError.self) { try await client.spawnMany(requests) }
            #expect(error?.message.contains("(request 4499)") == true)
            #expect(try await client.pool.query("select count(*) from absurd.t_default")[0].decode(0) == 4400)
        }
    }

    @Test func `an idempotency key spawns once, also from sixteen callers at a time`() async throws {
        try await withClient { client in
            let handles = try await withThrowingTaskGroup(of: TaskHandle<JSONValue>.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await client.spawn(
                            "t", params: nil, options: SpawnOptions(idempotencyKey: "only one"))
                    }
                }
                var handles: [TaskHandle<JSONValue>] = []
                for try await handle in group { handles.append(handle) }
                return handles
            }
            #expect(Set(handles.map(\.taskID)).count == 1)
            #expect(handles.count(where: \.wasCreated) == 1)
        }
    }

    @Test func `a key that an open transaction holds is a call that ran out of time`() async throws {
        try await withClient { client in
            try await client.withTransaction { transaction in
                let options = SpawnOptions(idempotencyKey: "held")
                _ = try await transaction.spawn("t", params: nil, options: options)
                let error = await #expect(throws: AbsurdError.self) {
                    try await client.spawn("t", params: nil, options: options)
                }
                #expect(error?.code == .timedOut)
                #expect(error?.sqlState == "55P03")
                #expect(
                    error?.message
                        == "another transaction holds a row or key that the call needs; call again when it has ended"
                )
            }
        }
    }

    @Test func `spawning many keeps the order and spans queues`() async throws {
        try await withClient { client in
            try await client.createQueue("other")
            let requests = try (0..<50).map { number in
                try SpawnRequest(
                    "t", params: .integer(Int64(number)), on: number % 2 == 0 ? "default" : "other")
            }
            let tasks = try await client.spawnMany(requests)
            for (number, task) in tasks.enumerated() {
                let rows = try await client.pool.query(
                    "select params::text from absurd.t_\(task.queue) where task_id = $1",
                    [.uuid(task.taskID.uuid)])
                #expect(try rows[0].decode(0, as: String.self) == "\(number)")
            }
        }
    }

    @Test func `one refused task takes the others of its statement back and is named`() async throws {
        try await withClient { client in
            let requests = [
                try SpawnRequest("good", params: nil), try SpawnRequest("bad", params: "a\u{0}b"),
            ]
            let error = await #expect(throws: AbsurdError.self) { try await client.spawnMany(requests) }
            #expect(error?.code == .rejected && error?.message.contains("'bad' (request 1)") == true)
            #expect(try await client.pool.query("select 1 from absurd.t_default").isEmpty)
        }
    }

    @Test func `a hook may change everything about a spawn or refuse it`() async throws {
        struct Refused: Error {}
        var hooks = Hooks()
        hooks.beforeSpawn = { request in
            guard request.taskName != "forbidden" else { throw Refused() }
            var request = request
            request.options.headers["tenant"] = "acme"
            return request
        }
        try await withClient(hooks: hooks) { client in
            try await client.spawn("t", params: nil)
            let rows = try await client.pool.query("select headers->>'tenant' from absurd.t_default")
            #expect(try rows[0].decode(0, as: String.self) == "acme")
            await #expect(throws: Refused.self) { try await client.spawn("forbidden", params: nil) }
        }
    }

    @Test func `a transaction spawns, emits and writes rows together or not at all`() async throws {
        struct Rollback: Error {}
        try await withClient { client in
            _ = try await client.pool.query("create table invoices (id text primary key, amount integer)")
            let kind = TaskKind<Order, Void>("k")
            await #expect(throws: Rollback.self) {
                try await client.withTransaction { tx in
                    try await tx.execute("insert into invoices values ($1, $2)", "1", 10)
                    try await tx.spawn(kind, Order(id: "1", amount: 10))
                    try await tx.emitEvent("e", 1)
                    throw Rollback()
                }
            }
            let sql = """
                select (select count(*) from invoices) + (select count(*) from absurd.t_default)
                  + (select count(*) from absurd.e_default)
                """
            #expect(try await client.pool.query(sql)[0].decode(0, as: Int.self) == 0)
            try await client.withTransaction { tx in
                #expect(try await tx.execute("insert into invoices values ($1, $2)", "1", 10) == 1)
                try await tx.spawn(kind, Order(id: "1", amount: 10))
                try await tx.emitEvent("e", 1)
            }
            #expect(try await client.pool.query(sql)[0].decode(0, as: Int.self) == 3)
        }
    }

    @Test(
        arguments: [
            ("", "t", "queue name must not be empty"),
            (String(repeating: "q", count: 58), "t", "at most 57 bytes"),
            ("q\u{0}", "t", "NUL"), ("default", "", "task name must not be empty"),
            ("default", " \n", "task name"),
            ("default", "a\u{0}", "NUL"),
        ])
    func `bad names are refused before anything is sent`(queue: String, name: String, part: String)
        async throws
    {
        let client = try makeClient()
        let error = await #expect(throws: AbsurdError.self) {
            try await client.spawn(name, params: nil, on: queue)
        }
        #expect(error?.code == .invalidArgument && error?.message.contains(part) == true)
        await client.close()
    }

    @Test func `a missing queue, and a missing schema, say what to do`() async throws {
        let client = try makeClient()
        let error = await #expect(throws: AbsurdError.self) {
            try await client.spawn("t", params: nil, on: "nope")
        }
        #expect(error?.code == .queueMissing)
        #expect(error?.message.contains("absurd queue create nope") == true)
        await client.close()
    }

    @Test func `an empty idempotency key is refused, since all its tasks would be one`() async throws {
        try await withClient { client in
            let error = await #expect(throws: AbsurdError.self) {
                try await client.spawn("t", params: nil, options: SpawnOptions(idempotencyKey: ""))
            }
            #expect(error?.code == .invalidArgument)
        }
    }
}

@Suite(.database(.empty), .timeLimit(.minutes(10)))
struct SchemaTests {
    @Test func `a database without schema says so, and migrate repairs it, repeatedly and at once`()
        async throws
    {
        let client = try makeClient()
        let error = await #expect(throws: AbsurdError.self) { try await client.spawn("t", params: nil) }
        #expect(error?.code == .schemaMissing && error?.message.contains("absurd migrate") == true)
        try await withThrowingTaskGroup(of: MigrationReport.self) { group in
            for _ in 0..<4 { group.addTask { try await client.migrate() } }
            for try await report in group { #expect(report.version == AbsurdSchema.baseVersion) }
        }
        try await client.createQueue("default")
        try await client.spawn("t", params: nil)
        #expect(try await client.migrate().previousVersion == AbsurdSchema.baseVersion)
        #expect(try await client.schemaVersion().absurd == AbsurdSchema.baseVersion)
        await client.close()
    }

    @Test func `the embedded files are the files of the folder`() throws {
        let names = AbsurdSchema.allFiles.map(\.name)
        let onDisk = try sqlFilesOnDisk()
        #expect(Set(names) == onDisk)
        #expect(names == names.sorted())
        #expect(AbsurdSchema.sql(.base).contains("absurd.spawn_task"))
        #expect(!AbsurdSchema.sql(.extension).contains("create or replace function absurd."))
    }
}

struct SpawnPartsTests {
    private func rows(_ requests: [(key: String?, size: Int)]) throws -> [SpawnRow] {
        let identifiers = IdentifierMaker()
        identifiers.setClock(databaseNow: PostgresTimestamp(microseconds: 0))
        return try requests.map { key, size in
            try SpawnRow(
                SpawnRequest(
                    "t", params: .string(String(repeating: "x", count: size)),
                    options: SpawnOptions(idempotencyKey: key)), identifiers)
        }
    }

    @Test func `rows are divided by number and by bytes, and a large one goes alone`() throws {
        let few = try rows(Array(repeating: (nil, 10), count: 5))
        #expect(SpawnParts(few).parts == [[0, 1, 2, 3, 4]])
        #expect(SpawnParts(few, limits: BatchLimits(rows: 2)).parts == [[0, 1], [2, 3], [4]])
        let mixed = try rows([(nil, 10), (nil, 5000), (nil, 10), (nil, 10)])
        #expect(SpawnParts(mixed, limits: BatchLimits(rows: 9, bytes: 1000)).parts == [[0], [1], [2, 3]])
        #expect(SpawnParts([]).parts == [])
    }

    @Test func `keys that take several statements are taken in order, those without come last`() throws {
        let keyed = try rows([("c", 1), (nil, 1), ("a", 1), ("b", 1), ("a", 1)])
        #expect(SpawnParts(keyed).parts == [[0, 1, 2, 3, 4]])
        #expect(SpawnParts(keyed, limits: BatchLimits(rows: 2)).parts == [[2, 4], [3, 0], [1]])
    }
}
