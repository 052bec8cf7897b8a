import LibPQ
public import Logging
import Synchronization

/// What a handler works with: the task's parameters and the calls that survive a crash.
///
/// Durable calls (steps, sleeps, waits, spawns) are recorded under a name. When the handler runs again, a recorded
/// call returns at once what it returned before; so the handler must make the same calls under the same names each
/// time. A call that suspends the run throws ``ExecutionEnded``; let it pass.
///
/// Durable calls may run in parallel (`async let`, task groups) under different names. They may not be made
/// inside the body of a step.
public final class TaskContext: Sendable {
    package let run: ClaimedRun
    package let writer: RunWriter
    package let client: AbsurdClient
    package let claimSeconds: Int
    private let observer: WorkerObserver
    private let state: Mutex<ExecutionState>
    /// Everybody who waits for the state to change; resumed all together, each looks again.
    private let changes = ChangeSignal()
    /// The Swift task in which the handler runs, to be cancelled when the execution ends before the handler does.
    let handlerTask = HandlerTask()
    /// How long the claim lasts as far as can be told here.
    let lease: Mutex<ClaimLease>

    package init(
        run: ClaimedRun, checkpoints: [String: JSONText?], writer: RunWriter, client: AbsurdClient,
        claimTimeout: Int, observer: WorkerObserver
    ) {
        self.run = run
        self.writer = writer
        self.client = client
        self.claimSeconds = claimTimeout
        self.observer = observer
        self.state = Mutex(ExecutionState(checkpoints: checkpoints))
        self.lease = Mutex(ClaimLease(seconds: claimTimeout, from: run.receivedAt))
    }
}

extension TaskContext {
    public var taskID: TaskID { run.info.taskID }
    public var runID: RunID { run.info.runID }
    public var taskName: String { run.info.taskName }
    public var queue: String { run.info.queue }
    /// From 1.
    ///
    /// A run that was suspended and resumed keeps its number.
    public var attempt: Int { run.info.attempt }
    /// Nil when there is no limit.
    public var maxAttempts: Int? { run.info.maxAttempts }
    /// Metadata given at spawn.
    ///
    /// Empty when there is none.
    public var headers: [String: JSONValue] { run.info.headers }
    public var info: RunInfo { run.info }
    /// How long each recorded step and each ``heartbeat(for:)`` keeps the claim: the worker's
    /// ``WorkerOptions/claimTimeout``, in whole seconds.
    public var claimTimeout: Duration { .seconds(claimSeconds) }

    /// Writes with the metadata of this run: `task.id`, `task.name`, `run.id`, `run.attempt`, `absurd.queue` and
    /// `absurd.worker`.
    ///
    /// The handler's lines are written again when it runs again, unless they are written inside a step. Made at each
    /// call, so keep it when you log much.
    public var logger: Logger { observer.logger(for: run.info) }

    /// The parameters decoded as a type.
    ///
    /// - Throws: ``AbsurdError`` with the code `undecodable`.
    public func params<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try run.params(as: type)
    }

    package var paramsText: JSONText { run.params }
}

// MARK: - Admission

extension TaskContext {
    /// Set while the body of a step runs, for the body and everything that it starts.
    @TaskLocal package static var currentStep: String?

    package enum Admitted: Sendable {
        case proceed(checkpoint: String)
        case known(checkpoint: String, state: JSONText?)
    }

    /// Lets a durable call in, or throws because the execution has ended or the call is not allowed here.
    ///
    /// - Parameter holdsRun: Whether the run may not be parked while the call goes on; the caller then goes on
    ///   in ``holding(_:)`` if it is told to proceed.
    package func admit(_ name: String, holdsRun: Bool = false) async throws -> Admitted {
        try validateStep(name)
        let owner = withUnsafeCurrentTask { $0?.hashValue ?? 0 }
        return try await admit { $0.admit(name, owner: owner, holdsRun: holdsRun) }
    }

