import Foundation

/// A way in which the database goes away.
enum Outage: String, CaseIterable, Sendable {
    case restart = "the server is restarted, immediately"
    case stopped = "the server is stopped, and started again later"
    case terminated = "the sessions are terminated"
    case failover = "the primary fails and the standby is promoted"
    case silentFailover = "the primary falls silent, and the standby is promoted after a while"
    case cut = "the connections are cut"
    case silent = "the network drops packets and forgets connections"
    case slow = "the network is slow"
    case full = "all connections of the server are taken"
    case diskFull = "the server's disk is full"
    case readOnly = "the server is read-only"

    /// Those to be tested: what `ABSURD_TEST_OUTAGES` names (`failover,full`, or `all`), else three.
    ///
    /// All of them take three minutes and a machine that has little else to do; `scripts/test` runs them by themselves.
    static var chosen: [Outage] {
        guard let names = ProcessInfo.processInfo.environment["ABSURD_TEST_OUTAGES"] else {
            return [.restart, .terminated, .cut]
        }
        return names == "all" ? allCases : allCases.filter { names.split(separator: ",").contains("\($0)") }
    }

    /// Whether nothing can be claimed or recorded while it lasts.
    var isTotal: Bool {
        switch self {
        case .terminated, .restart, .slow, .full, .failover, .diskFull: false
        case .stopped, .cut, .silent, .readOnly, .silentFailover: true
        }
    }

    var hasStandby: Bool { self == .failover || self == .silentFailover }

    /// How soon after the server accepts work each worker has to have recorded something.
    ///
    /// Promised are three seconds; one more is for the steps of the task and a machine with other work. A host that does
    /// not even refuse connections holds an attempt up for its `connect_timeout`, here two seconds.
    var recovery: Duration { self == .silentFailover ? .seconds(6) : .seconds(4) }

    /// How often all connections of a client are broken: 4, that which listens and that of the beats.
    ///
    /// While the server is full, some get through and are broken again.
    var breaks: Int { self == .terminated ? 4 : self == .full ? 2 : 1 }
}
