import Absurd
import LibPQ
import Synchronization

/// The real store, whose connection is lost once for each kind of statement: before it, or after it took effect.
///
/// Of the claims it is the first that has runs.
final class LosingStore: RunStore {
    enum Moment: Sendable {
        case before, after
        /// Only claims, which take effect after the first look for their runs.
        case late
    }

    private let base: PostgresRunStore
    private let moment: Moment
    private let lost = Mutex<[String: Int]>([:])
    private let lateClaim = Mutex<ClaimRequest?>(nil)
    private let lateRuns = Mutex(0)
    private let releases = Atomic<Int>(0)

    /// Called before each statement that gives runs back, with its number.
    private let beforeRelease: @Sendable (Int) async -> Void

    init(
        _ base: PostgresRunStore, _ moment: Moment,
        beforeRelease: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.base = base
        self.moment = moment
        self.beforeRelease = beforeRelease
    }

    /// How many runs the late claim had.
    var lateRunCount: Int { lateRuns.withLock(\.self) }

    /// How many connections were lost in statements of each kind.
    var losses: [String: Int] { lost.withLock(\.self) }

    private func losing<Answer>(_ kind: String, _ send: () async throws -> Answer) async throws -> Answer {
        guard moment != .late, isFirst(kind) else { return try await send() }
        if moment == .after { _ = try await send() }
        throw PostgresError(.connectionLost, "the connection was cut")
    }

    private func isFirst(_ kind: String) -> Bool {
        lost.withLock { lost in
            guard lost[kind] == nil else { return false }
            lost[kind] = 1
            return true
        }
    }

    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] {
        switch moment {
        case .before:
            return try await losing("claim") { try await base.claim(request) }
        case .after:
            let runs = try await base.claim(request)
            guard !runs.isEmpty, isFirst("claim") else { return runs }
        case .late:
            guard isFirst("claim") else { return try await base.claim(request) }
            lateClaim.withLock { $0 = request }
        }
        throw PostgresError(.connectionLost, "the connection was cut")
    }

    func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int {
        let count = try await losing("give back") {
            try await base.giveBackStrays(known: known, holder: holder)
        }
        let request = lateClaim.withLock { claim in
            defer { claim = nil }
            return claim
        }
        if let request {
            let runs = try await base.claim(request)
            lateRuns.withLock { $0 = runs.count }
        }
        return count
    }

    func checkReadiness(queue: String) async throws { try await base.checkReadiness(queue: queue) }
    func register(_ entry: RegistryEntry) async throws -> Bool { try await base.register(entry) }
    func deregister(_ worker: String) async throws -> Bool { try await base.deregister(worker) }

    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        try await losing("load") { try await base.loadCheckpoints(queue: queue, runs: runs) }
    }

    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer] {
        let kind: String
        switch writes[0].action {
        case .complete: kind = "complete"
        case .fail: kind = "fail"
        case .sleep: kind = "sleep"
        case .release:
            kind = "release"
            await beforeRelease(releases.add(1, ordering: .relaxed).newValue)
        }
        return try await losing(kind) { try await base.finish(writes, holder: holder, wait: wait) }
    }

    func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] {
        try await losing("checkpoint") { try await base.checkpoint(writes, holder: holder, wait: wait) }
    }

    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer] {
        try await losing("renew") { try await base.renew(writes, holder: holder, wait: wait) }
    }

    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        let kind = writes[0].parks ? "park on event" : "look for event"
        return try await losing(kind) { try await base.awaitEvent(writes, holder: holder, wait: wait) }
    }

    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        let kind = writes[0].parks ? "park on task" : "look at task"
        return try await losing(kind) { try await base.awaitTask(writes, holder: holder, wait: wait) }
    }
}
