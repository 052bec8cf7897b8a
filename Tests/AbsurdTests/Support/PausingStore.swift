import Absurd
import LibPQ
import Synchronization

/// The kinds of write of a worker, each a statement of its own.
enum WriteKind: String, CaseIterable, Sendable {
    case checkpoint, renew, lookForEvent, takeEvent, parkOnEvent, lookAtTask, takeResult, parkOnTask
    case sleep, putOff, complete, fail, release

    init(_ action: FinishWrite.Action) {
        switch action {
        case .complete: self = .complete
        case .fail: self = .fail
        case .sleep(_, checkpoint: .some): self = .sleep
        case .sleep(_, checkpoint: nil): self = .putOff
        case .release: self = .release
        }
    }

    /// The event `emitted` is one that has been, so that the look takes it.
    init(_ wait: EventWait) {
        self = wait.event == "emitted" ? .takeEvent : wait.parks ? .parkOnEvent : .lookForEvent
    }

    /// The step `ended` takes the result of a task that has.
    init(_ wait: TaskWait) {
        self = wait.step == "ended" ? .takeResult : wait.parks ? .parkOnTask : .lookAtTask
    }
}

/// The real store, which stops before its first statement of one kind until the test lets it go on.
///
/// Counts the statements that it sends, so that a test can tell what never reached the database.
final class PausingStore: RunStore {
    let pause = HoldPoint()
    /// Where the loading of checkpoints waits, if it does.
    let load = HoldPoint()
    private let base: PostgresRunStore
    private let kind: WriteKind?
    private let counts = Mutex<[WriteKind: Int]>([:])
    private let lookCount = Mutex(0)
    private let loadCount = Mutex(0)
    private let claims = Mutex<[Int]>([])

    /// - Parameter kind: Nil only counts.
    init(_ base: PostgresRunStore, before kind: WriteKind?, holdsLoads: Bool = false) {
        if !holdsLoads { load.open() }
        self.base = base
        self.kind = kind
    }

    var writes: [WriteKind: Int] { counts.withLock(\.self) }
    /// How often the worker has looked at its claims.
    var looks: Int { lookCount.withLock(\.self) }
    /// How often the worker has loaded checkpoints, for however many runs at once.
    var loads: Int { loadCount.withLock(\.self) }

    /// How many runs each claim has brought that brought any.
    var claimed: [Int] { claims.withLock(\.self) }

    private func reach(_ kind: WriteKind) async {
        let isFirst = counts.withLock { counts in
            counts[kind, default: 0] += 1
            return counts[kind] == 1
        }
        if isFirst, kind == self.kind { await pause.arriveAndWait() }
    }

    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] {
        let runs = try await base.claim(request)
        if !runs.isEmpty { claims.withLock { $0.append(runs.count) } }
        return runs
    }
    func register(_ entry: RegistryEntry) async throws -> Bool { try await base.register(entry) }
    func deregister(_ worker: String) async throws -> Bool { try await base.deregister(worker) }
    func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int {
        try await base.giveBackStrays(known: known, holder: holder)
    }
    func checkReadiness(queue: String) async throws { try await base.checkReadiness(queue: queue) }

    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        loadCount.withLock { $0 += 1 }
        await load.arriveAndWait()
        return try await base.loadCheckpoints(queue: queue, runs: runs)
    }

    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer] {
        for write in writes { await reach(WriteKind(write.action)) }
        return try await base.finish(writes, holder: holder, wait: wait)
    }

    func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] {
        await reach(.checkpoint)
        return try await base.checkpoint(writes, holder: holder, wait: wait)
    }

    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer] {
        // The worker's own look, which does not wait for locks, is no write of the handler.
        if wait { await reach(.renew) }
        defer { if !wait { lookCount.withLock { $0 += 1 } } }
        return try await base.renew(writes, holder: holder, wait: wait)
    }

    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        await reach(WriteKind(writes[0]))
        return try await base.awaitEvent(writes, holder: holder, wait: wait)
    }

    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        await reach(WriteKind(writes[0]))
        return try await base.awaitTask(writes, holder: holder, wait: wait)
    }
}
