import Absurd
import LibPQ
import Synchronization

/// The real store, whose database is away while the test says so.
final class SwitchedStore: RunStore {
    private let base: PostgresRunStore
    private let away = Atomic<Bool>(false)

    init(_ base: PostgresRunStore) { self.base = base }

    var isAway: Bool {
        get { away.load(ordering: .relaxed) }
        set { away.store(newValue, ordering: .relaxed) }
    }

    private func reaching<Answer>(_ send: () async throws -> Answer) async throws -> Answer {
        guard !isAway else { throw PostgresError(.connectionLost, "the server is away") }
        return try await send()
    }

    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] {
        try await reaching { try await base.claim(request) }
    }
    func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int {
        try await reaching { try await base.giveBackStrays(known: known, holder: holder) }
    }
    func checkReadiness(queue: String) async throws {
        try await reaching { try await base.checkReadiness(queue: queue) }
    }
    func register(_ entry: RegistryEntry) async throws -> Bool {
        try await reaching { try await base.register(entry) }
    }
    func deregister(_ worker: String) async throws -> Bool {
        try await reaching { try await base.deregister(worker) }
    }
    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        try await reaching { try await base.loadCheckpoints(queue: queue, runs: runs) }
    }
    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer] {
        try await reaching { try await base.finish(writes, holder: holder, wait: wait) }
    }
    func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] {
        try await reaching { try await base.checkpoint(writes, holder: holder, wait: wait) }
    }
    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer] {
        try await reaching { try await base.renew(writes, holder: holder, wait: wait) }
    }
    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        try await reaching { try await base.awaitEvent(writes, holder: holder, wait: wait) }
    }
    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        try await reaching { try await base.awaitTask(writes, holder: holder, wait: wait) }
    }
}
