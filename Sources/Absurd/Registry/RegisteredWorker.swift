public import Foundation
import LibPQ

/// A worker as it stands in the registry.
public struct RegisteredWorker: Sendable, Hashable {
    public enum State: String, Sendable, CaseIterable {
        /// It beats.
        case live
        /// It has not beaten for longer than it may; the others will find that.
        case silent
        /// It was taken for dead, and some of its runs wait to be given up: final attempts do for ten seconds.
        case lost
    }

    /// What `claimed_by` of its runs is.
    public let id: String
    public let queue: String
    /// One start of a program; workers that share it ended together if one has crashed.
    public let process: String
    public let host: String
    public let processID: Int
    /// ``WorkerOptions/version``.
    public let version: String
    /// How many handlers it executes at once.
    public let slots: Int
    /// How many were executing at its last beat.
    public let running: Int
    /// How often its pool has started it again, and a supervisor its process.
    public let restarts: Int
    public let registeredAt: Date
    public let lastSeenAt: Date
    public let state: State
}

extension RegisteredWorker {
    init(_ row: SQLRow) throws {
        guard let state = State(rawValue: try row.decode("state")),
            let registeredAt = try row.date("registered_at"), let lastSeenAt = try row.date("last_seen_at")
        else {
            throw SpawnStatement.wrongAnswer
        }
        self.init(
            id: try row.decode("worker_id"), queue: try row.decode("queue"),
            process: try row.decode("process"), host: try row.decode("host"),
            processID: try row.decode("process_id"), version: try row.decode("version"),
            slots: try row.decode("slots"), running: try row.decode("running"),
            restarts: try row.decode("restarts"), registeredAt: registeredAt, lastSeenAt: lastSeenAt,
            state: state)
    }
}
