/// How long connecting may take, in total and for each address.
///
/// libpq keeps `connect_timeout` only in its blocking functions, so the asynchronous ones need this.
struct ConnectionLimits: Sendable {
    private let start: ContinuousClock.Instant
    /// The caller's own, beyond which nothing goes.
    private let limit: ContinuousClock.Instant?
    private(set) var deadline: ContinuousClock.Instant
    private var perAddress: Duration?
    private var address: HostList.Host?
    private var addressDeadline: ContinuousClock.Instant?

    init(total: Duration, until limit: ContinuousClock.Instant? = nil, start: ContinuousClock.Instant) {
        self.start = start
        self.limit = limit
        deadline = limit.map { min($0, start + total) } ?? start + total
    }

    /// Takes over the user's `connect_timeout`, which counts per host; without one the hosts share the
    /// total, so that a silent first host leaves time for the second.
    mutating func learn(from options: [String: String]) {
        let hosts = options["hostaddr"] ?? options["host"] ?? ""
        let hostCount = hosts.utf8.count { $0 == UInt8(ascii: ",") } + 1
        if let seconds = options["connect_timeout"].flatMap({ Int($0) }), seconds > 0 {
            perAddress = .seconds(seconds)
            let total = start + .seconds(seconds) * hostCount
            deadline = limit.map { min($0, total) } ?? total
        } else if hostCount > 1 {
            perAddress = start.duration(to: deadline) / hostCount
        }
    }

    /// Notes which address is being connected: a new one has its own time.
    mutating func enter(address: HostList.Host, now: ContinuousClock.Instant) {
        guard address != self.address else { return }
        self.address = address
        addressDeadline = perAddress.map { now + $0 }
    }

    /// Notes that the attempt begins anew, with other hosts.
    mutating func leaveAddress() {
        address = nil
    }

    /// When to stop waiting for the current address.
    var next: ContinuousClock.Instant {
        addressDeadline.map { min($0, deadline) } ?? deadline
    }
}
