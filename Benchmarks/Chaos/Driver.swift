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
        let hasLimit = task.ending == .limited || task.ending == .doomed
        let kind = TaskKind<[Act], Observed>(
            task.ending.rawValue, queue: chaosQueue, maxAttempts: hasLimit ? 4 : .unlimited,
            retry: .fixed(.milliseconds(200)),
            cancellation: task.ending == .expiring ? CancellationPolicy(endWithin: .seconds(3)) : nil)
        let handle = try await again {
            try await database.client.spawn(
                kind, task.operations, options: SpawnOptions(idempotencyKey: "task-\(index)"))
        }
        try await note("accepted", "$1", .uuid(handle.taskID.uuid))
        return handle.taskID
    }

    private func emit(_ event: String) async throws {
        try await again { try await database.client.emitEvent(event, "driver", on: chaosQueue) }
        try await note("emitted", "$1", .text(event))
    }

    private func note(_ table: String, _ value: String, _ parameter: SQLParameter) async throws {
        _ = try await again {
            try await database.client.query("insert into history.\(table) values (\(value))", [parameter])
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
