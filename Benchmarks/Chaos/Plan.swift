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
    private(set) var tasks: [PlannedTask] = []
    private(set) var events: [PlannedEvent] = []
    private(set) var faults: [Fault] = []

    init(seed: UInt64) {
        self.seed = seed
        var generator = SeededGenerator(seed: seed)
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
            (66, .steady), (12, .limited), (6, .doomed), (10, .cancelled), (6, .expiring),
        ])
        var operations = (1...Int.random(in: 1...5, using: &generator)).map { _ in
            operation(in: ending, &generator)
        }
        var cancelledAt: Int?
        switch ending {
        case .steady: break
        case .limited: operations.append(.fail(attempts: Int.random(in: 0...2, using: &generator)))
        case .doomed: operations.append(.fail(attempts: .max))
        case .expiring: operations.append(.await(event: "never"))
        case .cancelled:
            operations.append(.await(event: "never"))
            cancelledAt = at + Int.random(in: 0...3000, using: &generator)
        }
        return PlannedTask(at: at, ending: ending, operations: operations, cancelledAt: cancelledAt)
    }

    private func operation(in ending: Ending, _ generator: inout SeededGenerator) -> Act {
        let event = events[Int.random(in: 0..<events.count, using: &generator)].name
        let short = Int.random(in: 0...200, using: &generator)
        let long = Int.random(in: 500...2500, using: &generator)
        return generator.pick([
            (40, .step(milliseconds: short)), (4, .step(milliseconds: long)),
            (8, .parallel(count: 3, milliseconds: short)), (14, .sleep(milliseconds: long / 2)),
            (15, .await(event: event)), (6, .emit(event: event)),
            // Spawned children are to end completed, so they come from tasks that are executed often enough.
            (ending == .steady ? 10 : 0, .child([.step(milliseconds: short), .sleep(milliseconds: short)])),
        ])
    }
}
