import LibPQ
import Testing

/// A call of `absurd_swift` that locks several rows, or one row after another.
enum CollidingBatch: String, CaseIterable, Sendable {
    case complete, onlyComplete, fail, sleep, checkpoint, renew, awaitEvent, awaitTask
    case cancel, emit, spawn, spawnNew
    // Those that only a queue's own functions do: the event that one run waits for, one that several do, a task.
    case emitAndClaim, emitAndWake, spawnAndClaim

    /// Those that a queue has that was given functions of its own, or was not.
    static func all(isPlanned: Bool) -> [CollidingBatch] {
        allCases.filter { isPlanned || ![.emitAndClaim, .emitAndWake, .spawnAndClaim].contains($0) }
    }

    /// Sends it as its callers do, until it is answered, and returns the answers.
    func send(_ scene: CollisionScene) async throws -> [String] {
        let (queue, claims) = (scene.queue, scene.claims)
        switch self {
        case .complete, .fail, .sleep:
            return try await givingWay(claims) { claims, wait in
                try await queue.finish(
                    claims.map { .init($0, rawValue, "1", delay: self == .sleep ? 60 : nil) }, wait: wait)
            }
        case .onlyComplete:
            return try await givingWay(claims) { claims, wait in
                // What conflicts goes on as one of several ends.
                wait
                    ? try await queue.complete(claims.map { ($0, "1") })
                    : try await queue.finish(claims.map { .init($0, "complete", "1") }, wait: false)
            }
        case .checkpoint:
            return try await givingWay(claims) { claims, wait in
                try await queue.checkpoint(claims.map { ($0, "step", "1") }, renewing: 7200, wait: wait)
            }
        case .renew:
            return try await givingWay(claims) { try await queue.renew($0, timeout: 7200, wait: $1) }
        case .awaitEvent:
            return try await givingWay(Array(claims.enumerated())) { claims, wait in
                try await queue.awaitEvent(
                    claims.map { ($0.element, "step", CollisionScene.eventOfClaim($0.offset)) }, wait: wait)
            }
        case .awaitTask:
            return try await givingWay(Array(zip(claims, scene.parked))) { claims, wait in
                try await queue.awaitTask(claims.map { ($0, "step", $1.task) }, wait: wait)
            }
        case .cancel:
            return try await givingWay((claims + scene.parked).map(\.task)) { tasks, _ in
                try await queue.cancel(tasks)
            }
        case .emit:
            return try await givingWay((0..<4).map(CollisionScene.event)) { events, _ in
                try await queue.emitTogether(events.map { ($0, "1") })
            }
        case .spawn, .spawnNew, .emitAndClaim, .emitAndWake, .spawnAndClaim:
            return try await sendNew(queue)
        }
    }

    private func sendNew(_ queue: ExtensionQueue) async throws -> [String] {
        let keyed = (0..<CollisionScene.count).map { (name: "task", options: CollisionScene.keyed($0)) }
        switch self {
        case .spawn:
            return try await givingWay(keyed) { rows, _ in
                try await queue.spawnTogether(rows).map { .only($0.isNew ? "new" : "known") }
            }
        case .spawnNew:
            let rows = try await queue.newTasks(keyed.map { ($0.name, $0.options) })
            return try await givingWay(rows) { rows, _ in
                let told = try await queue.spawnNew(rows)
                return rows.indices.map { told[$0 + 1] ?? .only("new") }
            }
        case .spawnAndClaim:
            return try await givingWay(try await queue.newTasks([("task", keyed[0].options)])) { rows, _ in
                [.only(try await queue.spawnAndClaim(rows[0]) == nil ? "known" : "new")]
            }
        default:
            let event = self == .emitAndClaim ? CollisionScene.loneEvent : CollisionScene.event(0)
            return try await givingWay([event]) { events, _ in
                let emission = try await queue.emitAndClaim(events[0], "1")
                return [.only(try #require(emission.answer))]
            }
        }
    }
}
