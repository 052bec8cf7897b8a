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
    Handler(TaskKind<[Act], Observed>(ending.rawValue, queue: chaosQueue)) { operations, context in
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
        case .emit(let event):
            try await context.emitEvent(event, "\(context.taskID) \(context.attempt)")
        case .child(let operations):
            let kind = TaskKind<[Act], Observed>(
                Ending.steady.rawValue, queue: chaosQueue, maxAttempts: .unlimited,
                retry: .fixed(.milliseconds(100)))
            let child = try await context.spawn(kind, operations, name: "child-\(index)")
            _ = try await context.result(of: child, name: "result-\(index)")
        case .fail(let attempts):
            if context.attempt <= attempts { throw TaskFailure("as planned", name: "Planned") }
        }
        return [:]
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
    private func step(_ name: String, _ milliseconds: Int) async throws -> [String: String] {
        let value = try await context.step(name) {
            let token = "\(getpid())-\(UInt64.random(in: .min ... .max))"
            // Sent again when the connection breaks, hence the conflict.
            _ = try await client.query(
                "insert into history.effects values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
                [
                    .text(token), .uuid(context.taskID.uuid), .text(name), .uuid(context.runID.uuid),
                    .text(context.info.workerID), .timestamp(context.run.token),
                ])
            try await Task.sleep(for: .milliseconds(milliseconds))
            return token
        }
        return [name: value]
    }
}
