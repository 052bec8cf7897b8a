import Absurd
import ChaosModel
import LibPQ

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What the tasks of a measurement do.
enum Workload: String, CaseIterable, Sendable {
    /// Three steps, each of which leaves a row in the table `effects`.
    case threeSteps = "three-steps"
    /// Waits for one event after the other.
    case rounds
    /// Nothing at all.
    case empty
    /// Half a second of work that leaves a row when it starts, or the end of the process.
    case recovery
    /// What the tasks themselves say.
    case chaos
    /// Steps, and handlers that a stop does not stop.
    case shutdown

    var connections: Int { 8 }

    var options: WorkerOptions {
        var options = WorkerOptions()
        options.concurrency = self == .empty ? 500 : 16
        options.pollInterval = .milliseconds(50)
        if self == .threeSteps { options.claimTimeout = .seconds(3) }
        if self == .recovery { options.claimTimeout = .seconds(120) }
        if self == .chaos {
            options.concurrency = 8
            options.claimTimeout = .seconds(4)
            options.maxBackoff = .seconds(1)
            options.shutdownGrace = .seconds(5)
        }
        if self == .shutdown {
            options.claimTimeout = .seconds(120)
            options.shutdownGrace = .milliseconds(300)
            options.cancellationGrace = .milliseconds(500)
        }
        return options
    }

    /// How long the network may swallow a statement.
    var statementTimeout: Duration { self == .chaos ? .seconds(3) : .seconds(30) }
    var connectTimeout: Duration { self == .chaos ? .seconds(2) : .seconds(10) }

    func handlers(_ client: AbsurdClient, queue: String, _ console: Console) -> [Handler] {
        switch self {
        case .threeSteps: [threeStepsHandler(client, queue: queue, console)]
        case .rounds: [roundsHandler(queue: queue)]
        case .recovery: [workHandler(client), deadlyHandler()]
        case .chaos: Ending.allCases.map { chaosHandler($0, client) }
        case .shutdown: shutdownHandlers(client)
        case .empty: [Handler("empty") { _ in .complete }]
        }
    }
}

private func threeStepsHandler(_ client: AbsurdClient, queue: String, _ console: Console) -> Handler {
    let kind = TaskKind<Int, [String]>("three-steps", queue: queue)
    return Handler(kind) { _, context in
        var values: [String] = []
        for step in ["first", "second", "third"] {
            values.append(
                try await context.step(step) { try await effect(of: step, context, client, console) })
        }
        return values
    }
}

/// The body of a step: one row that says who ran which step, under a token that no other execution has.
///
/// The token is also the step's value.
private func effect(
    of step: String, _ context: TaskContext, _ client: AbsurdClient, _ console: Console
) async throws -> String {
    let token = "\(getpid())-\(UInt64.random(in: .min ... .max))"
    let begun = secondsSince1970()
    try await console.pass(.before, "\(context.taskID) \(step)")
    _ = try await client.query(
        """
        insert into effects (token, task_id, step, attempt, worker, begun_at)
        values ($1, $2, $3, $4, $5, to_timestamp($6))
        """,
        [
            .text(token), .uuid(context.taskID.uuid), .text(step), .int(Int64(context.attempt)),
            .text(context.info.workerID), .double(begun),
        ])
    try await console.pass(.after, "\(context.taskID) \(step)")
    return token
}

private func roundsHandler(queue: String) -> Handler {
    let kind = TaskKind<Int, Int>("rounds", queue: queue)
    return Handler(kind) { rounds, context in
        for round in 1...rounds { try await context.awaitEvent("round-\(round)") }
        return rounds
    }
}

private func workHandler(_ client: AbsurdClient) -> Handler {
    Handler("work") { context in
        _ = try await client.query(
            "insert into executions values ($1, $2, $3, clock_timestamp())",
            [
                .uuid(context.taskID.uuid), .int(Int64(context.attempt)), .text(context.info.workerID),
            ])
        try await Task.sleep(for: .milliseconds(500))
        return .complete
    }
}

private func deadlyHandler() -> Handler {
    Handler("deadly") { _ in
        kill(getpid(), SIGKILL)
        return .complete
    }
}

private func secondsSince1970() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
