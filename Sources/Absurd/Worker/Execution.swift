import Synchronization
import Tracing

/// Executes one claimed run: runs its handler, decides what it came to, and tells the database.
struct Execution: Sendable {
    let session: WorkerSession
    let context: TaskContext

    var worker: Worker { session.worker }
    private var run: ClaimedRun { context.run }

    func run() async {
        let executions = worker.client.executions
        let lifecycle = session.lifecycle
        let hasRoom = await executions.enter(
            run.info.runID, unless: { [context] in lifecycle.stage == .stopping || context.hasEnded })
        // The claim may have ended while the run's earlier execution was waited for.
        if case .ended(let end) = context.phase {
            if hasRoom { executions.leave(run.info.runID) }
            return report(endedBefore: end)
        }
        guard hasRoom else { return await session.giveBack([run]) }
        defer { executions.leave(run.info.runID) }
        guard let handler = worker.handlers[run.info.taskName] else { return await deferUnknown() }
        await execute(handler)
    }

    private func report(endedBefore end: ExecutionState.End) {
        switch end {
        case .taskCancelled: session.observer.report(.cancelled(run.info))
        case .claimLost, .runFailed: session.observer.report(.claimLost(run.info))
        case .stopping, .suspended, .timedOut, .finished: break
        }
    }

    private func execute(_ handler: Handler) async {
        session.observer.report(.started(run.info))
        let start = ContinuousClock.now
        if let limit = handler.attemptTimeout { return await execute(handler, for: limit, since: start) }
        let returned = await context.runningHandler { await invoke(handler) }
        await conclude(returned, handler, since: start)
    }

    func conclude(
        _ returned: Result<HandlerReturn, any Error>, _ handler: Handler, since start: ContinuousClock.Instant
    ) async {
        let end = await context.close()
        let outcome = Outcome.decide(returned, end: end, attemptTimeout: handler.attemptTimeout)
        let event = await act(on: outcome, handler, duration: ContinuousClock.now - start)
        if let event { session.observer.report(event) }
    }

    func invoke(_ handler: Handler) async -> Result<HandlerReturn, any Error> {
        let parent = TracingHeaders.extract(from: run.info.headers)
        do {
            let value = try await withSpan("run \(run.info.taskName)", context: parent, ofKind: .consumer) {
                span in
                if span.isRecording {
                    span.attributes["absurd.queue"] = run.info.queue
                    span.attributes["absurd.task.id"] = run.info.taskID.description
                    span.attributes["absurd.run.id"] = run.info.runID.description
                    span.attributes["absurd.attempt"] = run.info.attempt
                }
                return try await throughHook(handler)
            }
            return .success(value)
        } catch {
            return .failure(error)
        }
    }

    private func throughHook(_ handler: Handler) async throws -> HandlerReturn {
        guard let hook = worker.client.hooks.aroundExecution else {
            return try await handler.execute(context)
        }
        let box = ResultBox()
        try await hook(context) { [context] in
            do {
                box.store(.success(try await handler.execute(context)))
            } catch {
                box.store(.failure(error))
                throw error
            }
        }
        guard let result = box.result else {
            throw TaskFailure("the hook around executions did not call the handler", name: "HookError")
        }
        // Also the handler's error, should the hook have kept it.
        return try result.get()
    }

    /// Puts a task without a handler here off for 15 to 30 seconds: during a rolling deploy another worker has it.
    private func deferUnknown() async {
        let delay = Duration.seconds(Double.random(in: 15...30))
        let write = FinishWrite(key: run.key, action: .sleep(until: .after(delay), checkpoint: nil))
        switch await send(write) {
        case .done?: session.observer.report(.deferred(run.info, delay: delay))
        case .refused(let refusal)?:
            if let event = ended(by: refusal) { session.observer.report(event) }
        case nil: break
        }
    }
}

/// Carries what the handler came to past a hook, which returns nothing.
private final class ResultBox: Sendable {
    private let storage = Mutex<Result<HandlerReturn, any Error>?>(nil)
    func store(_ result: Result<HandlerReturn, any Error>) { storage.withLock { $0 = result } }
    var result: Result<HandlerReturn, any Error>? { storage.withLock(\.self) }
}
