import Absurd
import ChaosModel
import LibPQ

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Does what the task says, operation by operation, and returns what it saw.
func chaosHandler(_ ending: Ending, _ client: AbsurdClient) -> Handler {
    Handler(
        TaskKind<[Act], Observed>(ending.rawValue, queue: chaosQueue),
        attemptTimeout: ending == .overrunning ? .seconds(2) : nil
    ) { operations, context in
        let performer = Performer(context: context, client: client)
        var values: [String: String] = [:]
        for (index, operation) in operations.enumerated() {
            try await values.merge(performer.perform(operation, index)) { _, new in new }
        }
        return Observed(
            worker: context.info.workerID, claim: context.run.token.description, values: values)
    }
}

private struct Performer {
    let context: TaskContext
    let client: AbsurdClient

    /// Returns the values of its checkpoints that are to be compared with the recorded ones.
    func perform(_ operation: Act, _ index: Int) async throws -> [String: String] {
        switch operation {
        case .step(let milliseconds):
            return try await step("step-\(index)", milliseconds)
        case .parallel(let count, let milliseconds):
            return try await steps(index, count, milliseconds)
        case .sleep(let milliseconds):
            try await context.sleep("sleep-\(index)", for: .milliseconds(milliseconds))
        case .await(let event):
            let name = "event-\(event)"
            return [name: try await context.awaitEvent(event, as: String.self, name: name)]
        case .awaitBriefly(let event, let milliseconds):
            return try await briefly(event, "brief-\(index)-\(event)", .milliseconds(milliseconds))
        case .beat(let milliseconds):
            return try await step("step-\(index)", milliseconds, beats: true)
        case .emit(let event):
            try await context.emitEvent(event, "\(context.taskID) \(context.attempt)")
            try await note("emitted (name)", "$1", .text(event))
        case .child(let operations):
            let kind = TaskKind<[Act], Observed>(
                Ending.steady.rawValue, queue: chaosQueue, maxAttempts: .unlimited,
                retry: .fixed(.milliseconds(100)))
            let child = try await context.spawn(kind, operations, name: "child-\(index)")
            try await note(
                "accepted", "$1, $2", .uuid(child.taskID.uuid), .text("\(context.taskID):child-\(index)"))
            _ = try await context.result(of: child, name: "result-\(index)")
        case .fail(let attempts):
            if context.attempt <= attempts { throw failure }
        case .overrun(let attempts):
            if context.attempt <= attempts { try await Task.sleep(for: .seconds(3600)) }
        }
        return [:]
    }

    /// Says whose it is, as a result does.
    private var failure: TaskFailure {
        TaskFailure(
            "as planned", name: "Planned",
            details: [
                "worker": .string(context.info.workerID), "claim": .string(context.run.token.description),
            ])
    }

    /// A wait that is given up; what gave it up is noted.
    private func briefly(_ event: String, _ name: String, _ timeout: Duration) async throws -> [String:
        String]
    {
        do {
            return [
                name: try await context.awaitEvent(event, as: String.self, name: name, timeout: timeout)
            ]
        } catch is EventTimeout {
            try await note(
                "timeouts", "$1, $2, $3", .uuid(context.runID.uuid), .text(event),
                .timestamp(context.run.token))
            return [:]
        }
    }

    /// Leaves a row in a table of the history, more than one when the connection breaks.
    private func note(_ table: String, _ values: String, _ parameters: SQLParameter...) async throws {
        _ = try await client.query("insert into history.\(table) values (\(values))", parameters)
    }

    private func steps(_ index: Int, _ count: Int, _ milliseconds: Int) async throws -> [String: String] {
        try await withThrowingTaskGroup(of: [String: String].self) { group in
            for number in 1...count {
                group.addTask { try await step("step-\(index)-\(number)", milliseconds) }
            }
            return try await group.reduce(into: [:]) { values, value in values.merge(value) { _, new in new }
            }
        }
    }

    /// A step whose body leaves a row that says under which claim it was executed.
    ///
    /// - Parameter beats: whether it says every half second that it is still there.
    private func step(
        _ name: String, _ milliseconds: Int, beats: Bool = false
    ) async throws -> [String: String] {
        let value = try await context.step(name) {
            let token = "\(getpid())-\(UInt64.random(in: .min ... .max))"
            // Sent again when the connection breaks, hence the conflict.
            _ = try await client.query(
                "insert into history.effects values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
                [
                    .text(token), .uuid(context.taskID.uuid), .text(name), .uuid(context.runID.uuid),
                    .text(context.info.workerID), .timestamp(context.run.token),
                ])
            for _ in 0..<(beats ? milliseconds / 500 : 0) {
                try await Task.sleep(for: .milliseconds(500))
                try await context.heartbeat()
            }
            try await Task.sleep(for: .milliseconds(beats ? milliseconds % 500 : milliseconds))
            return token
        }
        return [name: value]
    }
}
