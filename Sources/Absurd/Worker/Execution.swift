import Synchronization
import Tracing

/// Executes one claimed run: runs its handler, decides what it came to, tells the database, and frees its slot.
struct Execution: Sendable {
    let session: WorkerSession
    let context: TaskContext
    let slot: Int

    var worker: Worker { session.worker }
    private var run: ClaimedRun { context.run }

    func run() async {
        let lifecycle = session.lifecycle
        let hasRoom = await worker.client.executions.enter(
            run.info.runID, unless: { [context] in lifecycle.stage == .stopping || context.hasEnded })
        // The claim may have ended while the run's earlier execution was waited for.
        if case .ended(let end) = context.phase {
            report(endedBefore: end)
            return hasRoom ? leave() : leaveAnother()
        }
        guard hasRoom else {
            await session.giveBack([run])
            return leaveAnother()
        }
        guard let handler = worker.handlers[run.info.taskName] else {
            await deferUnknown()
            return leave()
        }
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
        if let limit = handler.attemptTimeout {
            await execute(handler, for: limit, since: start)
            return leave()
        }
        let returned = await context.runningHandler { await invoke(handler) }
        let outcome = await outcome(of: returned, handler)
        let duration = ContinuousClock.now - start
        // Nobody has to wait for this one, which is most of what short handlers come to.
        if case .complete(let result) = outcome { return complete(result, handler, duration) }
        await conclude(outcome, handler, duration)
        leave()
    }

    func outcome(of returned: Result<HandlerReturn, any Error>, _ handler: Handler) async -> Outcome {
        .decide(returned, end: await context.close(), attemptTimeout: handler.attemptTimeout)
    }

    func conclude(_ outcome: Outcome, _ handler: Handler, _ duration: Duration) async {
        if let event = await act(on: outcome, handler, duration: duration) { session.observer.report(event) }
    }

    func invoke(_ handler: Handler) async -> Result<HandlerReturn, any Error> {
        do {
            return .success(try await session.isTracing ? withinSpan(handler) : throughHook(handler))
        } catch {
            return .failure(error)
        }
    }

    private func withinSpan(_ handler: Handler) async throws -> HandlerReturn {
        let parent = TracingHeaders.extract(from: run.info.headers)
        return try await withSpan("run \(run.info.taskName)", context: parent, ofKind: .consumer) { span in
            if span.isRecording {
                span.attributes["absurd.queue"] = run.info.queue
                span.attributes["absurd.task.id"] = run.info.taskID.description
                span.attributes["absurd.run.id"] = run.info.runID.description
                span.attributes["absurd.attempt"] = run.info.attempt
            }
            return try await throughHook(handler)
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
}

// MARK: - Room for others

extension Execution {
    /// Frees the slot, and lets the run be executed again in this process.
    func leave() {
        makeRoom()
        worker.room.signal()
    }

    /// The same without telling who waits for a slot.
    func makeRoom() {
        worker.client.executions.leave(run.info.runID)
        giveSlotBack()
    }

    /// Frees the slot while the run's earlier execution goes on.
    private func leaveAnother() {
        giveSlotBack()
        worker.room.signal()
    }

    private func giveSlotBack() {
        worker.slotTable.give(back: slot)
        session.observer.slotGivenBack()
    }
}

/// Carries what the handler came to past a hook, which returns nothing.
private final class ResultBox: Sendable {
    private let storage = Mutex<Result<HandlerReturn, any Error>?>(nil)
    func store(_ result: Result<HandlerReturn, any Error>) { storage.withLock { $0 = result } }
    var result: Result<HandlerReturn, any Error>? { storage.withLock(\.self) }
}
