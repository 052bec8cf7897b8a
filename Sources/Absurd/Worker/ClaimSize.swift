package import LibPQ

/// How many runs a claim may ask for, so that its answer stays within bounds whatever tasks carry: the rules.
///
/// By what the last claim brought, since nobody knows the sizes of runs before they are claimed.
package struct ClaimSize: Sendable {
    /// What one answer should carry at most, in bytes of parameters and payloads.
    package static let budget = 32 << 20

    /// The next claim's bound.
    package private(set) var limit = Int.max

    package init() {}

    /// A claim was answered.
    package mutating func claimed(count: Int, bytes: Int) {
        guard count > 0 else { return }
        let fitting = max(1, Self.budget / max(1, bytes / count))
        // After an answer that did not arrive in time the bound grows step by step.
        limit = min(fitting, limit > Int.max / 2 ? .max : limit * 2)
    }

    /// A claim of so many runs failed: asked for less when what it asked for may have been too much.
    package mutating func failed(_ error: PostgresError, limit asked: Int) {
        guard error.code == .timedOut || error.sqlState == "53200" else { return }
        limit = max(1, asked / 2)
    }
}

extension ClaimSize {
    mutating func claimed(_ runs: [ClaimedRun]) {
        claimed(count: runs.count, bytes: runs.reduce(0) { $0 + $1.byteCount })
    }
}

extension ClaimedRun {
    fileprivate var byteCount: Int { params.byteCount + (eventPayload?.byteCount ?? 0) }
}