    /// Refuses a name, or a place, that no step can have.
    package func validateStep(_ name: String) throws {
        guard !name.allSatisfy(\.isWhitespace) else {
            throw AbsurdError.invalidArgument("the name of a step must not be empty")
        }
        guard let step = Self.currentStep else { return }
        throw AbsurdError.invalidArgument(
            "'\(name)' was called inside the body of step '\(step)'; steps do not nest, so call it before or "
                + "after that step")
    }

    /// Lets in a call that leaves no checkpoint and may be made anywhere in the handler.
    package func admitUnnamed(holdsRun: Bool = false) async throws {
        _ = try await admit { $0.admitUnnamed(holdsRun: holdsRun) }
    }

    private func admit(
        _ ask: (inout ExecutionState) -> ExecutionState.Admission
    ) async throws -> Admitted {
        while true {
            let ticket = changes.ticket()
            switch state.withLock({ ask(&$0) }) {
            case .proceed(let checkpoint): return .proceed(checkpoint: checkpoint)
            case .known(let checkpoint, let state): return .known(checkpoint: checkpoint, state: state)
            case .hold: await changes.wait(after: ticket)
            case .refused(let error): throw error
            case .ended(let end, let repeats):
                await slowDown(repeats: repeats)
                throw ExecutionEnded(reason: end.published)
            }
        }
    }

    /// Keeps a handler that ignores ``ExecutionEnded`` in a loop from burning a core.
    private func slowDown(repeats: Int) async {
        guard repeats > 3 else { return }
        if repeats == 10 {
            logger.info("the handler goes on although its execution has ended; let ExecutionEnded pass")
        }
        await sleepDespiteCancellation(for: .milliseconds(min(1000, 1 << min(repeats, 10))))
    }
}

// MARK: - Calls in flight and parking

extension TaskContext {
    /// Runs a call that keeps the run from being parked until it is over.
    package func inFlight<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        state.withLock { $0.callStarted() }
        defer { endHold() }
        return try await body()
    }

    /// Runs a call that was admitted so that it keeps the run from being parked until it is over.
    package func holding<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        defer { endHold() }
        return try await body()
    }

    private func endHold() {
        state.withLock { $0.callEnded() }
        changes.signal()
    }

    /// Sends a write, unless the execution has ended, and learns from a refusal that it has.
    ///
    /// The writer does not heed the cancellation of the handler's Swift task: the step has happened.
    package func write<Answer: LaneAnswer>(_ send: (RunWriter) async throws -> Answer) async throws -> Answer
    {
        let end: ExecutionState.End? = state.withLock {
            if $0.writeStarted() { return nil }
            guard case .ended(let end) = $0.phase else { return .finished }
            return end
        }
        if let end { throw ExecutionEnded(reason: end.published) }
        defer {
            state.withLock { $0.writeEnded() }
            changes.signal()
        }
        let answer = try await send(writer)
        guard let refusal = answer.refusal else { return answer }
        try accept(refusal)
        return answer
    }

    /// Parks the run if the statement says so.
    ///
    /// Waits until no other call is in flight.
    package func park(_ send: (RunWriter) async throws -> WaitAnswer) async throws -> WaitAnswer {
        while true {
            let ticket = changes.ticket()
            enum Turn { case mine, wait, ended(ExecutionState.End) }
            let turn: Turn = state.withLock {
                if case .ended(let end) = $0.phase { return .ended(end) }
                return $0.startParking() ? .mine : .wait
            }
            switch turn {
            case .ended(let end): throw ExecutionEnded(reason: end.published)
            case .wait:
                try Task.checkCancellation()
                await changes.waitUnlessCancelled(after: ticket)
            case .mine: return try await onSharedThreads { try await sendParking(send) }
            }
        }
    }

    private func sendParking(_ send: (RunWriter) async throws -> WaitAnswer) async throws -> WaitAnswer {
        let answer: WaitAnswer
        do {
            answer = try await send(writer)
        } catch {
            state.withLock { $0.parkingAnswered(parked: false) }
            changes.signal()
            throw error
        }
        state.withLock { $0.parkingAnswered(parked: answer == .parked) }
        changes.signal()
        if answer == .parked {
            handlerTask.cancel()
            throw ExecutionEnded(reason: .suspended)
        }
        if case .refused(let refusal) = answer { try accept(refusal) }
        return answer
    }

    /// Turns a refusal into the error that the durable call throws; ends the execution if the claim is gone.
    private func accept(_ refusal: Refusal) throws {
        switch refusal {
        case .lost, .cancelled, .failed:
            let reason = ExecutionState.End(refusal) ?? .claimLost
            end(reason)
            throw ExecutionEnded(reason: reason.published)
        case .data(let sqlState, let message):
            throw AbsurdError(
                .rejected,
                "the database refused the value" + (sqlState.map { " (SQLSTATE \($0))" } ?? "")
                    + "; jsonb holds neither NUL characters nor numbers beyond its range",
                sqlState: sqlState, serverMessage: message)
        case .busy:
            throw AbsurdError(.timedOut, "another session keeps the run's row locked")
        }
    }
}

