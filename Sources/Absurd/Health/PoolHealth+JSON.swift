/// As a document for the answer to an HTTP probe.
extension PoolHealth: Encodable {
    private enum Key: String, CodingKey { case queue, status, live, ready, problems, workers }

    /// `queue`, `status` (`live`, `ready` or `degraded`), `live`, `ready`, `problems` (`code`, `message`, `worker`) and
    /// `workers` (`worker`, `phase`, `seconds`, `slots`, `slots_used`, `restarts`).
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(queue, forKey: .queue)
        try container.encode(status.name, forKey: .status)
        try container.encode(isLive, forKey: .live)
        try container.encode(isReady, forKey: .ready)
        try container.encode(problems, forKey: .problems)
        try container.encode(workers, forKey: .workers)
    }
}

extension PoolHealth.Status {
    var name: String {
        switch self {
        case .live: "live"
        case .ready: "ready"
        case .degraded: "degraded"
        }
    }
}

extension HealthProblem: Encodable {
    private enum Key: String, CodingKey { case code, message, worker }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(code.rawValue, forKey: .code)
        try container.encode(message, forKey: .message)
        try container.encode(workerID, forKey: .worker)
    }
}

extension WorkerHealth: Encodable {
    private enum Key: String, CodingKey {
        case worker, phase, seconds, slots, restarts
        case slotsUsed = "slots_used"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(id, forKey: .worker)
        try container.encode(phase.rawValue, forKey: .phase)
        try container.encode(Double(duration.wholeMicroseconds) / 1_000_000, forKey: .seconds)
        try container.encode(slotCount, forKey: .slots)
        try container.encode(slotsUsed, forKey: .slotsUsed)
        try container.encode(restarts, forKey: .restarts)
    }
}
