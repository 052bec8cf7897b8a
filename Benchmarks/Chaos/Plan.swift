import Absurd
import ChaosModel

/// Everything that a seed decides: what the tasks do, when they come, and what goes wrong.
///
/// Times are milliseconds from the start of the round.
struct Plan {
    struct PlannedTask {
        var at: Int
        var ending: Ending
        var operations: [Act]
        /// When a cancelled task is cancelled.
        var cancelledAt: Int?
    }

    struct PlannedEvent {
        var at: Int
        var name: String
    }

    static let workers = 3

    let seed: UInt64
    /// How the tables of the queue are laid out.
    let storage: StorageMode
    private(set) var tasks: [PlannedTask] = []
    private(set) var events: [PlannedEvent] = []
    private(set) var faults: [Fault] = []

    init(seed: UInt64) {
        self.seed = seed
        var generator = SeededGenerator(seed: seed)
        storage = generator.pick([(3, .unpartitioned), (1, .partitioned)])
        let length = Int.random(in: 5000...9000, using: &generator)
        for number in 1...Int.random(in: 4...10, using: &generator) {
            events.append(
                PlannedEvent(at: Int.random(in: 0...length, using: &generator), name: "event\(number)"))
        }
        for _ in 0..<Int.random(in: 60...150, using: &generator) {
            tasks.append(plannedTask(length, &generator))
        }
        tasks.sort { $0.at < $1.at }
        faults = Fault.plan(length, &generator)
    }

    private func plannedTask(_ length: Int, _ generator: inout SeededGenerator) -> PlannedTask {
        let at = Int.random(in: 0...length * 7 / 10, using: &generator)
        let ending: Ending = generator.pick([
            (60, .steady), (11, .limited), (5, .doomed), (9, .cancelled), (6, .expiring), (4, .retried),
            (5, .overrunning),
        ])
        var operations: [Act] = []
        for _ in 0..<Int.random(in: 1...5, using: &generator) {
            operations.append(operation(in: ending, &generator))
        }
        var cancelledAt: Int?
        switch ending {
        case .steady: break
        case .limited: operations.append(.fail(attempts: Int.random(in: 0...2, using: &generator)))
        case .doomed: operations.append(.fail(attempts: .max))
        case .retried: operations.append(.fail(attempts: ending.attempts ?? 0))
        case .overrunning: operations.append(.overrun(attempts: Int.random(in: 0...2, using: &generator)))
        case .expiring: operations.append(.await(event: "never"))
        case .cancelled:
            operations.append(.await(event: "never"))
            cancelledAt = at + Int.random(in: 0...3000, using: &generator)
        }
        return PlannedTask(at: at, ending: ending, operations: operations, cancelledAt: cancelledAt)
    }

    private func operation(in ending: Ending, _ generator: inout SeededGenerator) -> Act {
        let event = events[Int.random(in: 0..<events.count, using: &generator)].name
        // Most events are there early in a round, so waits that are given up need one that never is.
        let rare = Int.random(in: 0..<3, using: &generator) == 0 ? "never" : event
        let short = Int.random(in: 0...200, using: &generator)
        let long = Int.random(in: 500...2500, using: &generator)
        // Spawned children are to end completed, so they come from tasks that are executed often enough. And a step
        // that takes long must not use up the attempts of a task that has few, or overrun its time limit.
        let isSteady = ending == .steady
        return generator.pick([
            (40, .step(milliseconds: short)), (ending == .overrunning ? 0 : 4, .step(milliseconds: long)),
            (8, .parallel(count: 3, milliseconds: short)), (14, .sleep(milliseconds: long / 2)),
            (12, .await(event: event)), (7, .awaitBriefly(event: rare, milliseconds: long / 2)),
            (6, .emit(event: event)),
            (isSteady ? 10 : 0, .child([.step(milliseconds: short), .sleep(milliseconds: short)])),
            (isSteady ? 2 : 0, .beat(milliseconds: 4000 + long)),
        ])
    }
}