// MARK: - The end

extension TaskContext {
    /// Ends the execution from outside: the claim is gone, its time is over, or the worker stops.
    ///
    /// False when it had ended, or when a parking statement is under way whose answer will tell.
    @discardableResult
    package func end(_ reason: ExecutionState.End) -> Bool {
        guard state.withLock({ $0.end(reason) }) else { return false }
        handlerTask.cancel()
        changes.signal()
        return true
    }

    /// Ends an execution whose time is over; false when it ended otherwise, also by being parked just now.
    package func timeOut() async -> Bool {
        while true {
            let ticket = changes.ticket()
            switch phase {
            case .ended: return false
            case .running: if end(.timedOut) { return true }
            case .parking: await changes.wait(after: ticket)
            }
        }
    }

    /// Runs the handler in the current Swift task, which is cancelled if the execution ends before the handler.
    package func runningHandler<Value>(_ body: () async -> Value) async -> Value {
        await handlerTask.during(body)
    }

    /// Closes the execution when the handler has come back, and says how it ended.
    ///
    /// Waits for a parking statement and for writes that something left behind still has under way, so that the
    /// verdict is sent after every earlier write of the run.
    package func close() async -> ExecutionState.End {
        while true {
            let ticket = changes.ticket()
            let end: ExecutionState.End? = state.withLock {
                if $0.phase == .parking { return nil }
                $0.end(.finished)
                guard $0.writesInFlight == 0, case .ended(let end) = $0.phase else { return nil }
                return end
            }
            if let end { return end }
            await changes.wait(after: ticket)
        }
    }

    /// Returns when no write of this execution is under way, or when the current task is cancelled.
    package func writesAnswered() async {
        while !Task.isCancelled {
            let ticket = changes.ticket()
            if areWritesAnswered { return }
            await changes.waitUnlessCancelled(after: ticket)
        }
    }

    /// The same, whether the current task is cancelled or not.
    package func writesAnsweredDespiteCancellation() async {
        while true {
            let ticket = changes.ticket()
            if areWritesAnswered { return }
            await changes.wait(after: ticket)
        }
    }

    package var areWritesAnswered: Bool {
        state.withLock { $0.writesInFlight == 0 && $0.phase != .parking }
    }

    /// What this execution knows of a checkpoint: nil for nothing, and nil inside for one without a value.
    package func recorded(_ checkpoint: String) -> JSONText?? {
        state.withLock { $0.checkpoints[checkpoint] }
    }

    package func cached(_ checkpoint: String, _ value: JSONText?) {
        state.withLock { $0.remember(checkpoint, value) }
    }

    package var phase: ExecutionState.Phase { state.withLock(\.phase) }
}
