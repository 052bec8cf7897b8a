import Absurd
import BenchmarkSupport
import ChaosModel
import LibPQ

/// The program that spawns, emits and cancels, when the plan says so.
struct Driver: Sendable {
    private enum Action: Sendable {
        case spawn(Int)
        case cancel(Int)
        case emit(String)
    }

    private let actions: [(at: Int, action: Action)]
    private let tasks: [Plan.PlannedTask]
    private let database: PrivateDatabase

    init(plan: Plan, database: PrivateDatabase) {
        self.database = database
        tasks = plan.tasks
        var actions: [(at: Int, action: Action)] = []
        for (index, task) in plan.tasks.enumerated() {
            actions.append((task.at, .spawn(index)))
            // Later than the spawn, also in a list that is sorted by time.
            if let at = task.cancelledAt { actions.append((max(at, task.at + 1), .cancel(index))) }
        }
        for event in plan.events { actions.append((event.at, .emit(event.name))) }
        self.actions = actions.sorted { $0.at < $1.at }
    }

    /// Notes which tasks there are to be.
    func announce() async throws {
        for index in tasks.indices { try await note("planned", "$1", .text(chaosKey(index))) }
    }

    /// Gives those tasks one more attempt that are to have it and have failed.
    ///
    /// - Returns: Whether there are any that have not got it.
    func retryFailed() async throws -> Bool {
        let kind = Ending.retried
        let rows = try await again {
            try await database.client.query(
                """
                select task_id, state from absurd.t_\(chaosQueue)
                 where task_name = $1 and max_attempts = $2 and state in ('pending', 'sleeping', 'running', 'failed')
                """, [.text(kind.rawValue), .int(Int64(kind.attempts ?? 0))])
        }
        for row in rows where try row.decode("state", as: String.self) == "failed" {
            let id = TaskID(try row.decode("task_id"))
            try await note("retried", "$1", .uuid(id.uuid))
            try await again { try await retry(id, attempts: (kind.attempts ?? 0) + 1) }
        }
        return !rows.isEmpty
    }

    private func retry(_ id: TaskID, attempts: Int) async throws {
        do {
            try await database.client.retryTask(id, on: chaosQueue, maxAttempts: attempts)
        } catch let error as AbsurdError where [.taskNotFailed, .rejected].contains(error.code) {
            // An earlier call did it, whose answer was lost. Otherwise the checks miss the attempt.
        }
    }

    func run(from start: ContinuousClock.Instant) async throws {
        var ids: [Int: TaskID] = [:]
        for (at, action) in actions {
            try await Task.sleep(until: start + .milliseconds(at))
            switch action {
            case .spawn(let index): ids[index] = try await spawn(index)
            case .emit(let event): try await emit(event)
            case .cancel(let index):
                guard let id = ids[index] else { continue }
                _ = try await again { try await database.client.cancelTask(id, on: chaosQueue) }
            }
        }
    }

    private func spawn(_ index: Int) async throws -> TaskID {
        let task = tasks[index]
        let kind = TaskKind<[Act], Observed>(
            task.ending.rawValue, queue: chaosQueue,
            maxAttempts: task.ending.attempts.map { .attempts($0) } ?? .unlimited,
            retry: .fixed(.milliseconds(200)),
            cancellation: task.ending == .expiring ? CancellationPolicy(endWithin: .seconds(3)) : nil)
        let handle = try await again {
            try await database.client.spawn(
                kind, task.operations, options: SpawnOptions(idempotencyKey: chaosKey(index)))
        }
        try await note("accepted", "$1, $2", .uuid(handle.taskID.uuid), .text(chaosKey(index)))
        return handle.taskID
    }

    private func emit(_ event: String) async throws {
        try await again { try await database.client.emitEvent(event, "driver", on: chaosQueue) }
        try await note("emitted", "$1", .text(event))
    }

    private func note(_ table: String, _ values: String, _ parameters: SQLParameter...) async throws {
        _ = try await again {
            try await database.client.query("insert into history.\(table) values (\(values))", parameters)
        }
    }

    /// Does what may be repeated until it succeeds, as a program whose server comes back would.
    private func again<Result>(_ body: () async throws -> Result) async throws -> Result {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await body()
            } catch {
                guard .now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
