import Synchronization

/// Which host of a connection string gave no answer, so that it is tried last from then on.
///
/// Each connection that is made after the silent death of a primary would wait for it first, for its share of
/// ``PostgresConfiguration/connectTimeout``.
package final class HostMemory: Sendable {
    private struct Order {
        let connectionString: String
        let options: [(keyword: String, value: String)]
        let end: ContinuousClock.Instant?
    }
    private let state = Mutex<Order?>(nil)

    init() {}

    /// The options that name the hosts in the order in which they are to be tried; empty for that of the connection
    /// string.
    func options(
        for connectionString: String, now: ContinuousClock.Instant
    ) -> [(keyword: String, value: String)] {
        state.withLock { order in
            if let end = order?.end, end <= now { order = nil }
            return order?.connectionString == connectionString ? order?.options ?? [] : []
        }
    }

    /// - Parameter options: those in force for the attempt.
    func wasSilent(
        _ host: HostList.Host, of connectionString: String, options: [String: String],
        now: ContinuousClock.Instant
    ) {
        var hosts = HostList(options: options)
        guard hosts.moveToEnd(host), let order = hosts.options else { return }
        // Where only one of the hosts will do there is no better order than that in which it is found. Elsewhere the first
        // may be preferred for reasons of its own, and gets another chance.
        let seeksPrimary = ["read-write", "primary"].contains(options["target_session_attrs"])
        state.withLock {
            $0 = Order(
                connectionString: connectionString, options: order,
                end: seeksPrimary ? nil : now + .seconds(60))
        }
    }
}
