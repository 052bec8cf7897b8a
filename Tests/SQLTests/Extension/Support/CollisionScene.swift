import Foundation
import LibPQ
import Testing

/// Runs that are claimed, and tasks that wait for events, for calls that collide.
///
/// Ids are in an order of their own: the tasks' order is the opposite of the runs'.
struct CollisionScene: Sendable {
    static let count = 12

    var queue: ExtensionQueue
    var claims: [ExtensionQueue.Claim]
    /// Each waits for one of the events `event 0` to `event 3`, in turns.
    var parked: [ExtensionQueue.Claim]
    /// The only one that waits for ``loneEvent``.
    var lone: ExtensionQueue.Claim

    /// Empties the queue before: what a round has left is not in the next one's way.
    init(_ queue: ExtensionQueue) async throws {
        self.queue = queue
        let tables = ["t", "r", "c", "e", "w"].map { "absurd.\($0)_\(queue.name)" }
        try await queue.run("truncate \(tables.joined(separator: ", "))")
        let count = 2 * Self.count + 1
        let ids = try await queue.ids(2 * count).sorted { $0.uuidString < $1.uuidString }
        try await queue.run(
            "select absurd_swift.spawn($1, $2, $3, $4, $5, $6)",
            [
                .text(queue.name), .uuidArray(ids[..<count].reversed()), .uuidArray(Array(ids[count...])),
                .textArray(Array(repeating: "task", count: count)),
                .textArray(Array(repeating: "{}", count: count)),
                .textArray(Array(repeating: nil, count: count)),
            ])
        let all = try await queue.claim(limit: Int64(count), timeout: 3600)
        claims = Array(all[..<Self.count])
        parked = Array(all[Self.count..<(count - 1)])
        lone = all[count - 1]
        let answers = try await queue.awaitEvent(
            parked.indices.map { (parked[$0], "wait", Self.event($0 % 4)) }
                + [(lone, "wait", Self.loneEvent)])
        #expect(Set(answers.map(\.answer)) == ["parked"])
    }

    static let loneEvent = event(4)

    static func event(_ number: Int) -> String { "event \(number)" }

    /// The event that the claimed run at that index asks for: in blocks, so that halves of the runs ask for different ones.
    static func eventOfClaim(_ index: Int) -> String { event(index / 3) }

    static func keyed(_ index: Int) -> String { #"{"idempotency_key": "k\#(index)"}"# }
}

/// A transaction of functions of `absurd`, each for one task, run or event.
enum ForeignTransaction: String, CaseIterable, Sendable {
    case emitEvent, awaitEvent, completeRun, cancelTask, cancelTaskThenAwaitEvent, spawnTask

    /// The calls in an order that is the opposite of ours when it is reversed, or the other way round.
    func calls(_ scene: CollisionScene) -> [(String, [SQLParameter])] {
        let queue = SQLParameter.text(scene.queue.name)
        func park(_ claim: ExtensionQueue.Claim, _ event: String) -> (String, [SQLParameter]) {
            (
                "select * from absurd.await_event($1, $2, $3, 'foreign', $4)",
                [queue, .uuid(claim.task), .uuid(claim.run), .text(event)]
            )
        }
        func cancel(_ claim: ExtensionQueue.Claim) -> (String, [SQLParameter]) {
            ("select absurd.cancel_task($1, $2)", [queue, .uuid(claim.task)])
        }
        switch self {
        case .emitEvent:
            return (0..<5).map {
                ("select absurd.emit_event($1, $2, '1')", [queue, .text(CollisionScene.event($0))])
            }
        case .awaitEvent:
            return scene.claims.enumerated().map { park($1, CollisionScene.eventOfClaim($0)) }
        case .completeRun:
            return scene.claims.map {
                ("select absurd.complete_run($1, $2, '1')", [queue, .uuid($0.run)])
            }
        case .cancelTask:
            return zip(scene.claims, scene.parked).flatMap { [cancel($0), cancel($1)] } + [cancel(scene.lone)]
        case .cancelTaskThenAwaitEvent:
            return (scene.parked[..<4] + [scene.lone]).map(cancel)
                + (0..<5).map { park(scene.claims[$0], CollisionScene.event($0)) }
        case .spawnTask:
            return (0..<CollisionScene.count).map {
                (
                    "select absurd.spawn_task($1, 'foreign', '{}', $2::jsonb)",
                    [queue, .text(CollisionScene.keyed($0))]
                )
            }
        }
    }
}
