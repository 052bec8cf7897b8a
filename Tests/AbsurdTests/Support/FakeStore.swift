import Absurd
import Synchronization

/// A store whose claims do what the test says; everything else is unreachable without a claimed run.
final class FakeStore: RunStore {
    private let onClaim: @Sendable (ClaimRequest) async throws -> [ClaimedRun]
    private let claims = Mutex<[ContinuousClock.Instant]>([])

    init(onClaim: @escaping @Sendable (ClaimRequest) async throws -> [ClaimedRun]) { self.onClaim = onClaim }

    var claimCount: Int { claims.withLock(\.count) }

    func claim(_ request: ClaimRequest) async throws -> [ClaimedRun] {
        claims.withLock { $0.append(.now) }
        return try await onClaim(request)
    }

    func giveBackStrays(known: [ClaimKey], holder: ClaimHolder) async throws -> Int { 0 }
    func checkReadiness(queue: String) async throws {}
    func register(_ entry: RegistryEntry) async throws -> Bool { false }
    func deregister(_ worker: String) async throws -> Bool { true }

    func loadCheckpoints(queue: String, runs: [RunID]) async throws -> [RunID: [String: JSONText?]] {
        throw NothingClaimed()
    }
    func finish(_ writes: [FinishWrite], holder: ClaimHolder, wait: Bool) async throws -> [FinishAnswer] {
        throw NothingClaimed()
    }
    func checkpoint(
        _ writes: [CheckpointWrite], holder: ClaimHolder, wait: Bool
    ) async throws -> [CheckpointAnswer] { throw NothingClaimed() }
    func renew(_ writes: [RenewWrite], holder: ClaimHolder, wait: Bool) async throws -> [RenewAnswer] {
        throw NothingClaimed()
    }
    func awaitEvent(_ writes: [EventWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        throw NothingClaimed()
    }
    func awaitTask(_ writes: [TaskWait], holder: ClaimHolder, wait: Bool) async throws -> [WaitAnswer] {
        throw NothingClaimed()
    }
}

struct NothingClaimed: Error {}
